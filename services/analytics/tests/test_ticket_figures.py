"""Responses, resolutions and complaints of tickets, and what tells a first-contact resolution (TK-5)."""

from __future__ import annotations

from analytics.domain.tickets import WINDOW_MS, Ticket, repeated, settled
from analytics.projections.rows import StoredRows
from contactcenter.contact.v1.types_pb2 import CHANNEL_CHAT
from contactcenter.ticket.v1 import events_pb2 as pb
from switchlog.store.memory import MemoryStore

from .folds import deliver
from .people import People, counted, opened
from .scene import NOON, TENANT, S

MIN = 60 * S
Q = 15 * MIN
PUBLIC, INTERNAL = pb.COMMENT_VISIBILITY_PUBLIC, pb.COMMENT_VISIBILITY_INTERNAL


def a_ticket() -> People:
    """Opened, answered (a robot first), asked and answered again, resolved, reopened, answered, resolved."""
    log = People("ticket")
    opened_ = pb.TicketOpened(ticket="t1", queue="sales", channel=CHANNEL_CHAT, customer_ref="cu", topic="billing")
    log.say(NOON, "t1", ticket_opened=opened_)
    log.say(NOON + MIN, "t1", ticket_commented=pb.TicketCommented(visibility=PUBLIC, author="bot", automatic=True))
    log.say(NOON + 2 * MIN, "t1", ticket_commented=pb.TicketCommented(visibility=INTERNAL, author="ann"))
    log.say(NOON + 10 * MIN, "t1", ticket_commented=pb.TicketCommented(visibility=PUBLIC, author="ann"))
    log.say(NOON + 20 * MIN, "t1", ticket_commented=pb.TicketCommented(visibility=PUBLIC))
    log.say(NOON + 23 * MIN, "t1", ticket_commented=pb.TicketCommented(visibility=PUBLIC, author="bob"))
    log.say(NOON + 30 * MIN, "t1", ticket_resolved=pb.TicketResolved(resolved_by="bob"))
    log.say(NOON + 40 * MIN, "t1", ticket_reopened=pb.TicketReopened())
    log.say(NOON + 44 * MIN, "t1", ticket_commented=pb.TicketCommented(visibility=PUBLIC, author="ann"))
    log.say(NOON + 45 * MIN, "t1", ticket_resolved=pb.TicketResolved(resolved_by="ann"))
    log.say(NOON + 50 * MIN, "t1", complaint_marked=pb.ComplaintMarked(about_agent="bob"))
    return log


async def folded(log: People):
    views = MemoryStore().views
    await deliver(await opened(views, log), log.records, 3)
    return views


async def test_responses_and_resolutions_begin_anew_when_a_ticket_is_reopened() -> None:
    found = await counted(await folded(a_ticket()), "cohort")
    assert found == {
        ("sales", NOON, "chat//"): {"tickets_opened": 1, "reopened": 1},
        ("sales", NOON, "chat/ann/"): {
            "first_responses": 2, "first_response_ms": 14 * MIN, "resolutions": 1, "resolution_ms": 5 * MIN,
        },
        ("sales", NOON, "chat/bob/"): {
            "next_responses": 1, "next_response_ms": 3 * MIN, "resolutions": 1, "resolution_ms": 30 * MIN,
            "complaints": 1,
        },
    }  # fmt: skip


async def test_in_event_attribution_each_counts_when_it_happened() -> None:
    found = await counted(await folded(a_ticket()), "event")
    assert found["sales", NOON + 2 * Q, "chat/bob/"] == {"resolutions": 1, "resolution_ms": 30 * MIN}
    assert found["sales", NOON + 3 * Q, "chat/bob/"] == {"complaints": 1}
    assert found["sales", NOON, "chat/ann/"] == {"first_responses": 1, "first_response_ms": 10 * MIN}


async def test_a_complaint_that_is_withdrawn_is_none_and_one_marked_twice_is_one() -> None:
    log = People("ticket")
    log.say(NOON, "t1", ticket_opened=pb.TicketOpened(queue="sales", kind=pb.TICKET_KIND_COMPLAINT))
    log.say(NOON, "t1", complaint_marked=pb.ComplaintMarked())
    assert (await counted(await folded(log), "cohort"))["sales", NOON, "unspecified//"]["complaints"] == 1
    log.say(NOON, "t1", complaint_marked=pb.ComplaintMarked(withdrawn=True))
    assert "complaints" not in (await counted(await folded(log), "cohort"))["sales", NOON, "unspecified//"]


async def test_resolved_tickets_are_found_by_queue_and_time_and_by_customer() -> None:
    rows = StoredRows(await folded(a_ticket()), "s1", "g")
    resolved = [one async for one in rows.resolved(TENANT, "sales", NOON, NOON + 4 * Q)]
    assert [(one.ticket, one.resolved_at - NOON, one.reopened_at - NOON) for one in resolved] == [
        ("t1", 30 * MIN, 40 * MIN)
    ]
    assert await rows.cases(TENANT, "cu") == resolved


def test_a_ticket_is_resolved_at_first_contact_unless_it_or_its_topic_comes_back_within_the_window() -> None:
    ticket = Ticket("t1", customer="cu", topic="billing", opened_at=0, resolved_at=100)
    other = Ticket("t2", customer="cu", topic="billing", opened_at=100 + WINDOW_MS)
    assert repeated(ticket, [ticket, other])
    other.opened_at += 1
    assert not repeated(ticket, [ticket, other])
    assert not repeated(ticket, [Ticket("t3", customer="cu", topic="delivery", opened_at=200)])
    assert not repeated(ticket, [Ticket("t0", customer="cu", topic="billing", opened_at=0)])
    ticket.reopened_at = 100 + WINDOW_MS
    assert repeated(ticket, [])
    assert not settled(ticket, 100 + WINDOW_MS) and settled(ticket, 101 + WINDOW_MS)
