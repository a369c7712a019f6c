"""How each fact changes a chat contact."""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

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
    MessageReceived,
    MessageSent,
    SystemConnected,
)
from .state import ContactState, Ended, Greeting, Leaving, NotStarted, Open, Talking, Waiting

INITIAL: ContactState = NotStarted()


def evolve(state: ContactState, event: ContactEvent) -> ContactState:
    """The state after ``event``; facts that say nothing about the phase leave it alone."""
    match event:
        case ContactStarted(entry_point, customer_ref, locale, attributes):
            return Greeting(Open(customer_ref, entry_point, locale, attributes, 0, frozenset()))
        case SystemConnected(_, leg, queue, pool):
            return Leaving(_open(state), leg, queue, pool)
        case MessageReceived(message=message) | MessageSent(message=message):
            return _remember(state, message.message_id)
        case ContactQueued(leg, queue, pool, arrived_at):
            return Waiting(replace(_open(state), arrived_at=arrived_at), leg, queue, pool)
        case AgentConnected(leg, queue, pool, agent, team):
            contact = _open(state)
            served_by = contact.served_by | {(agent, team)}
            return Talking(replace(contact, served_by=served_by), leg, queue, pool, agent, team)
        case ContactEnded():
            return Ended(_open(state))
        case AgentDisconnected() | CustomerDisconnected() | ContactAbandoned() | ContactTransferred():
            return state
        case _:
            assert_never(event)


def _open(state: ContactState) -> Open:
    match state:
        case (
            Greeting(contact) | Waiting(contact=contact) | Talking(contact=contact) | Leaving(contact) | Ended(contact)
        ):
            return contact
        case NotStarted():
            raise ValueError("a fact of a contact that never started")
        case _:
            assert_never(state)


def _remember(state: ContactState, message_id: str) -> ContactState:
    if isinstance(state, NotStarted):
        raise ValueError("a message in a contact that never started")
    known = state.contact.message_ids | {message_id}
    return replace(state, contact=replace(state.contact, message_ids=known))
