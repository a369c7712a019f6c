"""Making an agent, bringing it up to date, and the change of its pool: only what differs becomes a fact."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from switchlog.decider import Rejected

from .commands import RegisterAgent
from .events import (
    AgentEvent,
    AgentRegistered,
    Capacity,
    CapacitySet,
    Card,
    JoinedPool,
    PoolLeaveRequested,
    SkillsAssigned,
    Stamp,
    TeamAssigned,
)
from .state import Agent, AgentState, Profile, Unregistered, standing


def register(command: RegisterAgent, state: AgentState, now: int) -> Sequence[AgentEvent]:
    """Facts from nothing, or the difference; raises ``Rejected("AGENT_EXISTS")`` with ``only_new`` (AG-4)."""
    _check(command)
    profile = _wanted(command)
    match state:
        case Unregistered():
            return _made(command.agent, profile, command.pool, now)
        case Agent() if command.only_new:
            raise Rejected("AGENT_EXISTS")
        case Agent():
            stamp = Stamp(state.id, state.pool, profile.team, now)
            return [*_described(profile, state.profile, stamp), *moved(command.pool, state, stamp)]


def moved(pool: str, agent: Agent, stamp: Stamp) -> Sequence[AgentEvent]:
    """The last wish counts; while leaving, going back to the old pool is a wish like any other (kernel rule 24)."""
    if pool == (agent.leaving_to or agent.pool):
        return []
    return [PoolLeaveRequested(stamp, pool)]


def released(pool: str, agent: Agent, stamp: Stamp) -> Sequence[AgentEvent]:
    """The old pool has let the agent go; only now the new one is joined (kernel rule 24)."""
    if agent.pool != pool or not agent.leaving_to:
        return []
    return [JoinedPool(replace(stamp, pool=agent.leaving_to), standing(agent), from_pool=pool)]


def _check(command: RegisterAgent) -> None:
    if len({skill.skill for skill in command.skills}) < len(command.skills):
        raise Rejected("SKILL_TWICE", invalid=True)
    if len({slots.channel for slots in command.capacity.channels}) < len(command.capacity.channels):
        raise Rejected("CHANNEL_TWICE", invalid=True)


def _wanted(command: RegisterAgent) -> Profile:
    capacity = Capacity(tuple(sorted(command.capacity.channels)), command.capacity.units)
    return Profile(command.card, command.team, tuple(sorted(command.skills)), capacity)


def _made(agent: str, profile: Profile, pool: str, now: int) -> Sequence[AgentEvent]:
    stamp = Stamp(agent, "", profile.team, now)
    joined = JoinedPool(replace(stamp, pool=pool), standing(Agent(agent, profile, now)))
    return [*_described(profile, Profile(Card("")), stamp), joined]


def _described(wanted: Profile, known: Profile, stamp: Stamp) -> Sequence[AgentEvent]:
    events: list[AgentEvent] = []
    if wanted.card != known.card:
        events.append(AgentRegistered(stamp, wanted.card))
    if wanted.team != known.team:
        events.append(TeamAssigned(stamp, known.team))
    if wanted.skills != known.skills:
        events.append(SkillsAssigned(stamp, wanted.skills))
    if wanted.capacity != known.capacity:
        events.append(CapacitySet(stamp, wanted.capacity))
    return events
