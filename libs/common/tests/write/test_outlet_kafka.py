"""The outlet and the relay on a real broker: order, batches, refusals (kernel rules 11, 12; promises P1-P3, P5)."""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiokafka.errors import KafkaError

from switchlog.bus import clients
from switchlog.clock import SystemClock
from switchlog.envelope import Row, StreamId
from switchlog.errors import NotNow
from switchlog.outlet import KafkaOutlet, Record
from switchlog.relay import Relay
from switchlog.store.memory import MemoryStore
from switchlog.writer import Writer

from .tally import TALLY, Count, cause, codec, stream
from .test_relay import Bench as Stored

pytestmark = pytest.mark.kafka
BOOTSTRAP = os.environ.get("KAFKA_BOOTSTRAP", "127.0.0.1:19092")


@asynccontextmanager
async def made(partitions: int, **config: str) -> AsyncIterator[str]:
    name = f"tally-{uuid.uuid4().hex[:8]}.events.v1"
    await clients.ensure_topic(
        BOOTSTRAP, name, partitions, {k.replace("_", "."): v for k, v in config.items()}, replication=1
    )
    yield name
    admin = clients.admin(BOOTSTRAP)
    await admin.start()
    await admin.delete_topics([name])
    await admin.close()


@pytest.fixture
async def topic() -> AsyncIterator[str]:
    """Three partitions that take batches of 300 kB."""
    async with made(3, max_message_bytes="300000") as name:
        yield name


@pytest.fixture
async def roomy() -> AsyncIterator[str]:
    """One partition that takes 1 MiB, as ours do."""
    async with made(1) as name:
        yield name


@pytest.fixture
async def outlet() -> AsyncIterator[KafkaOutlet]:
    made = KafkaOutlet(lambda: clients.producer(BOOTSTRAP), acknowledge_s=5)
    yield made
    await made.close()


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


async def test_everything_stored_is_on_the_topic_in_order_and_byte_for_byte(topic: str, outlet: KafkaOutlet) -> None:
    """P1, P2, P3 and the stored bytes being the published ones."""
    store = MemoryStore()
    relay = Relay(store.events, outlet, lambda _: topic)
    writer = Writer(store.events, TALLY, codec(topic), relay.notify, SystemClock())
    names = [f"s{n}" for n in range(20)]
    commands = (
        writer.execute(stream(name), Count("a", times=n % 4 + 1), cause(f"{name}-{n}"))
        for n in range(25)
        for name in names
    )
    await asyncio.gather(*commands)
    assert await relay.drain()
    stored = {name: await store.events.read(stream(name)) for name in names}
    found = await records(topic, sum(map(len, stored.values())))
    for name in names:
        own = [record for record in found if record.key == stream(name).key.encode()]
        assert [(r.value, tuple(r.headers)) for r in own] == [(row.value, row.headers) for row in stored[name]]
        assert len({record.partition for record in own}) == 1


async def test_partitions_are_those_of_the_default_partitioner(topic: str, outlet: KafkaOutlet) -> None:
    """P3: as a Java producer would choose."""
    bench = Stored()
    for n in range(10):
        for rows in (await bench.stored(1, stream(f"p{n}")), await bench.stored(3, stream(f"p{n}"))):
            await outlet.publish(topic, stream(f"p{n}").key.encode(), rows)
    producer = clients.producer(BOOTSTRAP)
    await producer.start()
    for n in range(10):
        await producer.send_and_wait(topic, b"by the default partitioner", stream(f"p{n}").key.encode())
    await producer.stop()
    found = await records(topic, 50)
    places = {(record.key, record.partition) for record in found}
    assert len(places) == 10
    assert len({partition for _, partition in places}) > 1


async def test_a_batch_takes_as_many_rows_as_fit_512_kib(roomy: str, outlet: KafkaOutlet) -> None:
    rows = await Stored().stored(10, text="x" * 60_000)
    assert await outlet.publish(roomy, b"acme/tally-1", rows) == 8
    assert [record.value for record in await records(roomy, 8)] == [row.value for row in rows[:8]]


