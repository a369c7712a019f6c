"""The demo's figures are those of its own tenant."""

from __future__ import annotations

from contactcenter.contact.v1.events_pb2 import ContactEvent, ContactStarted
from switchlog.bus.record import Kept
from switchlog_local.demo.observer import CONTACTS, Counts
from switchlog_local.demo.plan import TENANT


def started(tenant: str) -> Kept:
    event = ContactEvent(contact_started=ContactStarted())
    return Kept(CONTACTS, 0, 0, f"{tenant}/contact-1".encode(), event.SerializeToString(), ())


def test_other_tenants_on_the_same_topics_are_not_counted() -> None:
    counts = Counts()
    for tenant in (TENANT, "seeded", f"{TENANT}2"):
        counts.take(started(tenant))
    assert counts.facts == {"contact_started": 1}
