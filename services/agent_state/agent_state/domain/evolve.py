"""How each fact changes an agent."""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from .events import (
    AgentCheckedIn,
    AgentCheckedOut,
    AgentEvent,
    AgentNotReady,
    AgentReady,
    AgentRegistered,
    AgentSignedIn,
    AgentSignedOut,
    BreakApproved,
    BreakRequested,
    CapacitySet,
    JoinedPool,
    Mode,
    PoolLeaveRequested,
    SkillsAssigned,
    TeamAssigned,
    WorkEnded,
    WorkStarted,
    WrapUpEnded,
    WrapUpStarted,
)
from .state import (
    Agent,
    AgentState,
    NotReady,
    Profile,
    Ready,
    SignedIn,
    SignedOut,
    Unregistered,
    WantedBreak,
    Work,
    activity,
    mode,
)

INITIAL: AgentState = Unregistered()
REMEMBERED = 256  # legs that are over


def evolve(state: AgentState, event: AgentEvent) -> AgentState:
    """The state after ``event``."""
    if isinstance(state, Agent):
        changed = _change(state, event)
        return changed if activity(changed) == activity(state) else replace(changed, since=event.stamp.at)
    if isinstance(event, AgentRegistered):
        return Agent(event.stamp.agent, Profile(event.card), since=event.stamp.at)
    raise ValueError(f"{type(event).__name__} before AgentRegistered")


def _change(agent: Agent, event: AgentEvent) -> Agent:
    match event:
        case AgentRegistered() | TeamAssigned() | SkillsAssigned() | CapacitySet():
            return replace(agent, profile=_profile(agent.profile, event))
        case JoinedPool(stamp):
            return replace(agent, pool=stamp.pool, leaving_to="")
        case PoolLeaveRequested(_, to_pool):
            return replace(agent, leaving_to=to_pool)
        case BreakRequested(_, break_id, reason, planned):
            return replace(agent, wanted_break=WantedBreak(break_id, reason, planned))
        case BreakApproved():
            return replace(agent, wanted_break=None)
        case WorkStarted() | WorkEnded() | WrapUpStarted() | WrapUpEnded():
            return _work(agent, event)
        case AgentSignedIn() | AgentCheckedIn() | AgentReady() | AgentNotReady() | AgentCheckedOut() | AgentSignedOut():
            return _present(agent, event)
        case _:
            assert_never(event)


def _profile(profile: Profile, event: AgentRegistered | TeamAssigned | SkillsAssigned | CapacitySet) -> Profile:
    match event:
        case AgentRegistered(_, card):
            return replace(profile, card=card)
        case TeamAssigned(stamp):
            return replace(profile, team=stamp.team)
        case SkillsAssigned(_, skills):
            return replace(profile, skills=skills)
        case CapacitySet(_, capacity):
            return replace(profile, capacity=capacity)


def _work(agent: Agent, event: WorkStarted | WorkEnded | WrapUpStarted | WrapUpEnded) -> Agent:
    leg = event.work
    limit = event.wrap_up_ms if isinstance(event, WorkStarted) else 0
    standing = agent.work(leg.contact, leg.leg) or Work(leg, event.stamp.at, wrap_up_ms=limit)
    others = tuple(work for work in agent.works if work.id != standing.id)
    match event:
        case WorkStarted() | WorkEnded(wrap_up_follows=True):
            return replace(agent, works=(*others, standing))
        case WrapUpStarted(_, _, ends_at):
            return replace(agent, works=(*others, replace(standing, wrap_up_ends_at=ends_at)))
        case WorkEnded() | WrapUpEnded():
            return replace(agent, works=others, over=(*agent.over, standing.id)[-REMEMBERED:])


def _present(
    agent: Agent,
    event: AgentSignedIn | AgentCheckedIn | AgentReady | AgentNotReady | AgentCheckedOut | AgentSignedOut,
) -> Agent:
    match event:
        case AgentSignedIn() | AgentCheckedOut():
            return replace(agent, presence=SignedIn(), wanted_break=None)
        case AgentCheckedIn(_, mode):
            return replace(agent, presence=NotReady(mode))
        case AgentReady():
            return replace(agent, presence=Ready(_mode(agent)))
        case AgentNotReady(_, reason, planned):
            return replace(agent, presence=NotReady(_mode(agent), reason, planned))
        case AgentSignedOut():
            return replace(agent, presence=SignedOut(), wanted_break=None)


def _mode(agent: Agent) -> Mode:
    known = mode(agent.presence)
    if known is None:
        raise ValueError(f"no mode in {type(agent.presence).__name__}")
    return known
