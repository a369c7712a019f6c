"""What a call answers to each command."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import assert_never

from switchlog.decider import Decider, Rejected

from .commands import (
    AnswerBySystem,
    CallCommand,
    ConnectAgent,
    GiveUpCall,
    HangUpAgent,
    HangUpCaller,
    HoldCall,
    Place,
    QueueCall,
    RequeueCall,
    ResumeCall,
    StartCall,
    TakeMessage,
)
from .events import (
    AgentConnected,
    AgentDisconnected,
    CallEvent,
    ContactAbandoned,
    ContactEnded,
    ContactHeld,
    ContactQueued,
    ContactResumed,
    ContactStarted,
    CustomerDisconnected,
    EndReason,
    LegEnd,
    SystemConnected,
    TrunkReleased,
    TrunkSeized,
)
from .evolve import INITIAL, evolve
from .state import MESSAGE_TAKER, AfterAgent, CallState, Ended, Leaving, Line, NotStarted, Ringing, Talking, Waiting


def decide(command: CallCommand, state: CallState, now: int) -> Sequence[CallEvent]:
    """The facts that ``command`` causes; ``[]`` when it is already true; raises ``Rejected``."""
    match command, state:
        case StartCall(entry_point, customer_ref, called, trunk, line), NotStarted():
            return [ContactStarted(entry_point, customer_ref, called, trunk), TrunkSeized(trunk, line)]
        case StartCall(), _:
            return []
        case _, NotStarted():
            raise Rejected("CONTACT_NOT_STARTED")
        case AnswerBySystem(system), Ringing(Line(answered=False)):
            return [SystemConnected(system)]
        case AnswerBySystem(), _:
            return []
        case QueueCall(place), Ringing():
            return [_queued(place, 1, now)]
        case RequeueCall(leg, place), Waiting() if leg == state.leg:
            again = _queued(place, leg + 1, state.line.arrived_at)
            return [replace(again, from_queue=state.queue, from_pool=state.pool)]
        case ((QueueCall() | RequeueCall()), _):
            return []
        case ((TakeMessage() | GiveUpCall()), _):
            return _alone(command, state)
        case ConnectAgent(), Waiting(_, leg, queue, pool) if leg == command.leg:
            return [AgentConnected(leg, queue, pool, command.agent, command.team, command.offer_id)]
        case ConnectAgent(), _:
            # gone, or connected already: routing learns of it from the contact's own facts
            return []
        case ((HoldCall(agent) | ResumeCall(agent)), _):
            return _hold(_own(agent, state), held=isinstance(command, HoldCall))
        case HangUpAgent(agent), (AfterAgent(agent=had) | Ended(agent=had)) if agent == had:
            return []
        case HangUpAgent(agent), _:
            return [_agent_left(_own(agent, state), LegEnd.AGENT_ENDED)]
        case HangUpCaller(lost), _:
            return _leave(state, LegEnd.LOST if lost else LegEnd.CUSTOMER_ENDED)
        case _:
            assert_never(command)


def _alone(command: TakeMessage | GiveUpCall, state: CallState) -> Sequence[CallEvent]:
    """No agent will come: the caller waits on that leg, or (0) is still at the door."""
    match state:
        case Ringing(line) if command.leg == 0:
            place = (0, "", "")
        case Waiting(line, leg, queue, pool) if command.leg == leg:
            place = (leg, queue, pool)
        case _:
            return []
    if isinstance(command, TakeMessage):
        return [SystemConnected(MESSAGE_TAKER, *place)]
    return [TrunkReleased(line.trunk, line.line, *place), ContactEnded(command.reason, *place)]


def _queued(place: Place, leg: int, arrived_at: int) -> ContactQueued:
    return ContactQueued(
        leg,
        place.queue,
        place.pool,
        arrived_at,
        place.priority,
        place.required_skills,
        preferred_agent=place.preferred_agent,
        preferred_agent_ms=place.preferred_agent_ms,
    )


def _own(agent: str, state: CallState) -> Talking:
    if isinstance(state, Talking) and state.agent == agent:
        return state
    raise Rejected("NOT_YOUR_CONTACT")


def _hold(talk: Talking, *, held: bool) -> Sequence[CallEvent]:
    if talk.held == held:
        return []
    fact = ContactHeld if held else ContactResumed
    return [fact(talk.leg, talk.queue, talk.pool, talk.agent, talk.team)]


def _agent_left(talk: Talking, reason: LegEnd) -> AgentDisconnected:
    return AgentDisconnected(talk.leg, talk.queue, talk.pool, talk.agent, talk.team, reason)


def _leave(state: CallState, how: LegEnd) -> Sequence[CallEvent]:
    match state:
        case Ringing(line):
            gone = CustomerDisconnected(0, "", "", "", "", how)
            return [gone, TrunkReleased(line.trunk, line.line, 0, "", ""), ContactEnded(EndReason.NEVER_QUEUED)]
        case Waiting(line, leg, queue, pool):
            return [
                CustomerDisconnected(leg, queue, pool, "", "", how),
                ContactAbandoned(leg, queue, pool),
                TrunkReleased(line.trunk, line.line, leg, queue, pool),
                ContactEnded(EndReason.ABANDONED, leg, queue, pool),
            ]
        case Talking(line, leg, queue, pool, agent, team):
            return [
                CustomerDisconnected(leg, queue, pool, agent, team, how),
                _agent_left(state, how),
                TrunkReleased(line.trunk, line.line, leg, queue, pool),
                ContactEnded(EndReason.CUSTOMER_ENDED, leg, queue, pool, agent, team),
            ]
        case Leaving(line, leg, queue, pool):
            return [
                CustomerDisconnected(leg, queue, pool, "", "", how),
                TrunkReleased(line.trunk, line.line, leg, queue, pool),
                ContactEnded(EndReason.SELF_SERVED, leg, queue, pool),
            ]
        case AfterAgent(line, leg, queue, pool, _):
            return [
                CustomerDisconnected(leg, queue, pool, "", "", how),
                TrunkReleased(line.trunk, line.line, leg, queue, pool),
                ContactEnded(EndReason.AGENT_ENDED, leg, queue, pool),
            ]
        case _:
            return []


CALL: Decider[CallCommand, CallState, CallEvent] = Decider(INITIAL, decide, evolve)
