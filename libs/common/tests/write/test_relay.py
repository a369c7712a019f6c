"""The relay against a topic in memory: kernel rules 8-13."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import pytest

from switchlog.envelope import Row, StreamId, compose
from switchlog.relay import NotContiguous, Relay, sweep, sweep_once
from switchlog.store.memory import MemoryStore

from .tally import Counted, cause, codec, stream


class Topic:
    """An outlet: what was acknowledged, and in which batches; ``away`` refuses, ``gate`` lets acknowledgements wait."""

    def __init__(self) -> None:
        self.records: dict[str, list[int]] = defaultdict(list)
        self.batches: list[tuple[str, list[int]]] = []
        self.away = False
        self.gate: asyncio.Event | None = None
        self.at_once = 0
        self.most_at_once = 0
        self.largest_batch = 1000

    async def publish(self, topic: str, key: bytes, rows: Sequence[Row]) -> int:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            if self.gate is not None:
                await self.gate.wait()
            await asyncio.sleep(0)
            if self.away:
                raise ConnectionError("away")
        finally:
            self.at_once -= 1
        versions = [row.version for row in rows[: self.largest_batch]]
        self.records[key.decode()] += versions
        self.batches.append((key.decode(), versions))
        return len(versions)

    async def close(self) -> None:
        """Nothing to close."""


class Bench:
    def __init__(self, **settings: Any) -> None:
        self.store = MemoryStore()
        self.topic = Topic()
        self.settings = settings
        self.relay = self.another()

    def another(self) -> Relay:
        return Relay(self.store.events, self.topic, lambda _: "tally.events.v1", **self.settings)

    async def stored(self, count: int, target: StreamId | None = None, text: str = "") -> list[Row]:
        """``count`` more events of ``target``, appended by somebody."""
        target = target or stream()
        head = await self.store.events.head(target)
        decided = [(cause(f"c{head + n}"), [Counted("a", text)]) for n in range(count)]
        rows = compose(target, head, decided, codec(), f"{head:032}", 1_750_000_000_000)
        await self.store.events.append(target, head, f"{head:032}", rows)
        return rows

    def versions(self, target: StreamId | None = None) -> list[int]:
        return self.topic.records[(target or stream()).key]


@pytest.fixture
def bench() -> Bench:
    return Bench()


async def test_rows_handed_over_are_published_without_reading_them_again(bench: Bench) -> None:
    for _ in range(3):
        bench.relay.notify(stream(), 0, await bench.stored(2))
    assert await bench.relay.drain()
    assert bench.versions() == [1, 2, 3, 4, 5, 6]
    assert bench.relay.counters.rows_read == 0
    assert await bench.store.events.watermark(stream()) == 6


async def test_a_pass_begins_at_the_watermark_whatever_was_handed_over(bench: Bench) -> None:
    """Kernel rule 11: not only one's own event."""
    await bench.stored(3)
    await bench.store.events.published(stream(), 1)
    bench.relay.notify(stream(), 4, await bench.stored(1))
    await bench.relay.drain()
    assert bench.versions() == [2, 3, 4]


async def test_what_others_appended_in_between_is_read_from_the_store(bench: Bench) -> None:
    bench.relay.notify(stream(), 1, await bench.stored(1))
    await bench.stored(2)
    bench.relay.notify(stream(), 4, await bench.stored(1))
    await bench.relay.drain()
    assert bench.versions() == [1, 2, 3, 4]
    assert bench.relay.counters.rows_read == 3


async def test_the_next_batch_waits_for_the_acknowledgement_of_the_last(bench: Bench) -> None:
    """Kernel rule 12."""
    bench.topic.gate = asyncio.Event()
    bench.topic.largest_batch = 2
    for _ in range(5):
        bench.relay.notify(stream(), 0, await bench.stored(1))
    await asyncio.sleep(0.01)
    assert bench.topic.at_once == 1
    bench.topic.gate.set()
    await bench.relay.drain()
    assert bench.topic.most_at_once == 1
    assert bench.versions() == [1, 2, 3, 4, 5]


async def test_streams_go_out_side_by_side_but_not_more_than_allowed() -> None:
    bench = Bench(at_once=4)
    bench.topic.gate = asyncio.Event()
    for n in range(20):
        bench.relay.notify(stream(f"s{n}"), 1, await bench.stored(1, stream(f"s{n}")))
    await asyncio.sleep(0.01)
    assert bench.topic.at_once == 4
    bench.topic.gate.set()
    assert await bench.relay.drain()
    assert all(bench.versions(stream(f"s{n}")) == [1] for n in range(20))


