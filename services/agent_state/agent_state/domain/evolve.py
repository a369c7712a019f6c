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
    Leg,
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
    Presence,
    Profile,
    Ready,
    SignedIn,
    SignedOut,
    Unregistered,
    WantedBreak,
    Work,
)

INITIAL: AgentState = Unregistered()
REMEMBERED = 256  # legs that are over


def evolve(state: AgentState, event: AgentEvent) -> AgentState:
    """The state after ``event``."""
    if isinstance(state, Agent):
        return _change(state, event)
    if isinstance(event, AgentRegistered):
        return Agent(Profile(event.name, event.wrap_up_ms, event.auto_ready))
    raise ValueError(f"{type(event).__name__} before AgentRegistered")


def _change(agent: Agent, event: AgentEvent) -> Agent:
    match event:
        case AgentRegistered() | TeamAssigned() | SkillsAssigned() | CapacitySet():
            return replace(agent, profile=_profile(agent.profile, event))
        case JoinedPool(pool):
            return replace(agent, pool=pool, leaving_to="")
        case PoolLeaveRequested(_, to):
            return replace(agent, leaving_to=to)
        case BreakRequested(reason, planned):
            return replace(agent, wanted_break=WantedBreak(reason, planned))
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
        case TeamAssigned(team):
            return replace(profile, team=team)
        case SkillsAssigned(skills):
            return replace(profile, skills=skills)
        case CapacitySet(capacity):
            return replace(profile, capacity=capacity)
        case AgentRegistered(name, wrap_up_ms, auto_ready):
            return replace(profile, name=name, wrap_up_ms=wrap_up_ms, auto_ready=auto_ready)


def _work(agent: Agent, event: WorkStarted | WorkEnded | WrapUpStarted | WrapUpEnded) -> Agent:
    others = tuple(work for work in agent.works if work.id != (event.work.contact, event.work.leg))
    match event:
        case WorkStarted(leg):
            return replace(agent, works=(*others, Work(leg)))
        case WrapUpStarted(leg, ends_at):
            return replace(agent, works=(*others, Work(leg, ends_at)))
        case WorkEnded(leg) | WrapUpEnded(leg):
            return replace(agent, works=others, over=_remember(agent.over, leg))


def _remember(over: tuple[tuple[str, int], ...], leg: Leg) -> tuple[tuple[str, int], ...]:
    return (*over, (leg.contact, leg.leg))[-REMEMBERED:]


def _present(
    agent: Agent,
    event: AgentSignedIn | AgentCheckedIn | AgentReady | AgentNotReady | AgentCheckedOut | AgentSignedOut,
) -> Agent:
    match event:
        case AgentSignedIn() | AgentCheckedOut():
            return replace(agent, presence=SignedIn(), wanted_break=None)
        case AgentCheckedIn(mode):
            return replace(agent, presence=NotReady(mode))
        case AgentReady():
            return replace(agent, presence=Ready(_mode(agent.presence)))
        case AgentNotReady(reason, planned):
            return replace(agent, presence=NotReady(_mode(agent.presence), reason, planned))
        case AgentSignedOut():
            return replace(agent, presence=SignedOut(), wanted_break=None)


def _mode(presence: Presence) -> Mode:
    match presence:
        case Ready(mode) | NotReady(mode=mode):
            return mode
        case _:
            raise ValueError(f"no mode in {type(presence).__name__}")
