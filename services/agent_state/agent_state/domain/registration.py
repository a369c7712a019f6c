"""Making an agent, and bringing its description up to date: only what differs becomes a fact."""

from __future__ import annotations

from collections.abc import Sequence

from switchlog.decider import Rejected

from .commands import RegisterAgent
from .events import (
    AgentEvent,
    AgentRegistered,
    CapacitySet,
    JoinedPool,
    PoolLeaveRequested,
    SkillsAssigned,
    TeamAssigned,
)
from .state import Agent, AgentState, Profile, Unregistered


def register(command: RegisterAgent, state: AgentState) -> Sequence[AgentEvent]:
    """Facts from nothing, or the difference; raises ``Rejected("AGENT_EXISTS")`` with ``only_new`` (AG-4)."""
    _check(command)
    match state:
        case Unregistered():
            return [*_described(command, Profile(""), ""), JoinedPool(command.pool)]
        case Agent() if command.only_new:
            raise Rejected("AGENT_EXISTS")
        case Agent():
            return [*_described(command, state.profile, state.pool), *_moved(command.pool, state)]


def _check(command: RegisterAgent) -> None:
    if len({skill.skill for skill in command.skills}) < len(command.skills):
        raise Rejected("SKILL_TWICE", invalid=True)
    if len({slots.channel for slots in command.capacity}) < len(command.capacity):
        raise Rejected("CHANNEL_TWICE", invalid=True)


def _described(command: RegisterAgent, known: Profile, pool: str) -> Sequence[AgentEvent]:
    wanted = (command.name, command.wrap_up_ms, command.auto_ready)
    skills, capacity = tuple(sorted(command.skills)), tuple(sorted(command.capacity))
    events: list[AgentEvent] = []
    if wanted != (known.name, known.wrap_up_ms, known.auto_ready):
        events.append(AgentRegistered(*wanted, pool))
    if command.team != known.team:
        events.append(TeamAssigned(command.team, pool))
    if skills != known.skills:
        events.append(SkillsAssigned(skills, pool))
    if capacity != known.capacity:
        events.append(CapacitySet(capacity, pool))
    return events


def _moved(pool: str, agent: Agent) -> Sequence[AgentEvent]:
    """The last wish counts; while leaving, going back to the old pool is a wish like any other (kernel rule 24)."""
    if pool == (agent.leaving_to or agent.pool):
        return []
    return [PoolLeaveRequested(agent.pool, pool)]
