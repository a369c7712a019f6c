"""The stored rows: counters, and whatever they were made from, each with the offset it reflects; progress.

Views (their names begin with the state's, so that a rebuild goes beside the old one):
``levels`` ``level_events``  <tenant>/<queue>   | <start>/<topic>/<partition> : a cell, cohort or event
``late``    <tenant>/<queue> | <UTC day>/<topic>/<partition> : cells over a day old may be changed up to that offset
``rollups`` <tenant>/<queue>/<attribution>/<groups>/<zone> | <begin>/<end> : a local day's cells added up (``rollups``)
``days``    <tenant>/<start> | <agent>/<topic>/<partition>      : an agent's UTC day
``agents``  <tenant>/<pool>  | <agent>                          : where agents of a pool stand
``queues``  <tenant>         | <queue>/<pool>
``pools``   <tenant>         | <pool>
``contacts`` ``tickets``     <stream key> | <topic>             : their states
``clerks``  <tenant>         | <agent>                          : agents' ledgers so far
``cases``   <tenant>/<customer> | <ticket>                      : tickets again, by whose they are
``resolved`` <tenant>/<queue> | <quarter hour>/<ticket>         : and by when they were first resolved
``ticket_queues`` <tenant>    | <queue>                         : the queues that tickets name
``fed_open``<group>          | <tenant>/<source>/<topic>/<partition> : from where on fed rows may not be final
``progress``<group>          | <topic>/<partition>
``fresh``   <group>          | <topic>/<partition>              : read to its end at that instant
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

import msgspec
from aiokafka.partitioner import murmur2

from switchlog.clock import Clock, SystemClock
from switchlog.store import ViewRow, ViewStore

from ..app.closing import Mark
from ..app.ports import Where
from ..domain.board import Pool, Queue
from ..domain.counters import Counters, Day, DayKey
from ..domain.feed import STREAMS, streams_of
from ..domain.feedboard import FOR_EVER, FedStream
from ..domain.feedboard import POOL as FEED
from ..domain.floor import Agent
from ..domain.ledger import Clerk
from ..domain.levels import COHORT, DAY_MS, EVENT, Cell, CellKey, Sums
from ..domain.rollups import WORK, Worked, work_of
from ..domain.tickets import Ticket

T = TypeVar("T")
PAGE = 1000
MOVES = 1 << 20
"""A mark moves on at most so often between two facts."""
LEVELS = {COHORT: "levels", EVENT: "level_events"}
BUSY, SLOT = (name.encode() for name in WORK)
LIVE_MS = DAY_MS
"""Cells that began longer ago are noted as ``late`` before they change; roll-ups are made of twice as old ones."""

encode = msgspec.msgpack.Encoder().encode

Put = tuple[str, str, bytes, int]
"""(partition, key, value, version)."""


class Progress(msgspec.Struct, array_like=True):
    """Where reading goes on, the last version of every stream, and the cells and days that are not done with."""

    next: int
    seen: dict[str, int]
    open: list[CellKey]
    days: list[DayKey] = []


class _Group(msgspec.Struct):
    """Of a tally the counts alone."""

    counts: Sums


class _Counts(msgspec.Struct):
    """Of a cell the counts alone."""

    start: int
    groups: dict[str, _Group]


@dataclass(frozen=True)
class StoredRows:
    """Rows over a ``ViewStore``; ``state`` names the state, ``group`` the consumer group, ``topic`` that of pools."""

    views: ViewStore
    state: str
    group: str
    topic: str = "routing.events.v1"
    feed_topic: str = "external.events.v1"
    clock: Clock = field(default_factory=SystemClock)

    # --- the folds' side ---------------------------------------------------------------------------------------------

    async def progress(self, where: Where) -> Progress | None:
        found = await self.views.get(self.view("progress"), self.group, str(where))
        return None if found is None else decoded(found, Progress)

    async def cell(self, where: Where, key: CellKey) -> Cell | None:
        tenant, queue, start, attribution = key
        found = await self.views.get(self.view(LEVELS[attribution]), f"{tenant}/{queue}", _cell_key(start, where))
        return None if found is None else decoded(found, Cell)

    async def day(self, where: Where, key: DayKey) -> Day | None:
        tenant, agent, start = key
        found = await self.views.get(self.view("days"), _day_partition(tenant, start), f"{agent}/{where}")
        return None if found is None else decoded(found, Day)

    async def save_counters(self, where: Where, counters: Counters) -> None:
        """Days, then event cells, then cohort cells: of a pool the later are what the earlier were made from.

        Before any cell which old days change: a crash after it is known by the progress, which does not reach it then.
        """
        await self.put("late", self._late(where, counters.changed_cells.values()))
        days = [
            (_day_partition(day.tenant, day.start), f"{day.agent}/{where}", encode(day), day.version)
            for day in counters.changed_days.values()
        ]
        await self.put("days", days)
        for attribution in (EVENT, COHORT):
            cells = [
                (f"{cell.tenant}/{cell.queue}", _cell_key(cell.start, where), encode(cell), cell.version)
                for cell in counters.changed_cells.values()
                if cell.attribution == attribution
            ]
            await self.put(LEVELS[attribution], cells)

    async def save_progress(self, where: Where, progress: Progress) -> None:
        await self.views.put(self.view("progress"), self.group, str(where), encode(progress), progress.next)

    async def put(self, view: str, rows: list[Put]) -> None:
        """Each row unless a later one stands."""
        if rows:
            await self.views.put_many(self.view(view), rows)

    async def fresh(self, caught_up: Mapping[Where, int]) -> None:
        """Note when each partition was last read to its end, epoch milliseconds."""
        rows = [(self.group, str(where), b"", at) for where, at in caught_up.items()]
        await self.put("fresh", rows)

    def _late(self, where: Where, cells: Iterable[Cell]) -> list[Put]:
        """The UTC days of old cells, each with the highest offset that a cell of it reflects."""
        live, found = self.clock.now() - LIVE_MS, dict[tuple[str, int], int]()
        for cell in cells:
            if cell.start < live:
                at = f"{cell.tenant}/{cell.queue}", cell.start - cell.start % DAY_MS
                found[at] = max(found.get(at, 0), cell.version)
        return [(partition, _cell_key(day, where), b"", version) for (partition, day), version in found.items()]

    # --- the questions' side -----------------------------------------------------------------------------------------

    async def parts(self, key: CellKey) -> list[tuple[str, Cell]]:
        """The stored cells of ``key``, each with the source partition that told it."""
        tenant, queue, start, attribution = key
        rows = self.span(LEVELS[attribution], f"{tenant}/{queue}", f"{start:015d}", f"{start + 1:015d}")
        return [(row.key.partition("/")[2], decoded(row, Cell)) async for row in rows]

    async def cells(
        self, tenant: str, queue: str, begin: int, end: int, attribution: str = COHORT
    ) -> AsyncIterator[Cell]:
        """Stored cells with ``begin <= start < end``, by start; one of each source partition that has some."""
        async for row in self.span(LEVELS[attribution], f"{tenant}/{queue}", f"{begin:015d}", f"{end:015d}"):
            yield decoded(row, Cell)

    async def work(self, tenant: str, queue: str, begin: int, end: int) -> AsyncIterator[Worked]:
        """Agents' time in a queue's event cells; all else in them is passed over."""
        async for row in self.span(LEVELS[EVENT], f"{tenant}/{queue}", f"{begin:015d}", f"{end:015d}"):
            if not (BUSY in row.value or SLOT in row.value):
                continue
            cell = decoded(row, _Counts)
            for key, of in cell.groups.items():
                if found := work_of(of.counts):
                    yield cell.start, key, found

    async def untold(self, where: Where, counters: Counters, progress: Progress | None) -> None:
        """Bring in the days that a former process may not have published."""
        for key in progress.days if progress else ():
            if day := await self.day(where, key):
                counters.put_untold(day)

    async def days(self, tenant: str, start: int) -> AsyncIterator[Day]:
        """All agents' UTC days that begin at ``start``; one of each source partition that tells of the agent."""
        async for row in self.scan("days", _day_partition(tenant, start)):
            yield decoded(row, Day)

    async def days_of(self, tenant: str, agent: str, begin: int, end: int) -> list[tuple[str, Day]]:
        """An agent's UTC days that begin in [begin, end), each with the source partition that told it."""
        return [
            (row.key.partition("/")[2], decoded(row, Day))
            for start in range(begin - begin % DAY_MS, end, DAY_MS)
            async for row in self.span("days", _day_partition(tenant, start), f"{agent}/", f"{agent}0")
        ]

    async def clerk(self, tenant: str, agent: str) -> Clerk | None:
        """An agent's ledger so far."""
        found = await self.views.get(self.view("clerks"), tenant, agent)
        return None if found is None else decoded(found, Clerk)

    async def clerks(self, tenant: str) -> AsyncIterator[Clerk]:
        async for row in self.scan("clerks", tenant):
            yield decoded(row, Clerk)

    async def resolved(self, tenant: str, queue: str, begin: int, end: int) -> AsyncIterator[Ticket]:
        """Tickets first resolved in quarter hours that begin in [begin, end)."""
        async for row in self.span("resolved", f"{tenant}/{queue}", f"{begin:015d}", f"{end:015d}"):
            yield decoded(row, Ticket)

    async def cases(self, tenant: str, customer: str) -> list[Ticket]:
        """All tickets of a customer."""
        return [decoded(row, Ticket) async for row in self.scan("cases", f"{tenant}/{customer}")]

    async def ticket_queues(self, tenant: str) -> list[str]:
        """The queues that tickets name; pools need not know them."""
        return [row.key async for row in self.scan("ticket_queues", tenant)]

    async def agents(self, tenant: str, pool: str) -> AsyncIterator[Agent]:
        async for row in self.scan("agents", f"{tenant}/{pool}"):
            yield decoded(row, Agent)

    async def queues(self, tenant: str) -> list[Queue]:
        """Each queue as defined last, with the open quarter hours of every pool it has been in."""
        found: dict[str, Queue] = {}
        async for queue in self.queues_of(tenant):
            other = found.get(queue.queue)
            found[queue.queue] = queue if other is None else _latest(other, queue)
        return list(found.values())

    async def queue(self, tenant: str, queue: str) -> Queue | None:
        found: Queue | None = None
        async for row in self.scan("queues", tenant, f"{queue}/"):
            if not row.key.startswith(f"{queue}/"):
                break
            read = decoded(row, Queue)
            found = read if found is None else _latest(found, read)
        return found

    async def pool_of(self, tenant: str, pool: str) -> Pool:
        """Its clock and zone; zero for one never heard of."""
        if pool.startswith(FEED):
            return await self._source(tenant, pool)
        found = await self.views.get(self.view("pools"), tenant, pool)
        return Pool(pool) if found is None else decoded(found, Pool)

    async def freshness_ms(self, tenant: str, pool: str, now: int) -> int:
        """Age of the newest fact of a pool, or of the moment when its partition was last read to the end."""
        if pool.startswith(FEED):
            return max(0, now - await self._fed_at())
        clock = (await self.pool_of(tenant, pool)).clock
        return max(0, now - max(clock, await self.caught_up_at(self.topic, tenant, pool)))

    async def caught_up_at(self, topic: str, tenant: str, pool: str) -> int:
        """When the partition that this pool's stream is in was last read to its end; 0: not known."""
        rows = [row async for row in self.scan("fresh", self.group) if row.key.startswith(f"{topic}/")]
        if not rows:
            return 0
        partition = (murmur2(f"{tenant}/pool-{pool}".encode()) & 0x7FFFFFFF) % len(rows)
        return next((row.version for row in rows if row.key == f"{topic}/{partition}"), 0)

    async def _source(self, tenant: str, pool: str) -> Pool:
        """A source stands where the last of all its streams stands; a queue of several where the last of them does."""
        return Pool(pool, min([await self._fed_clock(tenant, one) for one in pool.split()]))

    async def _fed_clock(self, tenant: str, pool: str) -> int:
        rows = [row async for row in self.span("pools", tenant, f"{pool}/", f"{pool}0")]
        clocks = [decoded(row, Pool).clock for row in rows]
        return min(clocks) if len(clocks) == STREAMS else 0

    async def _fed_at(self) -> int:
        """When all partitions of feeds had last been read to their ends."""
        rows = [row async for row in self.scan("fresh", self.group) if row.key.startswith(f"{self.feed_topic}/")]
        return min((row.version for row in rows), default=0)

    async def fed_streams(self, tenant: str, source: str) -> list[FedStream]:
        """The streams of a source as they are folded; fewer than all while the first of it is read."""
        rows = [await self.views.get(self.view("fed_streams"), tenant, name) for name in streams_of(source)]
        return [decoded(row, FedStream) for row in rows if row is not None]

    async def fed_queues(self, tenant: str, source: str) -> set[str]:
        """The queues that a source tells of."""
        return {queue.queue async for queue in self.queues_of(tenant) if queue.pool == FEED + source}

    # --- fed rows: from where on they are open ------------------------------------------------------------------------

    async def fed_opened(self, where: Where, tenant: str, source: str, start: int, upto: int) -> None:
        """Something that begins at ``start`` changed; ``upto`` is the partition's next offset."""
        key = f"{tenant}/{source}/{where}"
        found = await self.views.get(self.view("fed_open"), self.group, key)
        kept = start if found is None else min(start, int(found.value))
        await self.put("fed_open", [(self.group, key, b"%d" % kept, upto * MOVES)])

    async def fed_closed(self, mark: Mark, start: int) -> None:
        key = f"{mark.tenant}/{mark.source}/{mark.where}"
        await self.put("fed_open", [(self.group, key, b"%d" % start, mark.version + 1)])

    async def fed_marks(self) -> list[Mark]:
        rows = [row async for row in self.scan("fed_open", self.group)]
        return [_mark(row) for row in rows if int(row.value) < FOR_EVER]

    async def fed_until(self, tenant: str, source: str) -> tuple[int, int]:
        latest = max((stream.clock for stream in await self.fed_streams(tenant, source)), default=0)
        return (await self._source(tenant, FEED + source)).clock, latest

    async def fed_threshold_s(self, tenant: str, source: str) -> int:
        found = [await self.queue(tenant, name) for name in await self.fed_queues(tenant, source)]
        return max((queue.threshold_s for queue in found if queue), default=0)

    async def fed_starts(self, tenant: str, source: str, begin: int, end: int) -> list[tuple[str, int]]:
        found: set[tuple[str, int]] = set()
        for queue in await self.fed_queues(tenant, source):
            span = self.span(LEVELS[COHORT], f"{tenant}/{queue}", f"{begin:015d}", f"{end:015d}")
            found |= {(queue, int(row.key.partition("/")[0])) async for row in span}
        return sorted(found)

    # --- shared ------------------------------------------------------------------------------------------------------

    async def queues_of(self, tenant: str) -> AsyncIterator[Queue]:
        async for row in self.scan("queues", tenant):
            yield decoded(row, Queue)

    async def span(self, view: str, partition: str, begin: str, end: str, page: int = PAGE) -> AsyncIterator[ViewRow]:
        """Rows with ``begin <= key < end``, where no key is ``begin`` itself; ``page`` rows at a time."""
        async for row in self.scan(view, partition, begin, page):
            if row.key >= end:
                return
            yield row

    async def scan(self, view: str, partition: str, after: str = "", page: int = PAGE) -> AsyncIterator[ViewRow]:
        while found := await self.views.scan(self.view(view), partition, after, page):
            for row in found:
                yield row
            if len(found) < page:
                return
            after = found[-1].key

    def view(self, name: str) -> str:
        return f"{self.state}_{name}"


def _cell_key(start: int, where: Where) -> str:
    return f"{start:015d}/{where}"


def _mark(row: ViewRow) -> Mark:
    tenant, source, where = row.key.split("/", 2)
    return Mark(tenant, source, where, int(row.value), row.version)


def _day_partition(tenant: str, start: int) -> str:
    return f"{tenant}/{start:015d}"


def decoded(row: ViewRow, kind: type[T]) -> T:
    return msgspec.msgpack.decode(row.value, type=kind)


def _latest(one: Queue, other: Queue) -> Queue:
    """The definition that counts: a standing one before one removed, then the later."""
    first, second = sorted((one, other), key=lambda queue: (not queue.removed, queue.defined_at, queue.pool))
    second.open = sorted({*first.open, *second.open})
    if first.pool.startswith(FEED) and second.pool.startswith(FEED):
        second.pool = " ".join(sorted({*first.pool.split(), *second.pool.split()}))
    return second
