"""What the owner of pools needs from outside, and what it is given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from switchlog.envelope import Cause, Row, StreamId

from ..domain.commands import Input


@dataclass(frozen=True, slots=True)
class Arrived:
    """An input of ``pool`` and why it is given; ``offset`` is its place in the inbox, -1 for a timer."""

    pool: StreamId
    item: Input
    cause: Cause
    offset: int = -1


class Bus(Protocol):
    """Whether the bus is there; nothing is offered and nothing expires while it is not."""

    def time(self) -> float:
        """Monotonic seconds during which the bus was there: it stands still in an outage, and so do deadlines."""
        ...

    def lost_since(self, at: int) -> int:
        """Milliseconds since ``at`` (epoch milliseconds) during which the bus was away, as this process knows it."""
        ...

    async def wait_up(self) -> None:
        """Returns once the bus is there."""
        ...

    async def alive(self) -> bool:
        """Ask it now, at most a second; an outage begins when it does not answer."""
        ...


class Told(Protocol):
    """Somebody who listens to what was just appended."""

    def __call__(self, stream: StreamId, head: int, rows: Sequence[Row]) -> None: ...


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of an order: ``reason`` (``detail``: in words) is empty unless refused; ``digest``: the request's."""

    stream: str
    version: int
    reason: str = ""
    digest: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class QueueRow:
    """A queue and the pool it is in; ``version`` is that of the pool's stream."""

    queue: str
    pool: str
    version: int
    definition: bytes


@dataclass(frozen=True, slots=True)
class OfferRow:
    """An offer as last seen. Times are epoch milliseconds; ``version`` is that of the pool's stream."""

    offer_id: str
    state: str
    contact: str
    leg: int
    queue: str
    pool: str
    agent: str
    version: int
    channel: str = ""
    offered_at: int = 0
    expires_at: int = 0
    queued_at: int = 0


class Answers(Protocol):
    async def fold(self, stream: StreamId, rows: Sequence[Row]) -> None:
        """Keep the answers among ``rows``; repeating it changes nothing."""
        ...

    def answer_in(self, stream: StreamId, row: Row) -> tuple[str, Answer] | None:
        """The command that ``row`` answers, and how."""
        ...

    async def get(self, tenant: str, command_id: str) -> Answer | None:
        """The answer, if given within a day."""
        ...


class Days(Protocol):
    async def put(self, pool: StreamId, date: str, version: int) -> None:
        """``date`` begins with the complete chapter at ``version``."""
        ...

    async def latest(self, pool: StreamId) -> int:
        """The version at which the last day begins; 0 when none is known."""
        ...


class Queues(Protocol):
    async def get(self, tenant: str, queue: str) -> QueueRow | None: ...

    async def all(self, tenant: str, after: str = "", limit: int = 100) -> list[QueueRow]: ...


class Pools(Protocol):
    async def all(self) -> list[StreamId]:
        """Every tenant's."""
        ...


class Offers(Protocol):
    async def get(self, tenant: str, offer_id: str) -> OfferRow | None: ...

    async def of_agent(self, tenant: str, agent: str) -> list[OfferRow]:
        """The open ones, oldest first."""
        ...


class Reading(Protocol):
    """How far the read models have read; both raise ``NotNow`` while the bus is away."""

    async def mark(self) -> Mapping[Any, int]:
        """Where the log ends now."""
        ...

    async def has_read(self, mark: Mapping[Any, int]) -> bool:
        """Whether all that stood before ``mark`` is in the models."""
        ...


class Fenced(Exception):
    """Another owner has taken the pool."""
