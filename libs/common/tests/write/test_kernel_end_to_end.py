"""The whole way of a fact: command, store, relay, Kafka, consumer, reaction, second stream, Kafka again."""

from __future__ import annotations

import asyncio
import os
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from switchlog.bus import clients
from switchlog.bus.reaction import reaction
from switchlog.bus.record import Received
from switchlog.config import KernelSettings
from switchlog.envelope import Row, StreamId
from switchlog.kernel import Kernel, open_kernel, topic_by_prefix
from switchlog.store import Timer, TimerSet
from switchlog.store.settings import StoreSettings
from switchlog.timers import TimerRunner

from .tally import TALLY, Count, Counted, Tally, TallyMessage, cause, codec, stream

pytestmark = pytest.mark.kafka
BOOTSTRAP = os.environ.get("KAFKA_BOOTSTRAP", "127.0.0.1:19092")
PREFIX = f"e2e-{uuid.uuid4().hex[:8]}"
TALLIES, MIRRORS = f"{PREFIX}.tally.events.v1", f"{PREFIX}.mirror.events.v1"


@pytest.fixture
async def topics() -> AsyncIterator[None]:
    for topic in (TALLIES, MIRRORS):
        await clients.ensure_topic(BOOTSTRAP, topic, 3, replication=1)
    yield
    admin = clients.admin(BOOTSTRAP)
    await admin.start()
    await admin.delete_topics([TALLIES, MIRRORS])
    await admin.close()


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[KernelSettings]:
    """On SQLite, or on a keyspace of its own with ``STORE=cassandra``."""
    store = StoreSettings("sqlite", str(tmp_path))
    if os.environ.get("STORE") == "cassandra":
        port = int(os.environ.get("CASSANDRA_PORT", "19042"))
        store = StoreSettings("cassandra", cassandra_port=port, keyspace_prefix=f"e{uuid.uuid4().hex[:8]}_")
    yield KernelSettings("tally", store, http_port=0, grpc_port=0, kafka_bootstrap=BOOTSTRAP)
    if store.kind == "cassandra":
        drop_keyspace(store)


def drop_keyspace(store: StoreSettings) -> None:
    from cassandra.cluster import Cluster

    cluster = Cluster(["127.0.0.1"], port=store.cassandra_port, protocol_version=5)
    cluster.connect().execute(f"DROP KEYSPACE IF EXISTS {store.keyspace_prefix}tally", timeout=60)
    cluster.shutdown()


@asynccontextmanager
async def mirroring(kernel: Kernel, group: str, each: Callable[[], None] = lambda: None) -> AsyncIterator[list[float]]:
    """A consumer that counts on ``mirror-x`` what was counted on ``tally-x``; yields when each fact was mirrored."""
    mirrors = kernel.writer(TALLY, codec(MIRRORS))
    mirrored: list[float] = []

    async def when_counted(received: Received) -> None:
        fact = received.parse(TallyMessage)
        target = StreamId(received.stream.tenant, received.stream.name.replace("tally", "mirror"))
        await reaction(mirrors, target, Count(fact.counted.by), received, "when_counted")
        mirrored.append(time.perf_counter())
        each()

    consumer = kernel.consumer(f"{PREFIX}-{group}", [TALLIES], when_counted)
    running = asyncio.create_task(consumer.run())
    await asyncio.wait_for(consumer.assigned.wait(), 10)
    try:
        yield mirrored
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def until(condition, seconds: float = 10) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)


async def records(topic: str, count: int) -> list:
    consumer = clients.consumer(BOOTSTRAP, None, [topic])
    await consumer.start()
    found: list = []
    try:
        async with asyncio.timeout(10):
            while len(found) < count:
                for batch in (await consumer.getmany(timeout_ms=200)).values():
                    found += batch
    finally:
        await consumer.stop()
    return found


