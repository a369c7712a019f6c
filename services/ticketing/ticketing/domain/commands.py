"""What may be asked of a ticket."""

from __future__ import annotations

from dataclasses import dataclass

from .events import Kind, SealedText, Source, Status, Visibility


@dataclass(frozen=True, slots=True)
class OpenTicket:
    ticket: str
    customer_ref: str
    kind: Kind
    priority: int
    subject: SealedText
    body: SealedText | None
    opened_by: str
    source: Source
    contact: str = ""
    queue: str = ""
    department: str = ""


@dataclass(frozen=True, slots=True)
class AssignTicket:
    agent: str
    team: str = ""


@dataclass(frozen=True, slots=True)
class CommentTicket:
    comment_id: str
    visibility: Visibility
    body: SealedText
    author: str


@dataclass(frozen=True, slots=True)
class ChangeStatus:
    """``reason`` is a short id of configuration, never a person's words."""

    to_status: Status
    by: str
    reason: str = ""


TicketCommand = OpenTicket | AssignTicket | CommentTicket | ChangeStatus
