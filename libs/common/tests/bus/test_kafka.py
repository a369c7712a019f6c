"""The consumer on a real Apache Kafka: membership, kill -9, healing, dead letters, delay (kernel rules 7, 14, 15)."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
import time
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition

from switchlog.bus import clients
from switchlog.bus.consumer import Consumer
from switchlog.bus.dead import dead_topic
from switchlog.bus.parking import parked_streams
from switchlog.bus.quarantine import Halted
from switchlog.bus.record import Received
from switchlog.envelope import Row, StreamId
from switchlog.errors import NotNow, Poison
from switchlog.store.memory import MemoryStore
from switchlog.store.opening import open_store
from switchlog.store.settings import StoreSettings

from .kit import CODEC, Done, Owners, stream, text_of, until

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(180)]

BOOTSTRAP = os.environ.get("KAFKA_BOOTSTRAP", "127.0.0.1:19092")
A, B = stream("agent-a"), stream("agent-b")


@dataclass
class World:
    topic: str
    group: str
    producer: AIOKafkaProducer
    store: MemoryStore = field(default_factory=MemoryStore)
    owners: Owners = field(default_factory=Owners)
    done: Done = field(default_factory=Done)

    async def send(self, of: StreamId, rows: Sequence[Row]) -> None:
        for row in rows:
            await self.producer.send(self.topic, row.value, of.key.encode(), headers=list(row.headers))
        await self.producer.flush()

    async def publish(self, of: StreamId, *texts: str) -> None:
        await self.send(of, self.owners.hold(of, *texts))

    def consumer(self, **changes) -> Consumer:
        given = {"seen": self.store.seen, "healer": self.owners, "parked": self.store.views}
        if "handle_batch" not in changes:
            given["handle"] = self.done.handle
        return Consumer(BOOTSTRAP, self.group, [self.topic], **(given | changes))

    @asynccontextmanager
    async def running(self, **changes) -> AsyncIterator[Consumer]:
        consumer = self.consumer(**changes)
        task = asyncio.create_task(consumer.run())
        try:
            await asyncio.wait({asyncio.create_task(consumer.assigned.wait()), task}, return_when="FIRST_COMPLETED")
            yield consumer
        finally:
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    async def lag(self) -> int:
        """Records not committed yet."""
        client = clients.consumer(BOOTSTRAP, self.group)
        await client.start()
        try:
            where = [TopicPartition(self.topic, n) for n in range(PARTITIONS)]
            ends = await client.end_offsets(where)
            return sum([ends[each] - (await client.committed(each) or 0) for each in where])
        finally:
            await client.stop()

    async def rewind(self) -> None:
        """Commit offset 0 everywhere."""
        client = clients.consumer(BOOTSTRAP, self.group)
        await client.start()
        where = [TopicPartition(self.topic, n) for n in range(PARTITIONS)]
        client.assign(where)
        await client.commit(dict.fromkeys(where, 0))
        await client.stop()

    async def read_all(self, topic: str, n: int) -> list:
        client = clients.consumer(BOOTSTRAP, None, [topic])
        await client.start()
        try:
            async with asyncio.timeout(10):
                found: list = []
                while len(found) < n:
                    for records in (await client.getmany(timeout_ms=200)).values():
                        found += records
            return found
        finally:
            await client.stop()


PARTITIONS = 4


@pytest.fixture
async def world() -> AsyncIterator[World]:
    name = f"test-{uuid.uuid4().hex[:10]}"
    topic, group = f"{name}.events.v1", f"{name}-react"
    await clients.ensure_topic(BOOTSTRAP, topic, PARTITIONS, {"message.timestamp.type": "LogAppendTime"})
    producer = clients.producer(BOOTSTRAP)
    await producer.start()
    yield World(topic, group, producer)
    await producer.stop()
    admin = clients.admin(BOOTSTRAP)
    await admin.start()
    await admin.delete_topics([each for each in await admin.list_topics() if each.startswith(name)])
    await admin.close()


async def test_a_topic_is_made_once():
    name = f"test-{uuid.uuid4().hex[:10]}.events.v1"
    assert await clients.ensure_topic(BOOTSTRAP, name, 2) is True
    assert await clients.ensure_topic(BOOTSTRAP, name, 2) is False
    admin = clients.admin(BOOTSTRAP)
    await admin.start()
    await admin.delete_topics([name])
    await admin.close()


@pytest.mark.parametrize("mode", ["single", "lanes", "batch"])
async def test_redelivered_from_the_beginning_there_is_no_second_effect(world, mode):
    how = {"single": {}, "lanes": {"concurrency": 8}, "batch": {"handle_batch": world.done.handle_batch}}[mode]
    names = [f"agent-{n}" for n in range(20)]
    for name in names:
        await world.publish(stream(name), *map(str, range(50)))
    expected = {f"acme/{name}": [str(n) for n in range(50)] for name in names}
    async with world.running(**how):
        await until(lambda: world.done.texts == expected, 20)
    assert await world.lag() == 0
    await world.rewind()
    async with world.running(**how) as consumer:
        await until(lambda: consumer.tally["repeat"] == 1000, 20)
    assert world.done.texts == expected and await world.lag() == 0


async def test_two_members_share_and_hand_over_without_loss_or_double(world):
    names = [f"agent-{n}" for n in range(16)]
    written, enough = 0, asyncio.Event()

    async def write() -> None:
        nonlocal written
        while not enough.is_set():
            for name in names:
                await world.publish(stream(name), str(written))
            written += 1

    async with world.running(concurrency=4) as first:
        writing = asyncio.create_task(write())
        await until(lambda: first.tally["handled"] > 50, 20)
        async with world.running(concurrency=4) as second:
            await until(lambda: len(first.partitions) == len(second.partitions) == 2, 20)
            await until(lambda: second.tally["handled"] > 50, 30)
        await until(lambda: len(first.partitions) == 4, 20)
        enough.set()
        await writing
        await until(lambda: all(len(world.done.texts[f"acme/{name}"]) == written for name in names), 20)
    assert world.done.texts == {f"acme/{name}": [str(n) for n in range(written)] for name in names}
    assert first.tally["gap"] == second.tally["gap"] == 0
    assert await world.lag() == 0


@pytest.mark.slow
@pytest.mark.parametrize("concurrency,per_stream", [(1, 40), (16, 150)])
async def test_killed_again_and_again_every_event_has_exactly_one_effect(world, tmp_path, concurrency, per_stream):
    """Trust, kill -9: the effect, `seen`, the commit, in that order, with the target's own memory behind."""
    names = [f"agent-{n}" for n in range(30)]
    for name in names:
        await world.publish(stream(name), *map(str, range(per_stream)))
    chance, in_the_middle = random.Random(7), 0
    async with asyncio.timeout(150):
        while lag := await world.lag():
            in_the_middle += lag < 30 * per_stream
            await one_short_life(world, tmp_path, concurrency, chance.uniform(0.2, 0.6))
    store = await open_store(StoreSettings(kind="sqlite", path=str(tmp_path)), "testing")
    noted = {name: CODEC.events(await store.events.read(StreamId("acme", f"note-{name}"))) for name in names}
    await store.close()
    assert noted == {name: [str(n) for n in range(per_stream)] for name in names}
    print(f"killed {in_the_middle} times in the middle")
    assert in_the_middle >= 3


