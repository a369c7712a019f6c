"""Commands appended and published a second, beside the bare driver and a bare producer given the same rows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import cycle
from typing import Any

from benchmarks.figures import Ceiling, Figure
from benchmarks.kernel import bare
from benchmarks.kernel.conversation import CODEC, CONVERSATION, cause, ready_rows, say, streams
from benchmarks.place import Place
from benchmarks.sampling import Stopwatch, in_turns
from switchlog.envelope import StreamId
from switchlog.kernel import Kernel, open_kernel
from switchlog.store.settings import Kind
from switchlog.writer import Writer

ROUNDS = 5


@dataclass(frozen=True)
class Load:
    """``callers`` that each wait for their answer, over ``streams``; ``commands`` a sample."""

    callers: int
    streams: int
    commands: int

    @property
    def name(self) -> str:
        where = "one stream" if self.streams == 1 else "many streams"
        return f"{self.callers} caller{'s' * (self.callers > 1)}, {where}"


LOADS: dict[Kind, Sequence[Load]] = {
    "sqlite": (Load(1, 512, 2048), Load(32, 512, 6144), Load(128, 512, 6144), Load(128, 1, 8192)),
    "cassandra": (Load(1, 256, 256), Load(32, 512, 1024), Load(128, 512, 1536), Load(128, 1, 6144)),
}
UNTIMED_DEADLINE_S = 30.0  # a full machine is what is measured here; nobody's patience is


async def run(place: Place) -> list[Figure]:
    return [await _measure(place, kind, load) for kind in place.stores for load in LOADS[kind]]


async def _measure(place: Place, kind: Kind, load: Load) -> Figure:
    topic, count = await place.topic("append"), place.scaled(load.commands)
    async with _kernel(place, kind, topic) as kernel, bare.opened(place, kind) as driver, bare.producer(place) as out:
        subject, limit = Subject(kernel, load), Limit(kind, driver, out, topic, load)
        await subject.rate(load.streams)  # opens the streams, on nobody's account
        await limit.rate(load.streams)
        samples = {"subject": lambda: subject.rate(count), "limit": lambda: limit.rate(count)}
        found = await in_turns(place.rounds(ROUNDS), samples)
    what = f"the bare {'sqlite3' if kind == 'sqlite' else 'cassandra-driver'} and a bare aiokafka producer, same rows"
    return Figure(f"append + publish, {kind}, {load.name}", "1/s", found["subject"], Ceiling(what, found["limit"]))


@asynccontextmanager
async def _kernel(place: Place, kind: Kind, topic: str) -> AsyncIterator[Kernel]:
    async with open_kernel(place.settings(kind, place.fresh("append")), topics={"contact": topic}) as kernel:
        yield kernel


class Subject:
    """Writer and relay as a service has them."""

    def __init__(self, kernel: Kernel, load: Load) -> None:
        self._relay, self._load = kernel.relay, load
        self._writer: Writer[Any, Any, Any] = kernel.writer(CONVERSATION, CODEC, deadline_s=UNTIMED_DEADLINE_S)
        self._streams = streams(load.streams, "bench")

    async def rate(self, count: int) -> float:
        before, watch = self._relay.counters.published, Stopwatch()
        await asyncio.gather(*(self._call(n, count) for n in range(self._load.callers)))
        while self._relay.counters.published < before + count:
            await asyncio.sleep(0.001)
        return count / watch()

    async def _call(self, first: int, count: int) -> None:
        for n in range(first, count, self._load.callers):
            await self._writer.execute(self._streams[n % len(self._streams)], say(), cause())


class Limit:
    """As many rows at once as there are callers: in one commit on SQLite, in a batch a stream on Cassandra."""

    def __init__(self, kind: Kind, driver: bare.Driver, producer: Any, topic: str, load: Load) -> None:
        self._driver, self._producer, self._topic = driver, producer, topic
        # a lane commits one turn after the other; its streams are its own
        self._lanes = load.callers if kind == "cassandra" and load.streams > 1 else 1
        self._rows = load.callers // self._lanes
        self._streams = streams(load.streams, "bare")
        self._heads: dict[StreamId, int] = dict.fromkeys(self._streams, 0)

    async def rate(self, count: int) -> float:
        lanes = [self._turns(lane, count // self._lanes) for lane in range(self._lanes)]
        watch = Stopwatch()
        await asyncio.gather(*map(self._lane, lanes))
        return sum(len(rows) for lane in lanes for turn in lane for _, rows in turn) / watch()

    async def _lane(self, turns: Sequence[Sequence[bare.Lot]]) -> None:
        owed: list[asyncio.Future[Any]] = []
        for lots in turns:
            await self._driver.commit(lots)
            owed += await bare.send(self._producer, self._topic, lots)
        await asyncio.gather(*owed)

    def _turns(self, lane: int, count: int) -> list[list[bare.Lot]]:
        own = self._streams[lane :: self._lanes]
        sizes = [min(self._rows, count - n) for n in range(0, count, self._rows)]
        if len(own) == 1:
            return [[self._lot(own[0], size)] for size in sizes]
        turning = cycle(own)
        return [[self._lot(next(turning), 1) for _ in range(size)] for size in sizes]

    def _lot(self, stream: StreamId, rows: int) -> bare.Lot:
        self._heads[stream] += rows
        return stream, ready_rows(stream, self._heads[stream] - rows + 1, rows)
