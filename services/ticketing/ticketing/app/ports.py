"""What this service needs from elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from ..domain.events import SealedText


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