async def test_the_first_error_ends_the_pass_and_the_next_begins_at_the_watermark(bench: Bench) -> None:
    """Kernel rule 11; trust.md, broker cut off: appends go on and the backlog follows."""
    bench.topic.away = True
    for _ in range(3):
        bench.relay.notify(stream(), 0, await bench.stored(1))
    await asyncio.sleep(0.05)
    assert bench.versions() == []
    assert bench.relay.counters.failed_passes >= 1
    assert await bench.store.events.watermark(stream()) == 0
    bench.topic.away = False
    assert await bench.relay.drain()
    assert bench.versions() == [1, 2, 3]


async def test_rows_that_are_not_contiguous_stop_the_pass_and_are_counted(bench: Bench) -> None:
    """Kernel rule 11."""
    await bench.stored(4)
    del bench.store.events._rows[stream()][2]
    with pytest.raises(NotContiguous):
        await bench.relay.publish_pass(stream())
    assert bench.relay.counters.holes == 1
    assert bench.versions() == []


async def test_the_watermark_follows_the_acknowledgement_and_never_leads(bench: Bench) -> None:
    bench.topic.gate = asyncio.Event()
    bench.relay.notify(stream(), 2, await bench.stored(2))
    await asyncio.sleep(0.05)
    assert await bench.store.events.watermark(stream()) == 0
    bench.topic.gate.set()
    await asyncio.sleep(0.1)
    assert await bench.store.events.watermark(stream()) == 2


async def test_watermarks_survive_a_store_that_is_away_for_a_while(bench: Bench) -> None:
    bench.relay.notify(stream(), 1, await bench.stored(1))
    await asyncio.sleep(0.005)
    bench.store.faults.away = True
    await asyncio.sleep(0.1)
    bench.store.faults.away = False
    await bench.relay.drain()
    assert await bench.store.events.watermark(stream()) == 1


async def test_the_sweeper_publishes_what_a_crash_left_and_only_that(bench: Bench) -> None:
    """Kernel rules 8 and 9."""
    await bench.stored(3)
    await bench.stored(2, stream("other"))
    await bench.store.events.published(stream("other"), 2)
    assert await sweep_once(bench.relay, bench.store.events) == 1
    assert (bench.versions(), bench.versions(stream("other"))) == ([1, 2, 3], [])
    assert await sweep_once(bench.relay, bench.store.events) == 0


async def test_the_sweeper_goes_on_after_a_stream_that_fails(bench: Bench) -> None:
    for name in ("a", "b", "c"):
        await bench.stored(2, stream(name))
    del bench.store.events._rows[stream("b")][0]
    await sweep_once(bench.relay, bench.store.events)
    assert (bench.versions(stream("a")), bench.versions(stream("b")), bench.versions(stream("c"))) == (
        [1, 2],
        [],
        [1, 2],
    )


async def test_while_the_bus_is_away_memory_is_bounded_and_the_sweeper_finds_the_rest() -> None:
    """trust.md: broker cut off 60 s."""
    bench = Bench(lanes=10, buffer_bytes=20_000, at_once=2)
    bench.topic.away = True
    for n in range(50):
        bench.relay.notify(stream(f"s{n}"), 1, await bench.stored(1, stream(f"s{n}"), "x" * 3000))
    assert len(bench.relay._lanes) == 10
    assert sum(row.size for lane in bench.relay._lanes.values() for row in lane.rows) <= 20_000
    assert bench.relay.counters.left_to_sweeper == 40
    bench.topic.away = False
    await bench.relay.drain()
    while await sweep_once(bench.relay, bench.store.events, at_once=5):
        pass
    assert all(bench.versions(stream(f"s{n}")) == [1] for n in range(50))


async def test_streams_at_rest_are_forgotten_and_found_again() -> None:
    bench = Bench(lanes=2)
    for name in ("a", "b", "c", "a", "b", "c"):
        bench.relay.notify(stream(name), 0, await bench.stored(1, stream(name)))
        await bench.relay.drain()
    assert [bench.versions(stream(name)) for name in "abc"] == [[1, 2]] * 3


