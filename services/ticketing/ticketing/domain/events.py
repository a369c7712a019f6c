"""What happens to a ticket, as facts in the past tense."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    OPEN = "open"
    IN_PROGRESS = "in_progress"
    WAITING_CUSTOMER = "waiting_customer"
    WAITING_OTHER = "waiting_other"
    RESOLVED = "resolved"
    CLOSED = "closed"


class Kind(StrEnum):
    QUESTION = "question"
    PROBLEM = "problem"
    REQUEST = "request"
    COMPLAINT = "complaint"
    CALLBACK = "callback"


class Visibility(StrEnum):
    PUBLIC = "public"
    INTERNAL = "internal"


class Source(StrEnum):
    CONTACT = "contact"
    API = "api"
    ROUTING = "routing"


@dataclass(frozen=True, slots=True)
class SealedText:
    """Text under the customer's key; only ``switchlog.seal`` reads it."""

    key_id: str
    nonce: bytes
    ciphertext: bytes


@dataclass(frozen=True, slots=True)
class TicketOpened:
    """``contact`` is empty for a ticket that no conversation led to."""

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
class TicketAssigned:
    ticket: str
    agent: str
    team: str = ""
    from_agent: str = ""


@dataclass(frozen=True, slots=True)
class TicketCommented:
    ticket: str
    comment_id: str
    visibility: Visibility
    body: SealedText
    author: str


@dataclass(frozen=True, slots=True)
class StatusChanged:
    ticket: str
    from_status: Status
    to_status: Status
    reason: str = ""


@dataclass(frozen=True, slots=True)
class TicketResolved:
    ticket: str
    resolution: str
    resolved_by: str


@dataclass(frozen=True, slots=True)
class TicketReopened:
    ticket: str
    reason: str


@dataclass(frozen=True, slots=True)
class TicketClosed:
    ticket: str
    reason: str


TicketEvent = (
    TicketOpened | TicketAssigned | TicketCommented | StatusChanged | TicketResolved | TicketReopened | TicketClosed
)