async def one_short_life(world: World, path: Path, concurrency: int, seconds: float) -> None:
    """A child that reacts for so long after its first effect, and is killed."""
    command = [str(Path(__file__).with_name("reactor.py")), BOOTSTRAP, world.topic, world.group, str(path)]
    child = await asyncio.create_subprocess_exec(
        sys.executable, *command, str(concurrency), stdout=asyncio.subprocess.PIPE
    )
    try:
        line = b""
        while b"handling" not in line:
            line = await child.stdout.readline()
        await asyncio.sleep(seconds)
    finally:
        child.send_signal(signal.SIGKILL)
        await child.wait()


async def test_a_topic_made_after_the_consumer_started_is_found(world):
    later = f"{world.topic}.later"
    consumer = Consumer(BOOTSTRAP, world.group, [later], world.done.handle)
    task = asyncio.create_task(consumer.run())
    await asyncio.sleep(1)
    await clients.ensure_topic(BOOTSTRAP, later, 1)
    (row,) = world.owners.hold(A, "1")
    await world.producer.send_and_wait(later, row.value, A.key.encode(), headers=list(row.headers))
    await until(lambda: world.done.texts[A.key] == ["1"], 25)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_consumer_without_a_broker_waits_and_stops_when_told(world):
    consumer = Consumer("127.0.0.1:1", world.group, [world.topic], world.done.handle)
    task = asyncio.create_task(consumer.run())
    await until(lambda: consumer.tally["later"] >= 2, 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 3)


