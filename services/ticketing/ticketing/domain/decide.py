"""What a ticket answers to each command."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from switchlog.decider import Decider, Rejected

from .commands import AssignTicket, ChangeStatus, CommentTicket, OpenTicket, TicketCommand
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
from .evolve import INITIAL, evolve
from .state import Known, TicketState, Unknown

MAX_COMMENTS = 5_000


def decide(command: TicketCommand, state: TicketState, now: int) -> Sequence[TicketEvent]:
    """The facts that ``command`` causes; ``[]`` when it is already true; raises ``Rejected``."""
    match command, state:
        case OpenTicket(), Unknown():
            return [_opened(command)]
        case OpenTicket(), _:
            return []
        case _, Unknown():
            raise Rejected("TICKET_UNKNOWN")
        case AssignTicket(agent, team), Known():
            return _assign(agent, team, state)
        case CommentTicket(comment_id, visibility, body, author), Known():
            if comment_id in state.comments:
                return []
            if len(state.comments) >= MAX_COMMENTS:
                raise Rejected("TOO_MANY_COMMENTS")
            return [TicketCommented(state.ticket, comment_id, visibility, body, author)]
        case ChangeStatus(), Known():
            return _move(command, state)
        case _:
            assert_never(command)


def _opened(command: OpenTicket) -> TicketOpened:
    return TicketOpened(
        command.ticket,
        command.customer_ref,
        command.kind,
        command.priority,
        command.subject,
        command.body,
        command.opened_by,
        command.source,
        command.contact,
        command.queue,
        command.department,
    )


def _assign(agent: str, team: str, state: Known) -> Sequence[TicketEvent]:
    if state.status is Status.CLOSED:
        raise Rejected("TICKET_CLOSED")
    if (state.agent, state.team) == (agent, team):
        return []
    return [TicketAssigned(state.ticket, agent, team, state.agent)]


def _move(command: ChangeStatus, state: Known) -> Sequence[TicketEvent]:
    match state.status, command.to_status:
        case before, after if before is after:
            return []
        case Status.CLOSED, Status.OPEN:
            return [TicketReopened(state.ticket, command.reason)]
        case Status.CLOSED, _:
            raise Rejected("TICKET_CLOSED", "open it again first")
        case _, Status.CLOSED:
            return [TicketClosed(state.ticket, command.reason)]
        case _, Status.RESOLVED:
            return [TicketResolved(state.ticket, command.reason, command.by)]
        case Status.RESOLVED, Status.OPEN:
            return [TicketReopened(state.ticket, command.reason)]
        case Status.RESOLVED, _:
            raise Rejected("TICKET_RESOLVED", "open it again first")
        case before, after:
            return [StatusChanged(state.ticket, before, after, command.reason)]


TICKET: Decider[TicketCommand, TicketState, TicketEvent] = Decider(INITIAL, decide, evolve)