async def test_a_long_backlog_is_read_page_by_page(bench: Bench) -> None:
    for _ in range(3):
        await bench.stored(1000)
    await bench.relay.publish_pass(stream())
    assert bench.versions() == list(range(1, 3001))


async def test_republish_sends_again_from_the_version_asked_for(bench: Bench) -> None:
    """Kernel rule 13."""
    bench.relay.notify(stream(), 5, await bench.stored(5))
    await bench.relay.drain()
    await bench.relay.publish_again(stream(), 3)
    assert bench.versions() == [1, 2, 3, 4, 5, 3, 4, 5]
    assert await bench.store.events.watermark(stream()) == 5


async def test_republish_by_a_process_that_never_saw_the_stream(bench: Bench) -> None:
    """Kernel rule 13: the command runs in a process of its own."""
    await bench.stored(5)
    await bench.relay.publish_pass(stream())
    await bench.another().publish_again(stream(), 1)
    assert bench.versions() == [1, 2, 3, 4, 5, 1, 2, 3, 4, 5]


async def test_republish_repeats_what_was_published_and_passes_nothing_over(bench: Bench) -> None:
    """Kernel rules 13 and 16: what is new goes out by a pass of its owner, who knows its timers."""
    bench.relay.notify(stream(), 2, await bench.stored(2))
    await bench.relay.drain()
    await bench.stored(2)
    await bench.another().publish_again(stream(), 2)
    assert bench.versions() == [1, 2, 2]
    assert await bench.store.events.watermark(stream()) == 2
    await bench.relay.publish_again(stream(), 10)
    bench.relay.notify(stream(), 0, await bench.stored(1))
    await bench.relay.drain()
    assert bench.versions() == [1, 2, 2, 3, 4, 5]


async def test_a_republish_that_breaks_off_is_ended_by_a_sweeper_that_remembers_more(bench: Bench) -> None:
    """Kernel rule 13: lowered by one process, swept by another, which has long published all of it."""
    bench.relay.notify(stream(), 5, await bench.stored(5))
    await bench.relay.drain()
    bench.topic.away = True
    with pytest.raises(ConnectionError):
        await bench.another().publish_again(stream(), 3)
    bench.topic.away = False
    assert await sweep_once(bench.relay, bench.store.events) == 1
    assert bench.versions() == [1, 2, 3, 4, 5, 3, 4, 5]
    assert await sweep_once(bench.relay, bench.store.events) == 0


async def test_the_sweeper_does_not_repeat_what_waits_for_its_watermark() -> None:
    """Kernel rule 8: it is there for what a crash left."""
    bench = Bench(tick_s=60.0)
    bench.relay.notify(stream(), 5, await bench.stored(5))
    while not bench.versions():
        await asyncio.sleep(0)
    await sweep_once(bench.relay, bench.store.events)
    assert bench.versions() == [1, 2, 3, 4, 5]


class Pauses(random.Random):
    """Chooses no pause at all, and remembers between what it should have chosen."""

    def __init__(self) -> None:
        super().__init__(0)
        self.asked: list[tuple[float, float]] = []

    def uniform(self, a: float, b: float) -> float:
        self.asked.append((a, b))
        return 0.0


async def test_sweepers_look_at_jittered_intervals(bench: Bench) -> None:
    """Kernel rule 8: else those of many processes march in step."""
    sweeping = asyncio.create_task(sweep(bench.relay, bench.store.events, every_s=5.0, chance=(pauses := Pauses())))
    while len(pauses.asked) < 3:
        await asyncio.sleep(0)
    sweeping.cancel()
    assert set(pauses.asked) == {(0.5, 1.5)}


async def test_closing_publishes_what_is_under_way_and_gives_up_in_time(bench: Bench) -> None:
    bench.relay.notify(stream(), 1, await bench.stored(1))
    await bench.relay.close()
    assert bench.versions() == [1]
    other = Bench()
    other.topic.gate = asyncio.Event()
    other.relay.notify(stream(), 1, await other.stored(1))
    began = asyncio.get_running_loop().time()
    await other.relay.close(timeout_s=0.1)
    assert asyncio.get_running_loop().time() - began < 1


async def test_closing_does_not_need_the_store(bench: Bench) -> None:
    bench.relay.notify(stream(), 1, await bench.stored(1))
    await asyncio.sleep(0.005)
    bench.store.faults.away = True
    await bench.relay.close(timeout_s=0.1)
    assert bench.versions() == [1]
