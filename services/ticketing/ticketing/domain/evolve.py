"""How each fact changes a ticket."""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from .events import (
    Status,
    StatusChanged,
    TicketAssigned,
    TicketClosed,
    TicketCommented,
    TicketEvent,
    TicketOpened,
    TicketReopened,
    TicketResolved,
)
from .state import Known, TicketState, Unknown

INITIAL: TicketState = Unknown()


def evolve(state: TicketState, event: TicketEvent) -> TicketState:
    """The state after ``event``."""
    match event:
        case TicketOpened(ticket=ticket, customer_ref=customer_ref, contact=contact, opened_by=opened_by):
            return Known(ticket, customer_ref, contact, opened_by, Status.OPEN)
        case TicketAssigned(_, agent, team):
            return replace(_known(state), agent=agent, team=team)
        case TicketCommented(comment_id=comment_id):
            known = _known(state)
            return replace(known, comments=known.comments | {comment_id})
        case StatusChanged(to_status=to_status):
            return replace(_known(state), status=to_status)
        case TicketResolved():
            return replace(_known(state), status=Status.RESOLVED)
        case TicketReopened():
            return replace(_known(state), status=Status.OPEN)
        case TicketClosed():
            return replace(_known(state), status=Status.CLOSED)
        case _:
            assert_never(event)


def _known(state: TicketState) -> Known:
    if isinstance(state, Unknown):
        raise ValueError("a fact of a ticket that was never opened")
    return state
