"""What this service needs from elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from ..domain.commands import Place
from ..domain.events import SealedText, SkillRequirement


@dataclass(frozen=True, slots=True)
class EntryPoint:
    """A public door: who stands behind it (``tenant``), where its contacts wait, who may embed it.

    ``declared_attributes`` are the only attribute keys a visitor may set; ``reconnect_grace_s`` is how long a visitor
    whose connection was lost is waited for.
    """

    tenant: str
    id: str
    site_key: str
    queue: str
    name: str = ""
    allowed_origins: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    declared_attributes: tuple[str, ...] = ()
    priority: int = 0
    reconnect_grace_s: float = 60.0


class EntryPoints(Protocol):
    """Raises ``NotFound`` for an unknown site key or id."""

    async def by_site_key(self, site_key: str) -> EntryPoint: ...

    async def get(self, tenant: str, id: str) -> EntryPoint: ...

    async def put(self, entry_point: EntryPoint, now: int) -> None:
        """Raises ``Rejected("SITE_KEY_TAKEN")`` when another entry point has the site key."""
        ...

    async def all(self, tenant: str) -> list[EntryPoint]: ...


@dataclass(frozen=True, slots=True)
class QueueRow:
    """A queue as routing published it; of two rows the greater ``revision`` counts."""

    tenant: str
    queue: str
    pool: str
    open: bool
    revision: int
    required_skills: tuple[SkillRequirement, ...] = ()
    priority: int = 0


class Queues(Protocol):
    """Where a queue's contacts wait, as routing published it; raises ``NotNow`` until its table was read once."""

    def place(self, tenant: str, queue: str, priority: int = 0) -> Place:
        """Raises ``Rejected("QUEUE_UNKNOWN")`` or ``Rejected("QUEUE_CLOSED")``."""
        ...

    def moved_to(self, tenant: str, queue: str, pool: str) -> Place:
        """Where routing itself has moved a contact: taken there even when the queue is closed by now."""
        ...


class Customers(Protocol):
    """References to people; never who they are."""

    async def anonymous(self, tenant: str, cause: str) -> str:
        """A new customer reference, the same for the same ``cause``."""
        ...


class Sealer(Protocol):
    """Text under a customer's key. ``field`` is ``<fact>.<field>``; raises ``Erased`` once the key is gone."""

    def expect(self, tenant: str, customer_ref: str) -> None:
        """Text of this customer will come soon: have the key at hand."""
        ...

    async def seal(self, tenant: str, customer_ref: str, field: str, text: bytes) -> SealedText: ...

    async def open(self, tenant: str, customer_ref: str, field: str, sealed: SealedText) -> bytes: ...


class Attachments(Protocol):
    """Sealed files in an object store."""

    async def put(self, tenant: str, name: str, sealed: bytes) -> None: ...

    async def get(self, tenant: str, name: str) -> bytes:
        """Raises ``NotFound``."""
        ...
