"""Lines of a call log a second: read, made durable, folded; each beside what the bare libraries need for the same."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import msgspec

from analytics import wiring
from analytics.adapters import fed_events, fed_facts
from analytics.app.feedlines import read_line
from analytics.app.folding import Folding
from analytics.app.lines import BATCH, Splitter
from analytics.app.ports import Where
from analytics.domain.feed import Terms, streams_of
from analytics.projections.fed_rows import FedRows
from analytics.projections.rows import StoredRows
from benchmarks.figures import Ceiling, Figure
from benchmarks.kernel import bare
from benchmarks.place import Place
from benchmarks.sampling import Stopwatch, in_turns
from contactcenter.external.v1.events_pb2 import ExternalEvent
from switchlog.envelope import Row, StreamId
from switchlog.kernel import Kernel, open_kernel

ROUNDS, CALLS = 5, 10_000
TENANT, NOW = "bench", 1 << 45
GOAL = "goal 5 000"
_names = itertools.count()


class Record(NamedTuple):
    """As a Kafka client gives it."""

    topic: str
    partition: int
    offset: int
    key: bytes
    value: bytes
    headers: Sequence[tuple[str, bytes]] = ()


def call_log(calls: int, source: str, seed: int = 1, every_s: float = 2) -> bytes:
    """``calls`` by time, one in ``every_s`` seconds: seven lines each, three of those abandoned."""
    chance, lines = random.Random(seed), []
    began = datetime(2025, 3, 3, 8, tzinfo=UTC)
    for n in range(calls):
        lines += _call(chance, source, n, began + timedelta(seconds=n * every_s))
    return b"\n".join(text for _, text in sorted(lines))


def _call(chance: random.Random, source: str, n: int, at: datetime) -> Iterator[tuple[datetime, bytes]]:
    said = {"source": source, "contact": f"c{n}", "queue": f"q{chance.randrange(10)}", "channel": "voice"}
    waited, talked = chance.expovariate(1 / 20), chance.expovariate(1 / 180)
    yield _line(at, said, "contact_started")
    yield _line(at, said, "contact_queued")
    if waited > 60:
        yield _line(at + timedelta(seconds=60), said, "contact_abandoned")
        return
    said["agent"] = f"a{chance.randrange(200)}"
    answered, over = at + timedelta(seconds=waited), at + timedelta(seconds=waited + talked)
    yield _line(answered, said, "contact_answered")
    yield _line(over, said, "agent_disconnected")
    yield _line(over, said, "contact_ended")
    yield _line(over, said, "wrap_up_started")
    yield _line(over + timedelta(seconds=20), said, "wrap_up_ended")


def _line(at: datetime, said: dict[str, str], fact: str) -> tuple[datetime, bytes]:
    return at, msgspec.json.encode(said | {"at": at, "fact": fact})


async def run(place: Place) -> list[Figure]:
    count = place.scaled(CALLS)
    topics = {"feed": await place.topic("feed")}
    async with open_kernel(place.settings("sqlite", place.fresh("feed")), topics=topics) as kernel:
        return [*await _read(place, count), await _taken(place, kernel, count), await _folded(place, kernel, count)]


# --- read ------------------------------------------------------------------------------------------------------------


async def _read(place: Place, calls: int) -> list[Figure]:
    body = call_log(calls, "read")

    async def ours() -> float:
        watch, lines = Stopwatch(), Splitter().split(body)
        for _, text in lines:
            read_line(text, NOW)
        return len(lines) / watch()

    async def plain() -> float:
        watch, lines = Stopwatch(), body.split(b"\n")
        for text in lines:
            msgspec.json.decode(text)
        return len(lines) / watch()

    found = await in_turns(place.rounds(ROUNDS), {"ours": ours, "plain": plain})
    return [Figure("feed, lines read and checked", "1/s", found["ours"], Ceiling("bare JSON decode", found["plain"]))]


# --- taken -----------------------------------------------------------------------------------------------------------


async def _taken(place: Place, kernel: Kernel, calls: int) -> Figure:
    feeding = wiring.feeding(kernel)

    async def ours() -> float:
        source = f"taken{next(_names)}"
        body = call_log(calls, source)
        watch, lines = Stopwatch(), Splitter().split(body)
        giving = feeding.one(TENANT, "bench", Terms(any_order=True))
        for begin in range(0, len(lines), BATCH):
            part = lines[begin : begin + BATCH]
            await giving.give([(number, read_line(text, NOW)) for number, text in part])
        tally = await giving.end()
        assert tally.accepted == len(lines)
        return len(lines) / watch()

    async with bare.opened(place, "sqlite") as driver:

        async def plain() -> float:
            tenant = place.fresh("bare")
            lots = [(StreamId(tenant, stream.name), rows[:1_000]) for stream, rows in await _rows(kernel, "taken0")]
            watch = Stopwatch()
            for lot in lots:
                await driver.commit([lot])
            return sum(len(rows) for _, rows in lots) / watch()

        await ours()  # opens the store, on nobody's account
        found = await in_turns(place.rounds(ROUNDS), {"ours": ours, "plain": plain})
    what = "bare sqlite3, the same rows, 1 000 a commit"
    return Figure("feed, lines made durable", "1/s", found["ours"], Ceiling(what, found["plain"]), note=GOAL)


async def _rows(kernel: Kernel, source: str) -> list[tuple[StreamId, Sequence[Row]]]:
    streams = [StreamId(TENANT, name) for name in streams_of(source)]
    return [(stream, await kernel.store.events.read(stream)) for stream in streams]


# --- folded ----------------------------------------------------------------------------------------------------------


async def _folded(place: Place, kernel: Kernel, calls: int) -> Figure:
    told = [(stream.key.encode(), row.value) for stream, rows in await _rows(kernel, "taken0") for row in rows]
    records = [Record(fed_events.TOPIC, 0, offset, *one) for offset, one in enumerate(told)]

    async def ours() -> float:
        rows = FedRows(StoredRows(kernel.store.views, f"f{next(_names)}", "g"), fed_facts.contacts_in)
        where = Where(fed_events.TOPIC, 0)
        folding = Folding(where, await rows.board(where), rows, fed_facts, None, None)  # type: ignore[arg-type]
        watch = Stopwatch()
        for begin in range(0, len(records), 5_000):
            await folding.take(records[begin : begin + 5_000])
        return len(records) / watch()

    async def plain() -> float:
        watch = Stopwatch()
        for record in records:
            ExternalEvent.FromString(record.value)
        return len(records) / watch()

    found = await in_turns(place.rounds(ROUNDS), {"ours": ours, "plain": plain})
    ceiling = Ceiling("bare protobuf parse", found["plain"])
    return Figure("feed, lines folded and stored", "1/s", found["ours"], ceiling, note=GOAL)
