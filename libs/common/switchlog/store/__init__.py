"""What a store must do: one contract suite for memory, SQLite and Cassandra; kernel rules by number."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from switchlog.envelope import Row, StreamId


@dataclass(frozen=True, slots=True)
class Pending:
    """A stream that may hold unpublished events; ``token`` is the store's own note on why it thinks so (a mark)."""

    stream: StreamId
    token: object = None


@dataclass(frozen=True, slots=True)
class Timer:
    """Something due: ``kind`` and ``payload`` are the service's own words; ``id`` is unique within the stream."""

    stream: StreamId
    id: str
    kind: str
    due_at: int
    payload: bytes = b""


@dataclass(frozen=True, slots=True)
class TimerSet:
    """An event started this timer."""

    timer: Timer


@dataclass(frozen=True, slots=True)
class TimerCleared:
    """An event made the timer pointless."""

    stream: StreamId
    id: str


TimerChange = TimerSet | TimerCleared
TimersOf = Callable[[StreamId, Row], Sequence[TimerChange]]


def no_timers(stream: StreamId, row: Row) -> Sequence[TimerChange]:
    """For services whose events start no timer."""
    return ()


class EventStore(Protocol):
    """The log (kernel rules 1-5) and how far it is published (rules 8-11)."""

    async def append(self, stream: StreamId, expected: int, batch_id: str, rows: Sequence[Row]) -> int:
        """One conditional write, all rows or none; returns the new head.

        Repeating the identical batch returns the same head. Raises ``VersionConflict`` (nothing written),
        ``OutcomeUnknown`` (may or may not stand) or ``NotNow`` (nothing written).
        """
        ...

    async def read(self, stream: StreamId, after: int = 0, limit: int | None = None) -> list[Row]:
        """Rows with version > ``after`` in order; ``[]`` for an unknown stream."""
        ...

    async def read_serial(self, stream: StreamId, version: int) -> Row | None:
        """The row at ``version``, linearizable with appends: settles an unknown outcome."""
        ...

    async def head(self, stream: StreamId) -> int:
        """The last version, linearizable with appends; 0 for an unknown stream."""
        ...

    async def watermark(self, stream: StreamId) -> int:
        """Everything up to here is published."""
        ...

    async def published(self, stream: StreamId, version: int) -> None:
        """Raise the watermark (a max register); timers of the rows up to ``version`` are durable before (rule 16)."""
        ...

    async def lower_watermark(self, stream: StreamId, version: int) -> None:
        """Publish again from ``version + 1`` (rule 13)."""
        ...

    async def pending(self, limit: int = 1000) -> list[Pending]:
        """For the sweeper: streams that a crash may have left unpublished and that are due for a look."""
        ...

    async def settle(self, pending: Pending) -> None:
        """After a pass over ``pending.stream``: forget the note if rule 10 allows it, else look again later."""
        ...

    async def streams(self, tenant: str | None = None, after: str = "", limit: int = 1000) -> list[StreamId]:
        """Known streams in key order after key ``after``, for rebuilds and comparisons (slow, complete)."""
        ...


@dataclass(frozen=True, slots=True)
class ViewRow:
    """One row of a read model and the stream version (or offset) that it reflects."""

    key: str
    value: bytes
    version: int


class ViewStore(Protocol):
    """Read models: derived, rebuildable, each row guarded by a version (rule 17)."""

    async def put(self, view: str, partition: str, key: str, value: bytes, version: int) -> None:
        """Write unless a row with the same or a higher version stands."""
        ...

    async def put_many(self, view: str, rows: Sequence[tuple[str, str, bytes, int]]) -> None:
        """``(partition, key, value, version)`` rows, each as by ``put``; durable when this returns."""
        ...

    async def get(self, view: str, partition: str, key: str) -> ViewRow | None: ...

    async def scan(self, view: str, partition: str, after: str = "", limit: int = 1000) -> list[ViewRow]:
        """Rows in key order after ``after``."""
        ...

    async def delete(self, view: str, partition: str, key: str, version: int) -> None:
        """Remove the row unless a higher version stands; an older ``put`` arriving later stays without effect."""
        ...


class SeenStore(Protocol):
    """How far a reacting group has read each source stream (rule 7); kept 40 days."""

    async def get(self, group: str, source: str) -> int:
        """The highest version handled; 0 when never seen."""
        ...

    async def get_many(self, group: str, sources: Sequence[str]) -> dict[str, int]: ...

    async def put(self, group: str, source: str, version: int) -> None:
        """A max register."""
        ...

    async def put_many(self, group: str, versions: dict[str, int]) -> None: ...


class TimerStore(Protocol):
    """Durable timers, derived from events (rule 16)."""

    async def due(self, now: int, limit: int = 100) -> list[Timer]:
        """Timers with ``due_at <= now``, earliest first."""
        ...

    async def next_due(self) -> int | None:
        """When the earliest timer is due, epoch milliseconds."""
        ...

    async def done(self, timer: Timer) -> None:
        """Forget it: its command has been given."""
        ...


class EffectStore(Protocol):
    """Calls to the outside world, each claimed once by an id derived from its cause (trust, Side effects)."""

    async def claim(self, effect_id: str, request: bytes) -> bool:
        """True for the first caller only; a conditional insert."""
        ...

    async def finish(self, effect_id: str, result: bytes) -> None: ...

    async def result(self, effect_id: str) -> bytes | None:
        """The result of a finished effect; ``None`` when claimed only or unknown."""
        ...

    async def unfinished(self, limit: int = 100) -> list[tuple[str, bytes]]:
        """Claimed but not finished ``(effect_id, request)``: to be asked of the provider before any retry."""
        ...


class KeyStore(Protocol):
    """Wrapped subject keys (rule 18): created once, used only as read back, erased for good."""

    async def create(self, tenant: str, subject: str, wrapped: bytes) -> bytes | None:
        """Conditional insert, then what stands: the bytes read back, or ``None`` when the subject is erased."""
        ...

    async def get(self, tenant: str, subject: str) -> bytes | None:
        """The wrapped key; ``None`` when never made. Raises ``NotFound("ERASED")`` for a tombstone."""
        ...

    async def erase(self, tenant: str, subject: str) -> None:
        """Overwrite by a tombstone that stays, and make the bytes unreadable on disk."""
        ...


class Store(Protocol):
    """One service's store. ``open`` it with ``switchlog.store.opening.open_store``."""

    @property
    def events(self) -> EventStore: ...

    @property
    def views(self) -> ViewStore: ...

    @property
    def seen(self) -> SeenStore: ...

    @property
    def timers(self) -> TimerStore: ...

    @property
    def effects(self) -> EffectStore: ...

    @property
    def keys(self) -> KeyStore: ...

    async def ready(self) -> bool:
        """Whether it answers now."""
        ...

    async def close(self) -> None: ...
