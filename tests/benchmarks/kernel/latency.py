"""How long a command waits for its answer, and until a subscriber has its fact, at a steady rate: p50 and p99."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiokafka import TopicPartition

from benchmarks.figures import Ceiling, Figure
from benchmarks.kernel import bare
from benchmarks.kernel.conversation import CODEC, CONVERSATION, cause, ready_rows, say, streams
from benchmarks.place import Place
from benchmarks.sampling import percentile
from switchlog.bus import clients
from switchlog.envelope import StreamId
from switchlog.kernel import Kernel, open_kernel
from switchlog.store.settings import Kind

ROUNDS = 5
SECONDS = 4.0
RATE: dict[Kind, float] = {"sqlite": 200, "cassandra": 50}  # commands a second; nothing queues at it
STREAMS = 100
PARTITIONS = 6

Step = Callable[[int], Awaitable[float]]  # gives command n; returns when it was answered


@dataclass
class Times:
    """Milliseconds, one a command: until answered, until a subscriber had it."""

    answered: list[float] = field(default_factory=list)
    arrived: list[float] = field(default_factory=list)


async def run(place: Place) -> list[Figure]:
    return [figure for kind in place.stores for figure in await _measure(place, kind)]


async def _measure(place: Place, kind: Kind) -> list[Figure]:
    topic = await place.topic("latency", PARTITIONS)
    async with (
        open_kernel(place.settings(kind, place.fresh("latency")), topics={"contact": topic}) as kernel,
        bare.opened(place, kind) as driver,
        bare.producer(place) as out,
        _arrivals(place, topic) as arrivals,
    ):
        steps = {"subject": _subject(kernel, "bench"), "limit": _limit(driver, out, topic, "bare")}
        tenants = {"subject": "bench", "limit": "bare"}
        for name, step in steps.items():
            await _round(step, tenants[name], arrivals, STREAMS, 100)
        found: dict[str, list[Times]] = {name: [] for name in steps}
        for n in range(place.rounds(ROUNDS)):
            for name in list(steps)[:: -1 if n % 2 else 1]:
                count = place.scaled(RATE[kind] * SECONDS)
                found[name].append(await _round(steps[name], tenants[name], arrivals, count, RATE[kind]))
    return _figures(kind, found)


def _figures(kind: Kind, found: dict[str, list[Times]]) -> list[Figure]:
    limits = {"answered": "the bare driver's commit", "arrived": "the bare driver's commit, then a bare aiokafka send"}
    words = {"answered": "append, command to answer", "arrived": "append + publish, command to subscriber"}
    return [
        Figure(
            f"{words[what]}, {kind}, p{int(share * 100)} at {RATE[kind]:g}/s",
            "ms",
            [percentile(getattr(times, what), share) for times in found["subject"]],
            Ceiling(limits[what], [percentile(getattr(times, what), share) for times in found["limit"]]),
            lower_is_better=True,
        )
        for what in words
        for share in (0.5, 0.99)
    ]


async def _round(step: Step, tenant: str, arrivals: Arrivals, count: int, rate: float) -> Times:
    """An open loop: a slow answer delays nobody else's command."""
    arrivals.expect(tenant, count)
    began = time.perf_counter()
    tasks, starts = [], []
    for n in range(count):
        await asyncio.sleep(max(0.0, began + n / rate - time.perf_counter()))
        starts.append(time.perf_counter())
        tasks.append(asyncio.ensure_future(step(n)))
    answers = await asyncio.gather(*tasks)
    arrived = await arrivals.times()
    answered = [(answer - start) * 1000 for start, answer in zip(starts, answers, strict=True)]
    return Times(answered, [(arrived[n] - start) * 1000 for n, start in enumerate(starts)])


def _subject(kernel: Kernel, tenant: str) -> Step:
    writer = kernel.writer(CONVERSATION, CODEC)
    own = streams(STREAMS, tenant)

    async def step(n: int) -> float:
        await writer.execute(own[n % STREAMS], say(), cause())
        return time.perf_counter()

    return step


def _limit(driver: bare.Driver, out: Any, topic: str, tenant: str) -> Step:
    own = streams(STREAMS, tenant)
    heads: dict[StreamId, int] = dict.fromkeys(own, 0)

    async def step(n: int) -> float:
        stream = own[n % STREAMS]
        heads[stream] += 1
        lots = [(stream, ready_rows(stream, heads[stream], 1))]
        await driver.commit(lots)
        answered = time.perf_counter()
        await bare.send(out, topic, lots)
        return answered

    return step


class Arrivals:
    """When a subscriber got each record: the n-th of a tenant answers its n-th command, stream by stream."""

    def __init__(self) -> None:
        self._tenant, self._count = "", 0
        self._seen: dict[str, list[float]] = {}
        self._all = asyncio.Event()

    def expect(self, tenant: str, count: int) -> None:
        self._tenant, self._count, self._seen = tenant, count, {}
        self._all.clear()

    def arrived(self, key: str, at: float) -> None:
        if key.startswith(f"{self._tenant}/"):
            self._seen.setdefault(key, []).append(at)
            if sum(map(len, self._seen.values())) == self._count:
                self._all.set()

    async def times(self) -> list[float]:
        await asyncio.wait_for(self._all.wait(), 20)
        own = streams(STREAMS, self._tenant)
        return [self._seen[own[n % STREAMS].key][n // STREAMS] for n in range(self._count)]


@asynccontextmanager
async def _arrivals(place: Place, topic: str) -> AsyncIterator[Arrivals]:
    arrivals = Arrivals()
    client = clients.consumer(place.kafka.address, None)
    await client.start()
    client.assign([TopicPartition(topic, n) for n in range(PARTITIONS)])

    async def read() -> None:
        async for record in client:
            arrivals.arrived(record.key.decode(), time.perf_counter())

    task = asyncio.ensure_future(read())
    try:
        yield arrivals
    finally:
        task.cancel()
        await client.stop()
