"""Facts survive the wire, and the read models repeat without harm."""

from __future__ import annotations

import pytest

from switchlog.envelope import StreamId
from switchlog.errors import NotFound
from switchlog.store.memory import MemoryStore
from ticketing import wire
from ticketing.domain import events as domain
from ticketing.domain.events import Kind, SealedText, Source, Status, TicketEvent, Visibility
from ticketing.projections.contacts import ContactSeen, ContactsView
from ticketing.projections.tickets import TicketsView

TEXT = SealedText("k", b"n", b"c")
OPENED = domain.TicketOpened("t1", "cust-1", Kind.PROBLEM, 3, TEXT, TEXT, "ann", Source.API, "c1", "q", "d")
STREAM = StreamId("acme", "ticket-t1")
CONTACT = StreamId("acme", "contact-c1")


@pytest.mark.parametrize(
    "event",
    [
        OPENED,
        domain.TicketAssigned("t1", "ann", "x", "bob"),
        domain.TicketCommented("t1", "m1", Visibility.PUBLIC, TEXT, "ann"),
        domain.StatusChanged("t1", Status.OPEN, Status.WAITING_OTHER, "r"),
        domain.TicketResolved("t1", "done", "ann"),
        domain.TicketReopened("t1", "again"),
        domain.TicketClosed("t1", "old"),
    ],
)
def test_every_fact_survives_the_wire(event: TicketEvent) -> None:
    assert wire.read(wire.CODEC.parse(wire.write(event).SerializeToString(deterministic=True))) == event


async def test_the_list_takes_each_fact_once() -> None:
    view = TicketsView(MemoryStore().views)
    await view.fold(STREAM, 1, 1000, OPENED)
    comment = domain.TicketCommented("t1", "m1", Visibility.PUBLIC, TEXT, "ann")
    for _ in range(2):
        await view.fold(STREAM, 2, 2000, comment)
    (row,) = await view.page("acme", "", 10)
    assert (row.comments, row.version, row.changed_at, row.status) == (1, 2, 2000, Status.OPEN)


async def test_a_contact_is_known_by_its_own_facts() -> None:
    view = ContactsView(MemoryStore().views)
    with pytest.raises(NotFound):
        await view.get("acme", "c1")
    await view.fold(CONTACT, 1, ContactSeen(customer_ref="cust-1"))
    await view.fold(CONTACT, 3, ContactSeen(queue="sales"))
    await view.fold(CONTACT, 5, ContactSeen(agent="ann"))
    await view.fold(CONTACT, 4, ContactSeen(queue="stale"))
    row = await view.get("acme", "c1")
    assert (row.customer_ref, row.queue, row.agents) == ("cust-1", "sales", ("ann",))