async def test_after_a_refused_record_a_new_producer_goes_on(topic: str, outlet: KafkaOutlet) -> None:
    """Kernel rule 12: the topic takes 300 kB; a refused batch makes the old producer refuse the partition for ever."""
    bench = Stored()
    small, large = await bench.stored(1), await bench.stored(2, text="x" * 180_000)
    assert await outlet.publish(topic, b"acme/tally-1", small) == 1
    with pytest.raises(KafkaError):
        await outlet.publish(topic, b"acme/tally-1", large)
    assert await outlet.publish(topic, b"acme/tally-1", large[:1]) == 1
    assert outlet.producers_made == 2
    assert [record.value for record in await records(topic, 2)] == [small[0].value, large[0].value]


async def test_what_is_in_no_log_is_sent_in_order_per_key(roomy: str, outlet: KafkaOutlet) -> None:
    """Inbox items and compacted rows; more than one batch for one key, a deletion among them."""
    sent = [Record(b"k%d" % (n % 5), b"x" * 30_000 if n % 7 else None, (("n", b"%d" % n),)) for n in range(60)]
    await outlet.send(roomy, sent)
    found = await records(roomy, 60)
    for key in {record.key for record in sent}:
        expected = [(record.value, record.headers) for record in sent if record.key == key]
        assert [(one.value, tuple(one.headers)) for one in found if one.key == key] == expected


async def test_what_cannot_be_sent_is_not_now() -> None:
    nowhere = KafkaOutlet(lambda: clients.producer("127.0.0.1:1"))
    with pytest.raises(NotNow, match="BUS_AWAY"):
        await nowhere.send("t", [Record(b"k", b"v")])
    await nowhere.close()


async def test_many_streams_share_one_attempt_to_connect() -> None:
    attempts: list[object] = []

    def producer() -> object:
        attempts.append(made := clients.producer("127.0.0.1:1"))
        return made

    nowhere, rows = KafkaOutlet(producer), await Stored().stored(1)
    calls = (nowhere.publish("t", b"k%d" % n, rows) for n in range(100))
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert all(isinstance(outcome, KafkaError | OSError) for outcome in outcomes)
    assert len(attempts) == 1
    await nowhere.close()


async def test_a_broker_that_is_away_is_an_error_and_the_next_pass_connects_anew() -> None:
    nowhere = KafkaOutlet(lambda: clients.producer("127.0.0.1:1"), acknowledge_s=1)
    with pytest.raises((KafkaError, OSError)):
        await nowhere.publish("t", b"k", await Stored().stored(1))
    assert nowhere.producers_made == 0
    await nowhere.close()


async def test_from_append_to_acknowledged_takes_a_millisecond_or_two(topic: str, outlet: KafkaOutlet) -> None:
    """The hop that every fact takes; generous here because the machine may be busy, the figure is printed."""
    store, acknowledged = MemoryStore(), asyncio.Event()
    relay = Relay(store.events, outlet, lambda _: topic)
    done: list[float] = []
    publish = outlet.publish

    async def timed(topic: str, key: bytes, rows: list[Row]) -> int:
        sent = await publish(topic, key, rows)
        done.append(asyncio.get_running_loop().time())
        acknowledged.set()
        return sent

    outlet.publish = timed  # type: ignore[method-assign, assignment]

    def told(stream: StreamId, head: int, rows: list[Row]) -> None:
        began.append(asyncio.get_running_loop().time())
        relay.notify(stream, head, rows)

    began: list[float] = []
    writer = Writer(store.events, TALLY, codec(topic), told, SystemClock())  # type: ignore[arg-type]
    for n in range(200):
        acknowledged.clear()
        await writer.execute(stream(), Count("a"), cause(f"c{n}"))
        await acknowledged.wait()
    await relay.drain()
    took = sorted(end - start for start, end in zip(began[10:], done[10:], strict=True))
    print(f"append to acknowledged: p50 {took[95] * 1e3:.2f} ms, p99 {took[187] * 1e3:.2f} ms")
    assert took[95] < 0.02
