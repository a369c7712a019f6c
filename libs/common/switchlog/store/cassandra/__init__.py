"""The distributed store: one keyspace a service (see kernel, Cassandra)."""

from __future__ import annotations

from collections.abc import Sequence

from switchlog.clock import Clock, SystemClock
from switchlog.envelope import Row, StreamId
from switchlog.errors import NotNow, OutcomeUnknown, VersionConflict
from switchlog.store import Pending, TimersOf, no_timers
from switchlog.store.cassandra.log import BUCKET_EVENTS, Log
from switchlog.store.cassandra.marks import Marks
from switchlog.store.cassandra.session import Session, open_session
from switchlog.store.cassandra.sweeper import Sweeper
from switchlog.store.cassandra.tables import CassandraEffects, CassandraKeys, CassandraSeen, CassandraViews
from switchlog.store.cassandra.timers import CassandraTimers, Derivation
from switchlog.store.cassandra.watermarks import Watermarks
from switchlog.store.rows import check_batch
from switchlog.store.settings import StoreSettings

__all__ = ["CassandraEvents", "CassandraStore", "open_cassandra"]


class CassandraEvents:
    """The log (see ``EventStore``), its marks, watermarks and the timers that its events start."""

    def __init__(self, log: Log, marks: Marks, watermarks: Watermarks, sweeper: Sweeper, timers: Derivation) -> None:
        self._log, self._marks, self._watermarks = log, marks, watermarks
        self._timers = timers
        self.sweeper = sweeper

    async def append(self, stream: StreamId, expected: int, batch_id: str, rows: Sequence[Row]) -> int:
        head = check_batch(expected, batch_id, rows)
        pledge = await self._marks.pledge(stream, batch_id, expected, head)
        try:
            await self._log.append(stream, expected, rows, pledge.fresh_until)
        except OutcomeUnknown:
            raise  # its mark stays: this may stand, and then it must be published
        except VersionConflict as conflict:
            if conflict.head > expected:
                self._marks.lost(batch_id)
            else:
                self._marks.failed(pledge)
            raise
        except NotNow:
            self._marks.failed(pledge)
            raise
        self._timers.remember(stream, rows)
        self._marks.landed(batch_id)
        return head

    async def read(self, stream: StreamId, after: int = 0, limit: int | None = None) -> list[Row]:
        return await self._log.read(stream, after, limit)

    async def read_serial(self, stream: StreamId, version: int) -> Row | None:
        row = await self._log.read_serial(stream, version)
        if row is not None:  # settles what this process did not know of its own batch
            self._marks.landed(row.batch_id)
        return row

    async def head(self, stream: StreamId) -> int:
        return await self._log.head(stream)

    async def watermark(self, stream: StreamId) -> int:
        return await self._watermarks.get(stream)

    async def published(self, stream: StreamId, version: int) -> None:
        await self._timers.derive(stream, version)
        await self._watermarks.rise(stream, version)
        self._marks.published(stream, version)

    async def lower_watermark(self, stream: StreamId, version: int) -> None:
        first = await self._log.read_serial(stream, version + 1)
        if first is None:  # nothing is stored above it
            return
        # marked like an append: whoever lowers it may die before it is passed again (rule 13)
        await self._marks.pledge(stream, first.batch_id, version, await self._log.head(stream))
        await self._watermarks.lower(stream, version)
        self._marks.landed(first.batch_id)

    async def pending(self, limit: int = 1000) -> list[Pending]:
        return await self.sweeper.pending(limit)

    async def settle(self, pending: Pending) -> None:
        await self.sweeper.settle(pending)

    async def streams(self, tenant: str | None = None, after: str = "", limit: int = 1000) -> list[StreamId]:
        return await self._log.streams(tenant, after, limit)

    async def close(self) -> None:
        """Let the last watermarks and clears go out."""
        await self._watermarks.close()
        await self._marks.close()


class CassandraStore:
    """One service's store in one keyspace."""

    def __init__(self, session: Session, events: CassandraEvents, timers: CassandraTimers) -> None:
        self._session = session
        self.events = events
        self.timers = timers
        self.views = CassandraViews(session)
        self.seen = CassandraSeen(session)
        self.effects = CassandraEffects(session)
        self.keys = CassandraKeys(session)

    async def ready(self) -> bool:
        try:
            await self._session.read("read_slots")
        except NotNow:
            return False
        return True

    async def close(self) -> None:
        await self.events.close()
        await self._session.close()


async def open_cassandra(
    settings: StoreSettings,
    service: str,
    timers_of: TimersOf = no_timers,
    clock: Clock | None = None,
    *,
    bucket_events: int = BUCKET_EVENTS,
) -> CassandraStore:
    """Make what is missing of ``service``'s keyspace and open it; raises ``NotNow`` when no node answers."""
    return assemble(await open_session(settings, service), timers_of, clock or SystemClock(), bucket_events)


def assemble(session: Session, timers_of: TimersOf, clock: Clock, bucket_events: int) -> CassandraStore:
    """The parts of a store, plugged together."""
    log, marks, watermarks = Log(session, bucket_events), Marks(session, clock), Watermarks(session)
    timers = CassandraTimers(session, clock)
    derivation = Derivation(log, timers, watermarks, timers_of)
    events = CassandraEvents(log, marks, watermarks, Sweeper(session, log, watermarks, clock), derivation)
    return CassandraStore(session, events, timers)
