"""What an agent's stream answers to each command."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from switchlog.decider import Decider, Rejected

from .commands import (
    AgentCommand,
    ApproveBreak,
    BeNotReady,
    BeReady,
    CheckIn,
    CheckOut,
    EndWork,
    EndWrapUp,
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
    JoinedPool,
    Mode,
)
from .evolve import INITIAL, evolve
from .registration import register
from .state import BREAK, Agent, AgentState, NotReady, Ready, SignedIn, SignedOut, Unregistered
from .work import end_work, end_wrap_up, start_work

NO_ANSWER = "no_answer"


def decide(command: AgentCommand, state: AgentState, now: int) -> Sequence[AgentEvent]:
    """The facts that ``command`` causes; ``[]`` when it is already true; raises ``Rejected``."""
    if isinstance(command, RegisterAgent):
        return register(command, state)
    if isinstance(state, Unregistered):
        raise Rejected("AGENT_UNKNOWN")
    return _decide(command, state, now)


def _decide(command: AgentCommand, agent: Agent, now: int) -> Sequence[AgentEvent]:
    match command:
        case RegisterAgent():
            return register(command, agent)
        case SignIn():
            return [AgentSignedIn(*_place(agent))] if isinstance(agent.presence, SignedOut) else []
        case CheckIn(mode):
            return _check_in(mode, agent)
        case BeReady():
            return _ready(agent)
        case BeNotReady(reason, planned):
            return _not_ready(reason, planned, agent)
        case RequestBreak() | ApproveBreak():
            return _break(command, agent)
        case MissOffer():
            return [AgentNotReady(NO_ANSWER, False, *_place(agent))] if isinstance(agent.presence, Ready) else []
        case CheckOut() | SignOut():
            return _leave(command, agent)
        case StartWork(work):
            return start_work(work, agent)
        case EndWork(work):
            return end_work(work, agent, now)
        case EndWrapUp(contact, leg, by):
            return end_wrap_up(contact, leg, by, agent)
        case ReleaseFromPool(pool):
            return _release(pool, agent)
        case _:
            assert_never(command)


def _check_in(mode: Mode, agent: Agent) -> Sequence[AgentEvent]:
    match agent.presence:
        case SignedIn():
            return [AgentCheckedIn(mode, *_place(agent))]
        case Ready(current) | NotReady(mode=current) if current == mode:
            return []
        case SignedOut():
            raise Rejected("NOT_SIGNED_IN")
        case _:
            raise Rejected("CHECKED_IN_OTHERWISE", "check out before checking in by another mode")


def _ready(agent: Agent) -> Sequence[AgentEvent]:
    match agent.presence:
        case NotReady():
            return [AgentReady(*_place(agent))]
        case Ready():
            return []
        case _:
            raise Rejected("NOT_CHECKED_IN")


def _not_ready(reason: str, planned: bool, agent: Agent) -> Sequence[AgentEvent]:
    match agent.presence:
        case NotReady(_, current, was_planned) if (current, was_planned) == (reason, planned):
            return []
        case Ready() | NotReady():
            return [AgentNotReady(reason, planned, *_place(agent))]
        case _:
            raise Rejected("NOT_CHECKED_IN")


def _break(command: RequestBreak | ApproveBreak, agent: Agent) -> Sequence[AgentEvent]:
    if not isinstance(agent.presence, Ready | NotReady):
        raise Rejected("NOT_CHECKED_IN")
    match command, agent.wanted_break:
        case RequestBreak(reason, planned), None:
            return [BreakRequested(reason, planned, *_place(agent))]
        case RequestBreak(), _:
            return []
        case ApproveBreak(), None:
            raise Rejected("NO_BREAK_REQUESTED")
        case ApproveBreak(approved_by), wanted:
            # work in hand goes on: not ready only stops new offers
            approved = BreakApproved(approved_by, *_place(agent))
            return [approved, AgentNotReady(BREAK, wanted.planned, *_place(agent))]


def _leave(command: CheckOut | SignOut, agent: Agent) -> Sequence[AgentEvent]:
    if agent.works:
        raise Rejected("WORK_OPEN", "end or hand over every contact and wrap-up first")
    out: list[AgentEvent] = []
    if isinstance(agent.presence, Ready | NotReady):
        out.append(AgentCheckedOut(*_place(agent)))
    if isinstance(command, SignOut) and not isinstance(agent.presence, SignedOut):
        out.append(AgentSignedOut(*_place(agent)))
    return out


def _release(pool: str, agent: Agent) -> Sequence[AgentEvent]:
    if agent.pool != pool or not agent.leaving_to:
        return []
    return [JoinedPool(agent.leaving_to, from_pool=pool)]


def _place(agent: Agent) -> tuple[str, str]:
    return agent.pool, agent.profile.team


AGENT: Decider[AgentCommand, AgentState, AgentEvent] = Decider(INITIAL, decide, evolve)
