"""A store in memory for unit tests, with every fault that a real one can show."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto

from switchlog.clock import Clock, SystemClock
from switchlog.envelope import Row, StreamId
from switchlog.errors import NotFound, NotNow, OutcomeUnknown, VersionConflict
from switchlog.store import Pending, Timer, TimerSet, TimersOf, ViewRow, no_timers
from switchlog.store.rows import check_batch, prefix_range, same_batch, timer_changes

SEEN_KEPT_MS = 40 * 24 * 3600 * 1000


class Fault(Enum):
    """What happens to the next append."""

    LOST_BEFORE_WRITE = auto()  # outcome unknown; nothing written
    LOST_AFTER_WRITE = auto()  # outcome unknown; it stands
    LATE = auto()  # outcome unknown; written when ``Faults.land`` is called
    CONFLICT = auto()  # refused, as if somebody wrote and nothing of it were visible yet
    AWAY = auto()  # refused: the store does not answer


@dataclass
class Faults:
    """``coming`` is used up one fault an append; ``None`` in it is an append without fault."""

    coming: deque[Fault | None] = field(default_factory=deque)
    latency_s: float = 0.0
    away: bool = False
    late: list[Callable[[], int]] = field(default_factory=list)

    async def pass_by(self) -> None:
        """Every call waits here, so other tasks run in between; raises ``NotNow`` while the store is away."""
        await asyncio.sleep(self.latency_s)
        if self.away:
            raise NotNow("STORE_UNAVAILABLE")

    def land(self) -> None:
        """Let the late writes arrive; those that lost their race write nothing."""
        arriving, self.late = self.late, []
        for write in arriving:
            try:
                write()
            except VersionConflict:
                continue


class MemoryEvents:
    """The log (see ``EventStore``)."""

    def __init__(self, faults: Faults, timers: MemoryTimers, timers_of: TimersOf) -> None:
        self._faults, self._timers, self._timers_of = faults, timers, timers_of
        self._rows: dict[StreamId, list[Row]] = {}
        self._watermarks: dict[StreamId, int] = {}

    async def append(self, stream: StreamId, expected: int, batch_id: str, rows: Sequence[Row]) -> int:
        check_batch(expected, batch_id, rows)
        await self._faults.pass_by()
        fault = self._faults.coming.popleft() if self._faults.coming else None
        match fault:
            case None:
                return self._write(stream, expected, batch_id, rows)
            case Fault.AWAY:
                raise NotNow("STORE_UNAVAILABLE")
            case Fault.CONFLICT:
                raise VersionConflict(len(self._rows.get(stream, ())))
            case Fault.LOST_AFTER_WRITE:
                self._write(stream, expected, batch_id, rows)
            case Fault.LATE:
                self._faults.late.append(lambda: self._write(stream, expected, batch_id, rows))
        raise OutcomeUnknown()

    def _write(self, stream: StreamId, expected: int, batch_id: str, rows: Sequence[Row]) -> int:
        log = self._rows.get(stream, [])
        if len(log) != expected:
            standing = log[expected : expected + len(rows)]
            if standing and standing[0].batch_id == batch_id and same_batch([row.event_id for row in standing], rows):
                return expected + len(rows)
            raise VersionConflict(len(log))
        self._rows.setdefault(stream, log).extend(rows)
        self._timers.change(stream, rows, self._timers_of)
        return len(log)

    async def read(self, stream: StreamId, after: int = 0, limit: int | None = None) -> list[Row]:
        await self._faults.pass_by()
        return self._rows.get(stream, [])[after:][:limit]

    async def read_serial(self, stream: StreamId, version: int) -> Row | None:
        await self._faults.pass_by()
        return next(iter(self._rows.get(stream, [])[version - 1 : version]), None)

    async def head(self, stream: StreamId) -> int:
        await self._faults.pass_by()
        return len(self._rows.get(stream, ()))

    async def watermark(self, stream: StreamId) -> int:
        await self._faults.pass_by()
        return self._watermarks.get(stream, 0)

    async def published(self, stream: StreamId, version: int) -> None:
        await self._faults.pass_by()
        self._watermarks[stream] = max(self._watermarks.get(stream, 0), version)

    async def lower_watermark(self, stream: StreamId, version: int) -> None:
        await self._faults.pass_by()
        self._watermarks[stream] = min(self._watermarks.get(stream, 0), version)

    async def pending(self, limit: int = 1000) -> list[Pending]:
        await self._faults.pass_by()
        behind = (stream for stream, rows in self._rows.items() if len(rows) > self._watermarks.get(stream, 0))
        return [Pending(stream) for stream in behind][:limit]

    async def settle(self, pending: Pending) -> None:
        await self._faults.pass_by()  # no note to forget: unpublished is head > watermark (rule 9)

    async def streams(self, tenant: str | None = None, after: str = "", limit: int = 1000) -> list[StreamId]:
        await self._faults.pass_by()
        low, high = ("", "\U0010ffff") if tenant is None else prefix_range(tenant)
        keys = sorted(stream.key for stream in self._rows if low <= stream.key < high and stream.key > after)
        return [StreamId.parse(key) for key in keys[:limit]]


class MemoryViews:
    """Read models (see ``ViewStore``); a deleted row stays as ``None`` with its version."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._rows: dict[tuple[str, str], dict[str, tuple[bytes | None, int]]] = {}

    async def put(self, view: str, partition: str, key: str, value: bytes, version: int) -> None:
        await self.put_many(view, [(partition, key, value, version)])

    async def put_many(self, view: str, rows: Sequence[tuple[str, str, bytes, int]]) -> None:
        await self._faults.pass_by()
        for partition, key, value, version in rows:
            table = self._rows.setdefault((view, partition), {})
            if key not in table or table[key][1] < version:
                table[key] = (value, version)

    async def get(self, view: str, partition: str, key: str) -> ViewRow | None:
        await self._faults.pass_by()
        value, version = self._rows.get((view, partition), {}).get(key, (None, 0))
        return None if value is None else ViewRow(key, value, version)

    async def scan(self, view: str, partition: str, after: str = "", limit: int = 1000) -> list[ViewRow]:
        await self._faults.pass_by()
        table = self._rows.get((view, partition), {})
        rows = (ViewRow(key, value, version) for key, (value, version) in sorted(table.items()) if value is not None)
        return [row for row in rows if row.key > after][:limit]

    async def delete(self, view: str, partition: str, key: str, version: int) -> None:
        await self._faults.pass_by()
        table = self._rows.setdefault((view, partition), {})
        if key not in table or table[key][1] <= version:
            table[key] = (None, version)


