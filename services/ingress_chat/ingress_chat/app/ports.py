"""What this service needs from elsewhere."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from switchlog.calendars import calendar

from ..domain.commands import Place
from ..domain.events import SealedText, SkillRequirement


@dataclass(frozen=True, slots=True)
class Holiday:
    """A date with spans of its own; none: closed."""

    name: str = ""
    spans: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class EntryPoint:
    """A public door: who stands behind it (``tenant``), where its contacts wait, who may embed it.

    ``declared_attributes`` are the only attribute keys a visitor may set; ``reconnect_grace_s`` is how long a visitor
    whose connection was lost is waited for. Outside ``hours`` (an id; empty: always open) who comes is told so
    (``when_closed`` = end), may leave a message, or waits in ``closed_queue`` (queue; none: in ``queue`` all the same).
    The agent who served a returning visitor within the last ``last_agent_days`` (0: nobody) is preferred, for
    ``last_agent_wait_s`` seconds (0: as the queue says).
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
    hours: str = ""
    when_closed: str = "end"
    closed_queue: str = ""
    last_agent_days: int = 0
    last_agent_wait_s: int = 0


@dataclass(frozen=True, slots=True)
class Hours:
    """Opening hours in words: spans such as ``09:00-12:30`` by week day and, in their stead, by date."""

    tenant: str
    id: str
    time_zone: str
    name: str = ""
    weekly: dict[str, list[str]] = field(default_factory=dict)
    holidays: dict[str, Holiday] = field(default_factory=dict)

    def is_open(self, at: int) -> bool:
        """At ``at``, epoch milliseconds."""
        dates = {date: holiday.spans for date, holiday in self.holidays.items()}
        return calendar(self.time_zone, self.weekly, dates).is_open(at)


class OpeningHours(Protocol):
    """Raises ``NotFound`` for an unknown id."""

    async def get(self, tenant: str, id: str) -> Hours: ...

    async def put(self, hours: Hours, now: int) -> None: ...

    async def all(self, tenant: str) -> list[Hours]: ...


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
    """A queue as routing published it; of two rows the greater ``revision`` counts.

    ``open``: it takes newcomers, or has a rule of its own for those who come when it is closed; ``takes_channel``: it
    takes contacts of this service.
    """

    tenant: str
    queue: str
    pool: str
    open: bool
    revision: int
    required_skills: tuple[SkillRequirement, ...] = ()
    priority: int = 0
    takes_channel: bool = True


class Queues(Protocol):
    """Where a queue's contacts wait, as routing published it; raises ``NotNow`` until its table was read once."""

    def place(self, tenant: str, queue: str, priority: int = 0) -> Place:
        """Raises ``Rejected``: ``QUEUE_UNKNOWN``, ``QUEUE_CLOSED`` or ``CHANNEL_NOT_TAKEN``."""
        ...

    def moved_to(self, tenant: str, queue: str, pool: str, priority: int = 0) -> Place:
        """Where routing itself has moved a contact: taken there even when the queue is closed by now."""
        ...


@dataclass(frozen=True, slots=True)
class LastAgent:
    """Who served a person last, and when they were connected (epoch milliseconds)."""

    agent: str
    served_at: int


class Customers(Protocol):
    """References to people; never who they are."""

    async def by_browser(self, tenant: str, secret: str, cause: str) -> str:
        """The reference of who comes with this ``secret``; without one a new one, the same for the same ``cause``."""
        ...

    async def last_agent(self, tenant: str, customer_ref: str) -> LastAgent | None:
        """Who served this person last, over any channel."""
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
