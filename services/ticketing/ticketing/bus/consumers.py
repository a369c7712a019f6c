"""Handlers of the topics this service reads."""

from __future__ import annotations

from collections.abc import Callable

from switchlog.bus.consumer import Handler
from switchlog.bus.record import Raw, Received, read_event
from switchlog.bus.tail import Take
from switchlog.envelope import Codec
from switchlog.errors import Poison
from switchlog.seal import SubjectKeys

from ..domain.events import TicketEvent
from ..projections.contacts import ContactSeen, ContactsView
from ..projections.tickets import TicketsView

GROUP_CONTACTS = "ticketing-contacts"
GROUP_TICKETS = "ticketing-projections"
NOTHING = ContactSeen()


def contacts_handler(contacts: ContactsView, read: Callable[[Received], ContactSeen]) -> Handler:
    """Whose a contact is, before anybody opens a ticket from it."""

    async def handle(received: Received) -> None:
        seen = read(received)
        if seen != NOTHING:
            await contacts.fold(received.stream, received.version, seen)

    return handle


def tickets_handler(tickets: TicketsView, codec: Codec[TicketEvent]) -> Handler:
    """Own facts into the list."""

    async def handle(received: Received) -> None:
        event = codec.read(received.parse(codec.message))
        if event is not None:
            recorded_at = received.meta().recorded_at.ToMilliseconds()
            await tickets.fold(received.stream, received.version, recorded_at, event)

    return handle


def forgetter(keys: SubjectKeys, read: Callable[[Received], str | None]) -> Take:
    """Drops the key of an erased customer at once."""

    def take(raw: Raw) -> None:
        try:
            received = read_event(raw)
            customer_ref = read(received)
        except Poison:
            return
        if customer_ref is not None:
            keys.drop(received.stream.tenant, customer_ref)

    return take
