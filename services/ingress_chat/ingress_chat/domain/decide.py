"""What a chat contact answers to each command."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import assert_never

from switchlog.decider import Decider, Rejected

from .commands import (
    Closed,
    ConnectAgent,
    ContactCommand,
    EndByAgent,
    EndByCustomer,
    GiveUpWaiting,
    Place,
    ReceiveMessage,
    RequeueContact,
    SendMessage,
    StartContact,
    TakeMessage,
    TransferContact,
)
from .events import (
    AgentConnected,
    AgentDisconnected,
    ContactAbandoned,
    ContactEnded,
    ContactEvent,
    ContactQueued,
    ContactStarted,
    ContactTransferred,
    CustomerDisconnected,
    EndReason,
    LegEnd,
    Message,
    MessageReceived,
    MessageSent,
    SystemConnected,
)
from .evolve import INITIAL, evolve
from .state import ContactState, Ended, Greeting, Leaving, NotStarted, Open, Talking, Waiting

MAX_MESSAGES = 5_000
MESSAGE_TAKER = "message"


def decide(command: ContactCommand, state: ContactState, now: int) -> Sequence[ContactEvent]:
    """The facts that ``command`` causes; ``[]`` when it is already true; raises ``Rejected``."""
    match command, state:
        case StartContact(entry_point, customer_ref, locale, attributes), NotStarted():
            return [ContactStarted(entry_point, customer_ref, locale, attributes)]
        case StartContact(), _:
            return []
        case _, NotStarted():
            raise Rejected("CONTACT_NOT_STARTED")
        case ReceiveMessage(), _:
            return _receive(command, state, now)
        case SendMessage(message, agent), _:
            return _send(message, agent, state)
        case ConnectAgent(), _:
            return _connect(command, state)
        case RequeueContact(leg, place), Waiting() if leg == state.leg:
            return [_queued_again(place, state)]
        case TakeMessage(leg), Waiting(_, own, queue, pool) if leg == own:
            return [SystemConnected(MESSAGE_TAKER, leg, queue, pool)]
        case GiveUpWaiting(leg, reason), Waiting(_, own, queue, pool) if leg == own:
            return [ContactEnded(reason, leg, queue, pool)]
        case ((RequeueContact() | TakeMessage() | GiveUpWaiting()), _):
            return []
        case TransferContact(agent), _:
            return _transfer(command, _own_talk(agent, state))
        case EndByAgent(agent), Ended():
            return []
        case EndByAgent(agent), _:
            talk = _own_talk(agent, state)
            return [_agent_left(talk, LegEnd.AGENT_ENDED), _ended(talk, EndReason.AGENT_ENDED)]
        case EndByCustomer(lost), _:
            return _leave(state, lost=lost)
        case _:
            assert_never(command)


def _receive(command: ReceiveMessage, state: ContactState, now: int) -> Sequence[ContactEvent]:
    message = command.message
    match state:
        case Greeting(contact) if _is_new(message, contact):
            return [MessageReceived(message), _first(command, contact, now)]
        case Leaving(contact, leg, queue, pool) if _is_new(message, contact):
            return [MessageReceived(message, leg, queue, pool)]
        case Waiting(contact, leg, queue, pool) if _is_new(message, contact):
            return [MessageReceived(message, leg, queue, pool)]
        case Talking(contact, leg, queue, pool, agent, team) if _is_new(message, contact):
            return [MessageReceived(message, leg, queue, pool, agent, team)]
        case Ended(contact) if message.message_id not in contact.message_ids:
            raise Rejected("CONTACT_ENDED")
        case _:
            return []


def _first(command: ReceiveMessage, contact: Open, now: int) -> ContactEvent:
    """What becomes of somebody who has just begun to write (RT-6)."""
    match command.closed:
        case Closed.END:
            return ContactEnded(EndReason.BLOCKED)
        case Closed.MESSAGE:
            return SystemConnected(MESSAGE_TAKER)
        case None:
            return _queued(command.place, contact, 1, now)


def _send(message: Message, agent: str, state: ContactState) -> Sequence[ContactEvent]:
    if isinstance(state, Ended):
        raise Rejected("CONTACT_ENDED")
    talk = _own_talk(agent, state)
    if not _is_new(message, talk.contact):
        return []
    return [MessageSent(message, talk.leg, talk.queue, talk.pool, agent, talk.team)]


def _connect(command: ConnectAgent, state: ContactState) -> Sequence[ContactEvent]:
    match state:
        case Waiting(_, leg, queue, pool) if leg == command.leg:
            return [AgentConnected(leg, queue, pool, command.agent, command.team, command.offer_id)]
        case Talking(leg=leg) if leg < command.leg:
            raise Rejected("LEG_UNKNOWN")
        case _:
            # gone, or connected already: routing learns of it from the contact's own facts
            return []


def _transfer(command: TransferContact, talk: Talking) -> Sequence[ContactEvent]:
    place = command.place
    if not place.queue:
        raise Rejected("NO_QUEUE")
    return [
        ContactTransferred(
            talk.leg, talk.queue, talk.pool, talk.agent, talk.team, command.kind, place.queue, place.pool
        ),
        _agent_left(talk, LegEnd.TRANSFERRED),
        _queued_again(place, talk),
    ]


def _leave(state: ContactState, *, lost: bool) -> Sequence[ContactEvent]:
    how = LegEnd.LOST if lost else LegEnd.CUSTOMER_ENDED
    match state:
        case Greeting():
            return [CustomerDisconnected(0, "", "", how), ContactEnded(EndReason.NEVER_QUEUED)]
        case Waiting(_, leg, queue, pool):
            return [
                CustomerDisconnected(leg, queue, pool, how),
                ContactAbandoned(leg, queue, pool, lost),
                ContactEnded(EndReason.ABANDONED, leg, queue, pool),
            ]
        case Leaving(_, leg, queue, pool):
            gone = CustomerDisconnected(leg, queue, pool, how)
            return [gone, ContactEnded(EndReason.SELF_SERVED, leg, queue, pool)]
        case Talking(_, leg, queue, pool, agent, team):
            reason = EndReason.CUSTOMER_LOST if lost else EndReason.CUSTOMER_ENDED
            gone = CustomerDisconnected(leg, queue, pool, how, agent, team)
            return [gone, _agent_left(state, how), _ended(state, reason)]
        case _:
            return []


def _agent_left(talk: Talking, reason: LegEnd) -> AgentDisconnected:
    return AgentDisconnected(talk.leg, talk.queue, talk.pool, talk.agent, talk.team, reason)


def _ended(talk: Talking, reason: EndReason) -> ContactEnded:
    return ContactEnded(reason, talk.leg, talk.queue, talk.pool, talk.agent, talk.team)


def _own_talk(agent: str, state: ContactState) -> Talking:
    if isinstance(state, Talking) and state.agent == agent:
        return state
    if isinstance(state, Waiting):
        # perhaps it was assigned a moment ago and the agent is faster than we are: worth asking again
        raise Rejected("NOT_CONNECTED_YET")
    raise Rejected("NOT_YOUR_CONTACT")


def _queued(place: Place, contact: Open, leg: int, arrived_at: int) -> ContactQueued:
    return ContactQueued(
        leg,
        place.queue,
        place.pool,
        arrived_at,
        place.priority,
        place.required_skills,
        place.preferred_agent,
        contact.attributes,
        contact.locale,
        preferred_agent_ms=place.preferred_agent_ms,
    )


def _queued_again(place: Place, left: Waiting | Talking) -> ContactQueued:
    again = _queued(place, left.contact, left.leg + 1, left.contact.arrived_at)
    return replace(again, from_queue=left.queue, from_pool=left.pool)


def _is_new(message: Message, contact: Open) -> bool:
    if message.message_id in contact.message_ids:
        return False
    if len(contact.message_ids) >= MAX_MESSAGES:
        raise Rejected("TOO_MANY_MESSAGES")
    return True


CONTACT: Decider[ContactCommand, ContactState, ContactEvent] = Decider(INITIAL, decide, evolve)
