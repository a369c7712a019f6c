"""What this service needs from elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from ..domain.events import SealedText, Status


@dataclass(frozen=True, slots=True)
class ContactRow:
    """What is known here of a contact, from its own facts: whose it is, where it was, who had it."""

    contact: str
    customer_ref: str
    queue: str = ""
    agents: tuple[str, ...] = ()


class Contacts(Protocol):
    async def get(self, tenant: str, contact: str) -> ContactRow:
        """Raises ``NotFound``."""
        ...


class Sealer(Protocol):
    """Text under a customer's key. ``field`` is ``<fact>.<field>``; raises ``Erased`` once the key is gone."""

    async def seal(self, tenant: str, customer_ref: str, field: str, text: bytes) -> SealedText: ...

    async def open_text(self, tenant: str, customer_ref: str, field: str, sealed: SealedText) -> str | None:
        """``None`` once the customer is erased."""
        ...


@dataclass(frozen=True, slots=True)
class TicketRow:
    """``version`` is the ticket's own, for If-Match; times in epoch milliseconds."""

    ticket: str
    version: int
    status: Status
    kind: str
    priority: int
    contact: str
    customer_ref: str
    queue: str
    opened_by: str
    opened_at: int
    changed_at: int
    agent: str = ""
    team: str = ""
    comments: int = 0


class TicketList(Protocol):
    """Rows without any text, in order of tickets' ids."""

    async def page(self, tenant: str, after: str, limit: int) -> list[TicketRow]: ...