async def test_a_hole_is_detected_and_healed_within_a_second(world):
    made = world.owners.hold(A, *map(str, range(1, 7)))
    await world.send(A, made[:2])
    async with world.running() as consumer:
        await until(lambda: world.done.texts[A.key] == ["1", "2"])
        begun = time.monotonic()
        await world.send(A, made[5:])
        await until(lambda: len(world.done.texts[A.key]) == 6)
        took = time.monotonic() - begun
    assert world.done.texts[A.key] == ["1", "2", "3", "4", "5", "6"]
    assert (consumer.tally["gap"], consumer.tally["healed"]) == (1, 3) and took < 1


async def test_poison_in_a_busy_topic_is_buried_or_parked_and_the_rest_flows(world):
    async def act(text: str) -> None:
        if text == "a2":
            raise Poison("BROKEN")

    world.done.act = act
    await world.publish(A, "a1", "a2", "a3")
    await world.producer.send_and_wait(world.topic, b"\xff\xff", b"acme/agent-x", headers=[("h", b"1")])
    for n in range(200):
        await world.publish(stream(f"agent-{n}"), "x")
    async with world.running() as consumer:
        await until(lambda: sum(map(len, world.done.texts.values())) == 201, 20)
        await until(lambda: (consumer.tally["parked"], consumer.tally["dead"]) == (2, 1))
    (grave,) = await world.read_all(dead_topic(world.topic, world.group), 1)
    headers = dict(grave.headers)
    assert grave.value == b"\xff\xff" and grave.key == b"acme/agent-x" and headers["h"] == b"1"
    assert headers["dead_reason"] == b"BAD_HEADERS" and headers["dead_topic"] == world.topic.encode()
    assert [p.stream for p in await parked_streams(world.store.views, world.group)] == [A.key]
    assert await world.lag() == 0


async def test_a_bad_deploy_halts_and_commits_nothing(world):
    for n in range(30):
        await world.publish(stream(f"agent-{n}"), "x")
    tried: list[str] = []

    async def broken(received: Received) -> None:
        tried.append(received.key)
        raise Poison("BROKEN")

    with pytest.raises(Halted):
        await asyncio.wait_for(world.consumer(handle=broken).run(), 20)
    assert len(tried) == 10 and await world.lag() == 30
    async with world.running():
        await until(lambda: len(world.done.texts) == 30, 20)


async def test_a_stuck_partition_does_not_delay_the_others(world):
    stuck = asyncio.Event()

    async def act(text: str) -> None:
        if text == "stuck" and not stuck.is_set():
            raise NotNow("BUSY")

    world.done.act = act
    await world.publish(A, "stuck", "after")
    async with world.running() as consumer:
        await until(lambda: consumer.tally["later"] > 2, 20)
        begun = time.monotonic()
        for n in range(100):
            await world.publish(stream(f"agent-{n}"), "flows")
        await until(lambda: sum(texts == ["flows"] for texts in world.done.texts.values()) >= 40)
        assert time.monotonic() - begun < 2
        stuck.set()
        await until(lambda: world.done.texts[A.key] == ["stuck", "after"])


async def test_at_a_low_rate_a_record_is_handled_within_milliseconds(world):
    sent: dict[str, float] = {}
    delays: list[float] = []

    async def handle(received: Received) -> None:
        delays.append(time.perf_counter() - sent[text_of(received)])

    streams = [stream(f"agent-{n}") for n in range(16)]
    async with world.running(handle=handle):
        for n in range(300):
            (row,) = world.owners.hold(streams[n % 16], str(n))
            sent[str(n)] = time.perf_counter()
            await world.producer.send(world.topic, row.value, streams[n % 16].key.encode(), headers=list(row.headers))
            await asyncio.sleep(0.01)
        await until(lambda: len(delays) == 300)
    delays.sort()
    print(f"delay p50 {delays[150] * 1000:.1f} ms, p99 {delays[297] * 1000:.1f} ms")
    # generous: a shared machine; a fetch that waited would cost 250 ms
    assert delays[150] < 0.05 and delays[285] < 0.2
