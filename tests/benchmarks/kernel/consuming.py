"""A consumer with durable progress, per record and in batches, beside raw aiokafka on the same topic."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from aiokafka import TopicPartition

from benchmarks.figures import Ceiling, Figure
from benchmarks.kernel import bare
from benchmarks.kernel.conversation import ready_rows, streams
from benchmarks.place import Place
from benchmarks.sampling import Stopwatch, in_turns
from contactcenter.contact.v1.events_pb2 import ContactEvent
from switchlog.bus import clients
from switchlog.bus.consumer import Consumer
from switchlog.bus.record import Received
from switchlog.store import Store
from switchlog.store.sqlite import open_sqlite

ROUNDS = 4
STREAMS, VERSIONS = 2000, 50
PARTITIONS = 6
RAW = "raw aiokafka getmany on the same topic, records counted"


async def run(place: Place) -> list[Figure]:
    topic = await place.topic("consuming", PARTITIONS)
    total = await _fill(place, topic, place.scaled(STREAMS))
    store = await open_sqlite(place.root / "stores" / f"{place.fresh('seen')}.db")
    try:
        subject, limit = Subject(place, store, topic, total), Limit(place, topic, total)
        samples = {
            "raw": lambda: limit.rate(parse=False),
            "raw + parse": lambda: limit.rate(parse=True),
            "per record": lambda: subject.rate(batches=False),
            "in batches": lambda: subject.rate(batches=True),
        }
        found = await in_turns(place.rounds(ROUNDS), samples, pause_s=0.3)
    finally:
        await store.close()
    ways = {"in batches": "handle_batch", "per record": "handle"}
    return [
        Figure(f"consume + parse, {name} ({ways[name]})", "1/s", found[name], Ceiling(what, found[raw]))
        for name in ways
        for raw, what in (("raw", RAW), ("raw + parse", f"{RAW} and parsed"))
    ]


async def _fill(place: Place, topic: str, count: int) -> int:
    """``count`` streams take turns, as conversations do."""
    async with bare.producer(place) as out:
        made = {stream: ready_rows(stream, 1, VERSIONS) for stream in streams(count, "bench")}
        for n in range(VERSIONS):
            turn = [(stream, rows[n : n + 1]) for stream, rows in made.items()]
            await asyncio.gather(*await bare.send(out, topic, turn))
    return count * VERSIONS


class Counter:
    """Counts records; the clock runs from the first to the last of ``total``."""

    def __init__(self, total: int) -> None:
        self._total, self._seen = total, 0
        self._watch: Stopwatch | None = None
        self.rate: asyncio.Future[float] = asyncio.get_running_loop().create_future()

    def begin(self) -> None:
        self._watch = self._watch or Stopwatch()

    def add(self, count: int) -> None:
        self._seen += count
        if self._seen == self._total and self._watch:
            self.rate.set_result(self._total / self._watch())


class Subject:
    """Versions in `seen` on SQLite, offsets committed, repeats and gaps looked for."""

    def __init__(self, place: Place, store: Store, topic: str, total: int) -> None:
        self._place, self._store, self._topic, self._total = place, store, topic, total

    async def rate(self, *, batches: bool) -> float:
        counter = Counter(self._total)

        async def one(received: Received) -> None:
            counter.begin()
            received.parse(ContactEvent)
            counter.add(1)

        async def many(batch: Sequence[Received]) -> None:
            counter.begin()
            for received in batch:
                received.parse(ContactEvent)
            counter.add(len(batch))

        how: dict[str, Any] = {"handle_batch": many} if batches else {"handle": one}
        group = self._place.fresh("group")
        consumer = Consumer(self._place.kafka.address, group, [self._topic], seen=self._store.seen, **how)
        return await _until(counter.rate, consumer.run)


async def _until(result: asyncio.Future[float], run: Callable[[], Any]) -> float:
    task = asyncio.ensure_future(run())
    await asyncio.wait([result, task], return_when=asyncio.FIRST_COMPLETED)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task  # an error of the consumer's own comes out here
    return result.result()


class Limit:
    """No group, no progress, no headers looked at."""

    def __init__(self, place: Place, topic: str, total: int) -> None:
        self._place, self._topic, self._total = place, topic, total

    async def rate(self, *, parse: bool) -> float:
        client = clients.consumer(self._place.kafka.address, None)
        await client.start()
        try:
            client.assign([TopicPartition(self._topic, n) for n in range(PARTITIONS)])
            return await self._read(client, parse)
        finally:
            await client.stop()

    async def _read(self, client: Any, parse: bool) -> float:
        counter = Counter(self._total)
        while not counter.rate.done():
            for records in (await client.getmany(timeout_ms=1000, max_records=1000)).values():
                counter.begin()
                if parse:
                    for record in records:
                        ContactEvent.FromString(record.value)
                counter.add(len(records))
        return counter.rate.result()
