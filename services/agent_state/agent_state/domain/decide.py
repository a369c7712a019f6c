"""What an agent's stream answers to each command."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import assert_never

from switchlog.decider import Decider, Rejected

from .commands import (
    AgentCommand,
    ApproveBreak,
    BeNotReady,
    BeReady,
    ChangePool,
    CheckIn,
    CheckOut,
    DailyCommand,
    EndWork,
    EndWrapUp,
    ForcedState,
    ForceState,
    MissOffer,
    RegisterAgent,
    ReleaseFromPool,
    RequestBreak,
    SignIn,
    SignOut,
    StartWork,
)
from .events import (
    AgentCheckedIn,
    AgentCheckedOut,
    AgentEvent,
    AgentNotReady,
    AgentReady,
    AgentSignedIn,
    AgentSignedOut,
    BreakApproved,
    BreakRequested,
    Forced,
    Mode,
    Stamp,
)
from .evolve import INITIAL, evolve
from .registration import moved, register, released
from .state import BREAK, Agent, AgentState, NotReady, Ready, SignedIn, SignedOut, Unregistered, WantedBreak
from .work import end_work, end_wrap_up, start_work

NO_ANSWER = "no_answer"


def decide(command: AgentCommand, state: AgentState, now: int) -> Sequence[AgentEvent]:
    """The facts that ``command`` causes; ``[]`` when it is already true; raises ``Rejected``."""
    if isinstance(command, RegisterAgent):
        return register(command, state, now)
    if isinstance(state, Unregistered):
        raise Rejected("AGENT_UNKNOWN")
    return _decide(command, state, Stamp(state.id, state.pool, state.profile.team, now))


def _decide(command: DailyCommand, agent: Agent, stamp: Stamp) -> Sequence[AgentEvent]:
    match command:
        case SignIn():
            return [AgentSignedIn(stamp)] if isinstance(agent.presence, SignedOut) else []
        case CheckIn(mode):
            return _check_in(mode, agent, stamp)
        case BeReady():
            return _ready(agent, stamp)
        case BeNotReady(reason, planned):
            return _not_ready(reason, planned, agent, stamp)
        case RequestBreak() | ApproveBreak():
            return _break(command, agent, stamp)
        case MissOffer():
            return [AgentNotReady(stamp, NO_ANSWER)] if isinstance(agent.presence, Ready) else []
        case CheckOut() | SignOut():
            return _leave(command, agent, stamp)
        case ForceState(state, forced):
            return _forced(state, forced, agent, stamp)
        case StartWork(work, offer_id, wrap_up_ms):
            return start_work(work, agent, stamp, offer_id, wrap_up_ms)
        case EndWork(work, connected):
            return end_work(work, agent, stamp, connected)
        case EndWrapUp(contact, leg, by):
            return end_wrap_up(contact, leg, by, agent, stamp)
        case ChangePool(to_pool):
            return moved(to_pool, agent, stamp)
        case ReleaseFromPool(pool):
            return released(pool, agent, stamp)
        case _:
            assert_never(command)


def _check_in(mode: Mode, agent: Agent, stamp: Stamp) -> Sequence[AgentEvent]:
    match agent.presence:
        case SignedIn():
            return [AgentCheckedIn(stamp, mode)]
        case Ready(current) | NotReady(mode=current) if current == mode:
            return []
        case SignedOut():
            raise Rejected("NOT_SIGNED_IN")
        case _:
            raise Rejected("CHECKED_IN_OTHERWISE", "check out before checking in by another mode")


def _ready(agent: Agent, stamp: Stamp) -> Sequence[AgentEvent]:
    match agent.presence:
        case NotReady():
            return [AgentReady(stamp)]
        case Ready():
            return []
        case _:
            raise Rejected("NOT_CHECKED_IN")


def _not_ready(reason: str, planned: bool, agent: Agent, stamp: Stamp) -> Sequence[AgentEvent]:
    match agent.presence:
        case NotReady(_, current, was_planned) if (current, was_planned) == (reason, planned):
            return []
        case Ready() | NotReady():
            return [AgentNotReady(stamp, reason, planned)]
        case _:
            raise Rejected("NOT_CHECKED_IN")


def _break(command: RequestBreak | ApproveBreak, agent: Agent, stamp: Stamp) -> Sequence[AgentEvent]:
    if not isinstance(agent.presence, Ready | NotReady):
        raise Rejected("NOT_CHECKED_IN")
    match command, agent.wanted_break:
        case RequestBreak(break_id, reason, planned), None:
            return [BreakRequested(stamp, break_id, reason, planned)]
        case RequestBreak(), _:
            return []
        case ApproveBreak(approved_by), WantedBreak(break_id, _, planned):
            # work in hand goes on: not ready only stops new offers
            return [BreakApproved(stamp, break_id, approved_by), AgentNotReady(stamp, BREAK, planned, break_id)]
        case _:
            raise Rejected("NO_BREAK_REQUESTED")


def _forced(state: ForcedState, forced: Forced, agent: Agent, stamp: Stamp) -> Sequence[AgentEvent]:
    """RT-8: by the same rules as the agent's own act, and the fact says who and why."""
    match state:
        case ForcedState.READY:
            return [replace(fact, forced=forced) for fact in _ready(agent, stamp) if isinstance(fact, AgentReady)]
        case ForcedState.NOT_READY:
            facts = _not_ready(forced.reason, False, agent, stamp)
            return [replace(fact, forced_by=forced.by) for fact in facts if isinstance(fact, AgentNotReady)]
        case ForcedState.SIGNED_OUT:
            return _leave(SignOut(), agent, stamp, forced)


def _leave(
    command: CheckOut | SignOut, agent: Agent, stamp: Stamp, forced: Forced | None = None
) -> Sequence[AgentEvent]:
    if agent.works:
        raise Rejected("WORK_OPEN", "end or hand over every contact and wrap-up first")
    out: list[AgentEvent] = []
    if isinstance(agent.presence, Ready | NotReady):
        out.append(AgentCheckedOut(stamp, forced))
    if isinstance(command, SignOut) and not isinstance(agent.presence, SignedOut):
        out.append(AgentSignedOut(stamp, forced))
    return out


AGENT: Decider[AgentCommand, AgentState, AgentEvent] = Decider(INITIAL, decide, evolve)
