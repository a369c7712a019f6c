"""What a chat contact answers to each command."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from switchlog.decider import Decider, Rejected

from .commands import (
    ConnectAgent,
    ContactCommand,
    EndByAgent,
    EndByCustomer,
    Place,
    ReceiveMessage,
    RequeueContact,
    SendMessage,
    StartContact,
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
    Message,
    MessageReceived,
    MessageSent,
)
from .evolve import INITIAL, evolve
from .state import ContactState, Ended, Greeting, NotStarted, Talking, Waiting

MAX_MESSAGES = 5_000


def decide(command: ContactCommand, state: ContactState, now: int) -> Sequence[ContactEvent]:
    """The facts that ``command`` causes; ``[]`` when it is already true; raises ``Rejected``."""
    match command, state:
        case StartContact(entry_point, customer_ref, locale, attributes), NotStarted():
            return [ContactStarted(entry_point, customer_ref, locale, attributes)]
        case StartContact(), _:
            return []
        case _, NotStarted():
            raise Rejected("CONTACT_NOT_STARTED")
        case ReceiveMessage(message, place), _:
            return _receive(message, place, state)
        case SendMessage(message, agent), _:
            return _send(message, agent, state)
        case ConnectAgent(), _:
            return _connect(command, state)
        case RequeueContact(leg, place), Waiting(leg=waiting) if leg == waiting:
            return [_queued(place, leg + 1)]
        case RequeueContact(), _:
            return []
        case TransferContact(agent, kind, place), _:
            return _transfer(command, _own_talk(agent, state))
        case EndByAgent(agent), Ended():
            return []
        case EndByAgent(agent), _:
            return _hang_up(_own_talk(agent, state), EndReason.AGENT_ENDED)
        case EndByCustomer(lost), _:
            return _leave(state, EndReason.CUSTOMER_LOST if lost else EndReason.CUSTOMER_ENDED)
        case _:
            assert_never(command)


def _receive(message: Message, place: Place, state: ContactState) -> Sequence[ContactEvent]:
    match state:
        case Greeting(contact):
            return [MessageReceived(message), _queued(place, 1)] if _is_new(message, contact.message_ids) else []
        case Waiting(contact, leg, queue, pool) | Talking(contact, leg, queue, pool):
            new = _is_new(message, contact.message_ids)
            return [MessageReceived(message, queue, pool, leg)] if new else []
        case Ended(_, message_ids) if message.message_id in message_ids:
            return []
        case _:
            raise Rejected("CONTACT_ENDED")


def _send(message: Message, agent: str, state: ContactState) -> Sequence[ContactEvent]:
    if isinstance(state, Ended):
        raise Rejected("CONTACT_ENDED")
    talk = _own_talk(agent, state)
    if not _is_new(message, talk.contact.message_ids):
        return []
    return [MessageSent(message, talk.leg, talk.queue, talk.pool, agent)]


def _connect(command: ConnectAgent, state: ContactState) -> Sequence[ContactEvent]:
    match state:
        case Waiting(_, leg, queue, pool) if leg == command.leg:
            return [AgentConnected(leg, queue, pool, command.agent, command.team)]
        case Talking(leg=leg) if leg < command.leg:
            raise Rejected("LEG_UNKNOWN")
        case _:
            # gone, or connected already: routing learns of it from the contact's own facts
            return []


def _transfer(command: TransferContact, talk: Talking) -> Sequence[ContactEvent]:
    place = command.place
    return [
        ContactTransferred(
            talk.leg, talk.queue, talk.pool, talk.agent, talk.team, command.kind, place.queue, place.pool
        ),
        AgentDisconnected(talk.leg, talk.queue, talk.pool, talk.agent, talk.team),
        _queued(place, talk.leg + 1),
    ]


def _leave(state: ContactState, reason: EndReason) -> Sequence[ContactEvent]:
    match state:
        case Greeting():
            return [CustomerDisconnected(0, "", ""), ContactEnded(EndReason.NEVER_QUEUED)]
        case Waiting(_, leg, queue, pool):
            return [
                CustomerDisconnected(leg, queue, pool),
                ContactAbandoned(leg, queue, pool),
                ContactEnded(EndReason.ABANDONED, leg, queue, pool),
            ]
        case Talking(_, leg, queue, pool):
            return [CustomerDisconnected(leg, queue, pool), *_hang_up(state, reason)]
        case _:
            return []


def _hang_up(talk: Talking, reason: EndReason) -> Sequence[ContactEvent]:
    return [
        AgentDisconnected(talk.leg, talk.queue, talk.pool, talk.agent, talk.team),
        ContactEnded(reason, talk.leg, talk.queue, talk.pool),
    ]


def _own_talk(agent: str, state: ContactState) -> Talking:
    if isinstance(state, Talking) and state.agent == agent:
        return state
    raise Rejected("NOT_YOUR_CONTACT")


def _queued(place: Place, leg: int) -> ContactQueued:
    return ContactQueued(place.queue, place.pool, leg, place.priority, place.required_skills, place.preferred_agent)


def _is_new(message: Message, known: frozenset[str]) -> bool:
    if message.message_id in known:
        return False
    if len(known) >= MAX_MESSAGES:
        raise Rejected("TOO_MANY_MESSAGES")
    return True


CONTACT: Decider[ContactCommand, ContactState, ContactEvent] = Decider(INITIAL, decide, evolve)
