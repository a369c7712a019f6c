"""A ticket is unknown or known; a known one has a status."""

from __future__ import annotations

from dataclasses import dataclass

from .events import Status


@dataclass(frozen=True, slots=True)
class Unknown:
    pass


@dataclass(frozen=True, slots=True)
class Known:
    """``comments`` are the ids of comments made, so that a resend is harmless."""

    ticket: str
    customer_ref: str
    contact: str
    opened_by: str
    status: Status
    agent: str = ""
    team: str = ""
    comments: frozenset[str] = frozenset()


TicketState = Unknown | Known
