"""The rule book of a ticket, given / when / then."""

from __future__ import annotations

import pytest

from switchlog.testing import DeciderTest
from ticketing.domain.commands import AssignTicket, ChangeStatus, CommentTicket, OpenTicket
from ticketing.domain.decide import TICKET
from ticketing.domain.events import (
    Kind,
    SealedText,
    Source,
    Status,
    StatusChanged,
    TicketAssigned,
    TicketClosed,
    TicketCommented,
    TicketOpened,
    TicketReopened,
    TicketResolved,
    Visibility,
)

NOW = 1_750_000_000_000
TEXT = SealedText("k", b"n", b"c")
ticket = DeciderTest(TICKET)
opened = TicketOpened("t1", "cust-1", Kind.QUESTION, 0, TEXT, None, "ann", Source.CONTACT, "c1", "sales")
command = OpenTicket("t1", "cust-1", Kind.QUESTION, 0, TEXT, None, "ann", Source.CONTACT, "c1", "sales")


def to(status: Status) -> ChangeStatus:
    return ChangeStatus(status, "ann", "why")


def test_a_ticket_is_opened_once() -> None:
    """TK-1"""
    ticket.given().when(command, NOW).then(opened)
    ticket.given(opened).when(command, NOW).then()


def test_a_resent_comment_is_said_once() -> None:
    comment = CommentTicket("m1", Visibility.INTERNAL, TEXT, "ann")
    said = TicketCommented("t1", "m1", Visibility.INTERNAL, TEXT, "ann")
    ticket.given(opened).when(comment, NOW).then(said)
    ticket.given(opened, said).when(comment, NOW).then()


def test_assigning_names_who_had_it() -> None:
    first = TicketAssigned("t1", "ann", "x")
    ticket.given(opened).when(AssignTicket("ann", "x"), NOW).then(first)
    ticket.given(opened, first).when(AssignTicket("bob", "x"), NOW).then(TicketAssigned("t1", "bob", "x", "ann"))
    ticket.given(opened, first).when(AssignTicket("ann", "x"), NOW).then()


def test_the_way_of_a_ticket() -> None:
    moved = StatusChanged("t1", Status.OPEN, Status.IN_PROGRESS, "why")
    ticket.given(opened).when(to(Status.IN_PROGRESS), NOW).then(moved)
    solved = TicketResolved("t1", "why", "ann")
    ticket.given(opened, moved).when(to(Status.RESOLVED), NOW).then(solved)
    ticket.given(opened, moved, solved).when(to(Status.OPEN), NOW).then(TicketReopened("t1", "why"))
    ticket.given(opened, moved, solved).when(to(Status.CLOSED), NOW).then(TicketClosed("t1", "why"))


@pytest.mark.parametrize("status", [Status.IN_PROGRESS, Status.RESOLVED, Status.WAITING_CUSTOMER])
def test_a_closed_ticket_is_opened_before_it_moves(status: Status) -> None:
    closed = TicketClosed("t1", "why")
    ticket.given(opened, closed).when(to(status), NOW).then_rejected("TICKET_CLOSED")
    ticket.given(opened, closed).when(to(Status.CLOSED), NOW).then()


def test_nothing_happens_to_a_ticket_that_was_never_opened() -> None:
    ticket.given().when(to(Status.OPEN), NOW).then_rejected("TICKET_UNKNOWN")