async def test_a_fact_travels_and_a_second_delivery_of_everything_changes_nothing(
    topics: None, settings: KernelSettings
) -> None:
    """Ideas 1 to 3; kernel rules 7, 8 and 14."""
    names = [f"tally-{n}" for n in range(5)]
    async with open_kernel(settings, topics={"tally": TALLIES, "mirror": MIRRORS}) as kernel:
        tallies = kernel.writer(TALLY, codec(TALLIES))
        async with mirroring(kernel, "first") as mirrored:
            for n in range(20):
                await asyncio.gather(*(tallies.execute(stream(x), Count("a"), cause(f"{x}-{n}")) for x in names))
            await until(lambda: len(mirrored) == 100)
        async with mirroring(kernel, "second") as again:
            await until(lambda: len(again) == 100)
        mirror = kernel.writer(TALLY, codec(MIRRORS))
        for name in names:
            assert (await mirror.state(stream(name.replace("tally", "mirror")))).state == Tally(20)
    found = await records(MIRRORS, 100)
    for name in names:
        own = [
            TallyMessage.FromString(r.value)
            for r in found
            if r.key == f"acme/{name.replace('tally', 'mirror')}".encode()
        ]
        assert [one.meta.version for one in own] == list(range(1, 21))
        assert len({one.meta.causation_id for one in own}) == 20
        assert {one.meta.correlation_id for one in own} == {name}


async def test_what_a_crash_left_unpublished_is_swept_up_by_the_next_process(
    topics: None, settings: KernelSettings
) -> None:
    """Kernel rules 8, 9; trust.md, kill between append and publish."""
    async with open_kernel(settings, topics={"tally": TALLIES}) as kernel:
        kernel.relay.notify = lambda *_: None  # type: ignore[method-assign]  # dies before it publishes anything
        tallies = kernel.writer(TALLY, codec(TALLIES))
        for n in range(10):
            await tallies.execute(stream(), Count("a"), cause(f"c{n}"))
    async with open_kernel(settings, topics={"tally": TALLIES}) as kernel:
        assert await kernel.ready() == {"store": True}
        sweeping = asyncio.create_task(kernel.sweeper(every_s=0.1)())
        found = await records(TALLIES, 10)
        sweeping.cancel()
    assert [TallyMessage.FromString(record.value).meta.version for record in found] == list(range(1, 11))


async def test_a_timer_fires_when_it_is_due_and_not_when_somebody_looks_next(
    topics: None, settings: KernelSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kernel rule 16; the runner would look again after half a minute."""
    monkeypatch.setitem(TimerRunner.__init__.__kwdefaults__, "longest_sleep_s", 30.0)  # type: ignore[index]

    def timers_of(of: StreamId, row: Row) -> list[TimerSet]:
        return [TimerSet(Timer(of, "t", "wake", row.recorded_at + 200))]

    fired: list[Timer] = []

    async def fire(timer: Timer) -> None:
        fired.append(timer)

    async with open_kernel(settings, topics={"tally": TALLIES}, timers_of=timers_of) as kernel:
        running = asyncio.ensure_future(kernel.timer_runner(fire)())
        await asyncio.sleep(0.2)
        await kernel.writer(TALLY, codec(TALLIES)).execute(stream(), Count("a"), cause("c1"))
        await until(lambda: fired)
        running.cancel()
    assert kernel.clock.now() >= fired[0].due_at


async def test_from_command_to_the_reactions_append_takes_milliseconds(topics: None, settings: KernelSettings) -> None:
    """Two appends and one hop over Kafka, part of queued -> offered; generous here, the figure is printed."""
    async with open_kernel(settings, topics={"tally": TALLIES, "mirror": MIRRORS}) as kernel:
        tallies = kernel.writer(TALLY, codec(TALLIES))
        took: list[float] = []
        done = asyncio.Event()
        async with mirroring(kernel, "latency", done.set) as mirrored:
            for n in range(120):
                done.clear()
                began = time.perf_counter()
                await tallies.execute(stream(), Count("a"), cause(f"c{n}"))
                await done.wait()
                took.append(mirrored[-1] - began)
        took = sorted(took[20:])
        print(f"command to reaction stored: p50 {took[50] * 1e3:.1f} ms, p99 {took[98] * 1e3:.1f} ms")
        assert took[50] < 0.1


def test_a_stream_of_an_undeclared_kind_is_a_bug() -> None:
    topic_of = topic_by_prefix({"tally": TALLIES})
    assert topic_of(stream("tally-1")) == TALLIES
    with pytest.raises(KeyError):
        topic_of(stream("other-1"))


def test_facts_survive_their_bytes() -> None:
    assert codec().read(codec().write(Counted("a", "b"))) == Counted("a", "b")
