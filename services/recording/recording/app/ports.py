"""What this service needs from elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class SealedText:
    """Text under the customer's key; only ``switchlog.seal`` reads it."""

    key_id: str
    nonce: bytes
    ciphertext: bytes


@dataclass(frozen=True, slots=True)
class Line:
    """One message of a conversation as it was published; ``field`` is the place its text was sealed for."""

    version: int
    leg: int
    message_id: str
    side: str
    sender: str
    kind: str
    at_ms: int
    field: str
    body: SealedText | None
    attachment_ref: str


class Lines(Protocol):
    """The messages of open contacts, kept sealed until their leg ends."""

    async def customer(self, tenant: str, contact: str) -> str:
        """The reference; raises ``NotFound``."""
        ...

    async def began(self, tenant: str, contact: str, leg: int, at_ms: int, version: int) -> None:
        """Leg ``leg`` has an agent since ``at_ms``."""
        ...

    async def began_at(self, tenant: str, contact: str, leg: int) -> int | None:
        """Epoch milliseconds; ``None`` when its beginning was not seen."""
        ...

    async def of_leg(self, tenant: str, contact: str, leg: int) -> list[Line]:
        """In order; what was said while nobody had the contact belongs to the leg that an agent takes next."""
        ...


class Sealer(Protocol):
    """Text under a customer's key. ``field`` is ``<fact>.<field>``; raises ``Erased`` once the key is gone."""

    async def seal(self, tenant: str, customer_ref: str, field: str, text: bytes) -> SealedText: ...

    async def open(self, tenant: str, customer_ref: str, field: str, sealed: SealedText) -> bytes: ...


class Objects(Protocol):
    """An object store."""

    async def put(self, name: str, content: bytes) -> None: ...

    async def get(self, name: str) -> bytes:
        """Raises ``NotFound``."""
        ...

    async def delete(self, name: str) -> None:
        """Nothing to do when it is gone."""
        ...
