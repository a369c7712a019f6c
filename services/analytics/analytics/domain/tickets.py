"""A ticket as its own stream tells it: responses, resolutions, complaints, and what tells a first-contact resolution.

Each function takes the ticket, the list that contributions go to and when it happened (epoch milliseconds).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from analytics.domain.counters import DAY, Contribution
from analytics.domain.levels import COHORT, EVENT, group, quarter

Out = list[Contribution]

WINDOW_MS = 7 * 24 * 3600 * 1000
"""W: a ticket is resolved once and for all when no repeat comes within it."""


@dataclass(slots=True)
class Ticket:
    """``begun`` is when it was opened, or reopened last; ``asked_at`` as in ``Contact``.

    ``resolved_at`` is the first resolution, ``reopened_at`` the first reopening after it, -1: none. ``opened_at`` is
    -1 while only later facts are known: nothing is counted of such a ticket. ``seen``, ``version`` as in ``Contact``.
    """

    ticket: str
    queue: str = ""
    channel: str = "unspecified"
    customer: str = ""
    topic: str = ""
    opened_at: int = -1
    begun: int = -1
    answered: bool = False
    asked_at: int = -1
    complaint: bool = False
    resolved_at: int = -1
    resolved_by: str = ""
    reopened_at: int = -1
    seen: int = 0
    version: int = 0


def opened(
    ticket: Ticket, out: Out, at: int, queue: str, channel: str, customer: str, topic: str, complaint: bool
) -> None:
    ticket.queue, ticket.channel, ticket.customer, ticket.topic = queue, channel, customer, topic
    ticket.opened_at = ticket.begun = at
    _count(ticket, out, at, "tickets_opened", 1)
    if complaint:
        complained(ticket, out, at, "", False)


def complained(ticket: Ticket, out: Out, at: int, about: str, withdrawn: bool) -> None:
    """It is a complaint from now on, or is none after all."""
    if ticket.opened_at >= 0 and ticket.complaint == withdrawn:
        ticket.complaint = not withdrawn
        _count(ticket, out, at, "complaints", -1 if withdrawn else 1, about)


def commented(ticket: Ticket, out: Out, at: int, author: str, automatic: bool) -> None:
    """A public comment; without ``author`` it is the customer's word."""
    if ticket.opened_at < 0 or (author and automatic):
        return
    if not author:
        ticket.asked_at = at if ticket.asked_at < 0 else ticket.asked_at
        return
    asked_at, ticket.asked_at = ticket.asked_at, -1
    if not ticket.answered:
        ticket.answered = True
        _count(ticket, out, at, "first_response", max(0, at - ticket.begun), author)
    elif asked_at >= 0:
        _count(ticket, out, at, "next_response", max(0, at - asked_at), author)


def resolved(ticket: Ticket, out: Out, at: int, by: str) -> None:
    if ticket.opened_at < 0:
        return
    _count(ticket, out, at, "resolution", max(0, at - ticket.begun), by)
    if ticket.resolved_at < 0:
        ticket.resolved_at, ticket.resolved_by = at, by


def reopened(ticket: Ticket, out: Out, at: int) -> None:
    """The clocks begin anew."""
    if ticket.opened_at < 0:
        return
    ticket.begun, ticket.answered, ticket.asked_at = at, False, -1
    if ticket.resolved_at >= 0 and ticket.reopened_at < 0:
        ticket.reopened_at = at
    _count(ticket, out, at, "reopened", 1)


def _count(ticket: Ticket, out: Out, at: int, name: str, amount: int, agent: str = "") -> None:
    key = group(ticket.channel, agent)
    out.append((COHORT, ticket.queue, quarter(ticket.opened_at), key, name, amount))
    out.append((EVENT, ticket.queue, quarter(at), key, name, amount))
    if agent:
        out.append((DAY, agent, quarter(at), "", name, amount))


# --- first-contact resolution, of all tickets of one customer --------------------------------------------------------


def repeated(ticket: Ticket, others: Iterable[Ticket], window_ms: int = WINDOW_MS) -> bool:
    """Whether the resolved ``ticket`` came back within the window: reopened, or as another one of its customer."""
    until = ticket.resolved_at + window_ms
    if 0 <= ticket.reopened_at <= until:
        return True
    return any(
        other.ticket != ticket.ticket
        and (other.customer, other.topic) == (ticket.customer, ticket.topic)
        and ticket.opened_at < other.opened_at <= until
        for other in others
    )


def settled(ticket: Ticket, now: int, window_ms: int = WINDOW_MS) -> bool:
    """Whether its window has passed: ``repeated`` will not change any more."""
    return now > ticket.resolved_at + window_ms