class MemorySeen:
    """How far each group has read (see ``SeenStore``)."""

    def __init__(self, faults: Faults, clock: Clock) -> None:
        self._faults, self._clock = faults, clock
        self._versions: dict[tuple[str, str], tuple[int, int]] = {}

    async def get(self, group: str, source: str) -> int:
        return (await self.get_many(group, [source])).get(source, 0)

    async def get_many(self, group: str, sources: Sequence[str]) -> dict[str, int]:
        await self._faults.pass_by()
        kept_from = self._clock.now() - SEEN_KEPT_MS
        found = {source: self._versions.get((group, source), (0, 0)) for source in sources}
        return {source: version for source, (version, at) in found.items() if version and at >= kept_from}

    async def put(self, group: str, source: str, version: int) -> None:
        await self.put_many(group, {source: version})

    async def put_many(self, group: str, versions: dict[str, int]) -> None:
        await self._faults.pass_by()
        for source, version in versions.items():
            before, _ = self._versions.get((group, source), (0, 0))
            self._versions[group, source] = (max(before, version), self._clock.now())


class MemoryTimers:
    """Durable timers (see ``TimerStore``)."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._timers: dict[tuple[StreamId, str], Timer] = {}

    def change(self, stream: StreamId, rows: Sequence[Row], timers_of: TimersOf) -> None:
        for _, change in timer_changes(timers_of, stream, rows):
            if isinstance(change, TimerSet):
                self._timers[change.timer.stream, change.timer.id] = change.timer
            else:
                self._timers.pop((change.stream, change.id), None)

    async def due(self, now: int, limit: int = 100) -> list[Timer]:
        await self._faults.pass_by()
        ripe = (timer for timer in self._timers.values() if timer.due_at <= now)
        return sorted(ripe, key=lambda timer: (timer.due_at, timer.stream, timer.id))[:limit]

    async def next_due(self) -> int | None:
        await self._faults.pass_by()
        return min((timer.due_at for timer in self._timers.values()), default=None)

    async def done(self, timer: Timer) -> None:
        await self._faults.pass_by()
        standing = self._timers.get((timer.stream, timer.id))
        if standing is not None and standing.due_at == timer.due_at:  # set anew meanwhile: the new one stays
            del self._timers[timer.stream, timer.id]


class MemoryEffects:
    """Claimed calls to the outside (see ``EffectStore``)."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._effects: dict[str, tuple[bytes, bytes | None]] = {}

    async def claim(self, effect_id: str, request: bytes) -> bool:
        await self._faults.pass_by()
        if effect_id in self._effects:
            return False
        self._effects[effect_id] = (request, None)
        return True

    async def finish(self, effect_id: str, result: bytes) -> None:
        await self._faults.pass_by()
        if effect_id in self._effects:
            self._effects[effect_id] = (self._effects[effect_id][0], result)

    async def result(self, effect_id: str) -> bytes | None:
        await self._faults.pass_by()
        return self._effects.get(effect_id, (b"", None))[1]

    async def unfinished(self, limit: int = 100) -> list[tuple[str, bytes]]:
        await self._faults.pass_by()
        return [(name, request) for name, (request, result) in self._effects.items() if result is None][:limit]


class MemoryKeys:
    """Wrapped subject keys (see ``KeyStore``); ``None`` is a tombstone."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._keys: dict[tuple[str, str], bytes | None] = {}

    async def create(self, tenant: str, subject: str, wrapped: bytes) -> bytes | None:
        await self._faults.pass_by()
        return self._keys.setdefault((tenant, subject), wrapped)

    async def get(self, tenant: str, subject: str) -> bytes | None:
        await self._faults.pass_by()
        if (tenant, subject) not in self._keys:
            return None
        wrapped = self._keys[tenant, subject]
        if wrapped is None:
            raise NotFound("ERASED")
        return wrapped

    async def erase(self, tenant: str, subject: str) -> None:
        await self._faults.pass_by()
        self._keys[tenant, subject] = None


class MemoryStore:
    """One service's store in memory; ``faults`` makes it fail as told."""

    def __init__(self, timers_of: TimersOf = no_timers, clock: Clock | None = None) -> None:
        self.faults = Faults()
        self.timers = MemoryTimers(self.faults)
        self.events = MemoryEvents(self.faults, self.timers, timers_of)
        self.views = MemoryViews(self.faults)
        self.seen = MemorySeen(self.faults, clock or SystemClock())
        self.effects = MemoryEffects(self.faults)
        self.keys = MemoryKeys(self.faults)

    async def ready(self) -> bool:
        return not self.faults.away

    async def close(self) -> None:
        return None
