"""Handlers of the topics this service reads."""

from __future__ import annotations

from collections.abc import Callable

from switchlog.bus.consumer import Handler
from switchlog.bus.record import Received
from switchlog.envelope import Codec

from ..app.reactions import CallbackPromised, Reactions
from ..domain.events import TicketEvent
from ..projections.contacts import ContactSeen, ContactsView
from ..projections.tickets import TicketsView

GROUP_CONTACTS = "ticketing-contacts"
GROUP_TICKETS = "ticketing-projections"
GROUP_REACTIONS = "ticketing-reactions"
NOTHING = ContactSeen()


def contacts_handler(contacts: ContactsView, read: Callable[[Received], ContactSeen]) -> Handler:
    """Whose a contact is, before anybody opens a ticket from it."""

    async def handle(received: Received) -> None:
        seen = read(received)
        if seen != NOTHING:
            await contacts.fold(received.stream, received.version, seen)

    return handle


def routing_handler(reactions: Reactions, read: Callable[[Received], CallbackPromised | None]) -> Handler:
    """Calls back that were promised."""

    async def handle(received: Received) -> None:
        fact = read(received) if received.type.endswith(".ContactOverflowed") else None
        if fact is not None:
            await reactions.when_callback_promised(fact, received)

    return handle


def tickets_handler(tickets: TicketsView, codec: Codec[TicketEvent]) -> Handler:
    """Own facts into the list."""

    async def handle(received: Received) -> None:
        event = codec.read(received.parse(codec.message))
        if event is not None:
            recorded_at = received.meta().recorded_at.ToMilliseconds()
            await tickets.fold(received.stream, received.version, recorded_at, event)

    return handle
