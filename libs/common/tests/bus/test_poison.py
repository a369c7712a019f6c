"""Never: dead letters, parked streams, a bad deploy that halts and skips nothing (kernel rule 14; trust, Faults)."""

from __future__ import annotations

import asyncio
import dataclasses

import pytest

from switchlog.bus.dead import KafkaDeadLetters, death_headers
from switchlog.bus.parking import parked_streams, unpark
from switchlog.bus.quarantine import Halted
from switchlog.bus.record import Kept, read_row
from switchlog.errors import NotNow, Poison

from .kit import GROUP, TOPIC, World, rows, stream, until
from .test_consumer import MODES, how

A, B = stream("agent-a"), stream("agent-b")


@pytest.fixture
def world() -> World:
    world = World()
    world.broker.partitions = 1
    return world


def failing_on(*bad: str):
    async def act(text: str) -> None:
        if text in bad:
            raise Poison("BROKEN", text)

    return act


async def parked(world: World) -> list[str]:
    return [found.stream for found in await parked_streams(world.store.views, GROUP)]


@MODES
async def test_an_undecodable_record_is_buried_and_the_stream_is_healed_by_the_next(world, mode):
    one, two, three = world.owners.hold(A, "1", "2", "3")
    world.broker.publish(TOPIC, A, one)
    world.broker.produce(TOPIC, A.key.encode(), b"\xff\xff", two.headers)
    world.broker.publish(TOPIC, A, three)
    async with world.running(**how(world, mode)) as consumer:
        await world.all_committed()
    assert world.done.texts[A.key] == ["1", "2", "3"]
    assert [(raw.offset, reason) for raw, reason in world.graves.buried] == [(1, "UNDECODABLE")]
    assert consumer.tally["healed"] == 1 and await parked(world) == []


BAD_RECORDS = [
    (None, b"x", (), "BAD_HEADERS"),
    (b"no-slash", b"x", (), "BAD_STREAM_KEY"),
    (b"\xff\xfe/x", b"x", (), "BAD_STREAM_KEY"),
    (b"acme/agent-z", None, (), "BAD_HEADERS"),
    (b"acme/agent-z", b"x", (), "BAD_HEADERS"),
    (b"acme/agent-z", b"x", (("ce_tenantid", b"other"), ("ce_subject", b"agent-z")), "FORGED"),
]


@pytest.mark.parametrize("key,value,headers,reason", BAD_RECORDS)
@MODES
async def test_a_record_without_honest_headers_is_buried(world, mode, key, value, headers, reason):
    world.broker.produce(TOPIC, key, value, headers)
    world.publish(B, "1")
    async with world.running(**how(world, mode)):
        await world.all_committed()
    assert [found for _, found in world.graves.buried] == [reason]
    assert world.done.texts == {B.key: ["1"]}


@pytest.mark.parametrize("version", [b"0", b"-1", b"1_0", b" 1", b"", b"9" * 5000, b"1e3", "٣".encode()])
async def test_a_version_that_is_no_version_is_buried(world, version):
    (row,) = rows(A, "x")
    headers = [(name, version if name == "ce_streamversion" else value) for name, value in row.headers]
    world.broker.produce(TOPIC, A.key.encode(), row.value, headers)
    world.publish(B, "1")
    async with world.running():
        await world.all_committed()
    assert [found for _, found in world.graves.buried] == ["BAD_HEADERS"]


async def test_an_astronomic_version_is_forged_and_costs_nothing(world):
    world.publish(A, "1")
    (row,) = rows(A, "x", after=10**14)
    world.broker.publish(TOPIC, A, row)
    world.publish(A, "2")
    async with world.running():
        await world.all_committed()
    assert [found for _, found in world.graves.buried] == ["NOT_IN_OWNERS_LOG"]
    assert world.done.texts[A.key] == ["1", "2"]


async def test_meta_of_another_stream_under_honest_headers_is_forged(world):
    (row,), (other,) = rows(A, "1"), rows(B, "theirs")
    world.broker.produce(TOPIC, A.key.encode(), other.value, row.headers)
    world.publish(A, "mine")
    async with world.running():
        await world.all_committed()
    assert [found for _, found in world.graves.buried] == ["FORGED"]
    assert world.done.texts == {A.key: ["mine"]}


@MODES
async def test_only_the_failing_stream_parks_and_keeps_its_records_in_order(world, mode):
    """Trust, poison message: only that stream parks."""
    world.done.act = failing_on("a2")
    for n in range(1, 6):
        world.publish(A, f"a{n}")
        world.publish(B, f"b{n}")
    async with world.running(**how(world, mode)) as consumer:
        await world.all_committed()
        await until(lambda: consumer.tally["parked"] == 4)
    assert world.done.texts == {A.key: ["a1"], B.key: ["b1", "b2", "b3", "b4", "b5"]}
    assert await parked(world) == [A.key]
    assert world.graves.buried == []


@MODES
async def test_a_parked_stream_stays_parked_for_the_next_process(world, mode):
    world.done.act = failing_on("a1")
    world.publish(A, "a1")
    world.publish(B, "b1")
    async with world.running(**how(world, mode)):
        await world.all_committed()
    world.done.act = None
    world.publish(A, "a2")
    async with world.running(**how(world, mode)) as consumer:
        await world.all_committed()
        assert consumer.tally["parked"] == 1
    assert world.done.texts[A.key] == []


@MODES
async def test_unparked_it_catches_up_in_order_and_flows_again(world, mode, monkeypatch):
    """`parked stream skipped and continued` would lose these."""
    monkeypatch.setattr("switchlog.bus.consumer.LOOK_FOR_RETRIES_S", 0.01)
    world.done.act = failing_on("a2")
    for n in range(1, 5):
        world.publish(A, f"a{n}")
    world.publish(B, "b1")
    async with world.running(**how(world, mode)) as consumer:
        await world.all_committed()
        world.done.act = None
        assert await unpark(world.store.views, GROUP, A.key)
        await until(lambda: consumer.tally["retried"] == 3)
        await until(lambda: not consumer._parking.streams)
        world.publish(A, "a5")
        await world.all_committed()
    assert world.done.texts[A.key] == ["a1", "a2", "a3", "a4", "a5"]
    assert await parked(world) == []
    assert not await unpark(world.store.views, GROUP, A.key)
    assert await world.store.seen.get(GROUP, A.key) == 5


async def test_a_stream_can_park_again_after_it_was_released(world, monkeypatch):
    monkeypatch.setattr("switchlog.bus.consumer.LOOK_FOR_RETRIES_S", 0.01)
    async with world.running() as consumer:
        for n in (1, 2, 3):
            world.done.act = failing_on(f"a{n}")
            world.publish(A, f"a{n}")
            world.publish(B, f"b{n}")
            await world.all_committed()
            assert await parked(world) == [A.key]
            world.done.act = None
            await unpark(world.store.views, GROUP, A.key)
            await until(lambda: not consumer._parking.streams)
    assert world.done.texts[A.key] == ["a1", "a2", "a3"]


async def test_a_retry_that_fails_again_stays_parked_and_asks_once(world, monkeypatch):
    monkeypatch.setattr("switchlog.bus.consumer.LOOK_FOR_RETRIES_S", 0.01)
    tries = 0

    async def act(text: str) -> None:
        nonlocal tries
        if text == "a1":
            tries += 1
            raise Poison("BROKEN")

    world.done.act = act
    world.publish(A, "a1", "a2")
    world.publish(B, "b1")
    async with world.running():
        await world.all_committed()
        await unpark(world.store.views, GROUP, A.key)
        await until(lambda: tries == 2)
        await asyncio.sleep(0.1)
    assert tries == 2 and await parked(world) == [A.key]
    assert world.done.texts[A.key] == []


@pytest.mark.parametrize("concurrency", [1, 4])
async def test_records_that_come_while_a_parked_stream_is_retried_keep_their_place(world, monkeypatch, concurrency):
    monkeypatch.setattr("switchlog.bus.consumer.LOOK_FOR_RETRIES_S", 0.01)
    world.done.act = failing_on("a1")
    world.publish(A, *(f"a{n}" for n in range(1, 250)))
    world.publish(B, "b1")

    async def slowly(text: str) -> None:
        await asyncio.sleep(0.0005)

    async with world.running(concurrency=concurrency) as consumer:
        await world.all_committed()
        world.done.act = slowly
        await unpark(world.store.views, GROUP, A.key)
        for n in range(250, 300):
            world.publish(A, f"a{n}")
            await asyncio.sleep(0.001)
        await until(lambda: len(world.done.texts[A.key]) == 299)
        await world.all_committed()
        assert not consumer._parking.streams
    assert world.done.texts[A.key] == [f"a{n}" for n in range(1, 300)]


@MODES
async def test_a_bad_deploy_halts_within_ten_and_skips_nothing(world, mode):
    """Trust, bad deploy: every message fails."""
    handled = 0

    async def act(text: str) -> None:
        nonlocal handled
        handled += 1
        raise Poison("BROKEN", text)

    names = [f"agent-{n}" for n in range(40)]
    for name in names:
        world.publish(stream(name), "1", "2")
    world.done.act = act
    with pytest.raises(Halted):
        await asyncio.wait_for(world.consumer(**how(world, mode)).run(), 5)
    assert handled <= (11 if mode == "batch" else 10), "a batch is tried as a whole first"
    assert await parked(world) == [] and world.graves.buried == [] and world.broker.commits == []
    world.done.act = None
    async with world.running(**how(world, mode)):
        await world.all_committed()
    assert world.done.texts == {f"acme/{name}": ["1", "2"] for name in names}


async def test_a_bad_deploy_that_cannot_decode_halts_as_well(world):
    async def cannot(received) -> None:
        raise Poison("UNDECODABLE")

    for n in range(40):
        world.publish(stream(f"agent-{n}"), "1")
    with pytest.raises(Halted):
        await asyncio.wait_for(world.consumer(handle=cannot).run(), 5)
    assert world.graves.buried == [] and world.broker.commits == []


@MODES
async def test_one_poison_in_many_never_halts(world, mode):
    bad = {f"x{n}" for n in range(0, 600, 30)}
    world.done.act = failing_on(*bad)
    for n in range(600):
        world.publish(stream(f"agent-{n}"), f"x{n}")
    async with world.running(**how(world, mode)):
        await world.all_committed()
    assert len(await parked(world)) == 20
    assert sum(len(texts) for texts in world.done.texts.values()) == 580


async def test_a_lone_poison_record_is_not_settled_before_something_succeeds(world):
    """Committing it at once would be the first of a bad deploy's skips."""
    world.done.act = failing_on("a1")
    world.publish(A, "a1")
    async with world.running() as consumer:
        await until(lambda: bool(consumer._quarantine._pending))
        await asyncio.sleep(0.15)
        assert await parked(world) == [] and world.broker.commits == []
        world.publish(B, "b1")
        await world.all_committed()
        assert await parked(world) == [A.key]


async def test_a_lone_poison_record_on_a_quiet_topic_is_settled_after_a_while(world):
    world.done.act = failing_on("a1")
    world.publish(A, "a1", "a2")
    async with world.running(settle_after_s=0.05):
        await world.all_committed()
    assert await parked(world) == [A.key]


async def test_while_dead_letters_cannot_be_written_nothing_is_committed(world):
    world.graves.error = NotNow("KAFKA_AWAY")
    world.broker.produce(TOPIC, None, b"x")
    world.publish(B, "1")
    async with world.running(grace_s=0.1) as consumer:
        await until(lambda: consumer.tally["later"] >= 2)
        assert world.broker.committed.get((GROUP, world.broker.where(TOPIC)[0]), 0) == 0
        world.graves.error = None
        await world.all_committed()
    assert len(world.graves.buried) == 1


async def test_where_streams_may_not_park_a_failing_one_halts(world):
    world.done.act = failing_on("a1")
    world.publish(B, "b1")
    world.publish(A, "a1")
    with pytest.raises(Halted):
        await asyncio.wait_for(world.consumer(failing="halt").run(), 5)


async def test_what_the_owners_own_log_cannot_be_read_parks_the_stream(world):
    one, two, three = world.owners.hold(A, "1", "2", "3")
    world.owners.logs[A][1] = dataclasses.replace(two, value=b"\xff\xff")
    world.broker.publish(TOPIC, A, one, three)
    world.publish(B, "1")
    async with world.running():
        await world.all_committed()
    assert [(found.stream, found.reason) for found in await parked_streams(world.store.views, GROUP)] == [
        (A.key, "UNREADABLE_AT_OWNER")
    ]


async def test_poison_of_a_partition_that_left_is_its_next_owners(world):
    world.done.act = failing_on("a1")
    world.publish(A, "a1")
    async with world.running() as consumer:
        await until(lambda: bool(consumer._quarantine._pending))
        await world.broker.rebalance(GROUP)
        await until(lambda: bool(consumer._quarantine._pending))
        world.done.act = None
        await world.broker.rebalance(GROUP)
        await world.all_committed()
    assert world.done.texts[A.key] == ["a1"] and await parked(world) == []


async def test_a_plain_row_that_fails_is_buried(world):
    """It has no version to keep its place by."""

    async def act(received) -> None:
        if received.value.startswith(b"bad"):
            raise Poison("BROKEN")

    for n in range(3):
        world.broker.produce(TOPIC, b"acme/sales", b"bad%d" % n)
    world.broker.produce(TOPIC, b"acme/sales", b"good")
    async with world.running(handle=act, read=read_row):
        await world.all_committed()
    assert [raw.value for raw, _ in world.graves.buried] == [b"bad0", b"bad1", b"bad2"]
    assert await parked(world) == []


def test_death_headers_say_why_and_where_and_stay_small():
    big = [("h", b"x" * 40_000), ("i", b"y" * 40_000)]
    headers = dict(death_headers(Kept("t", 3, 9, b"k", b"v" * 2_000_000, big), "g", "UNDECODABLE", "z" * 5000))
    assert headers["dead_reason"] == b"UNDECODABLE" and headers["dead_topic"] == b"t"
    assert (headers["dead_partition"], headers["dead_offset"], headers["dead_group"]) == (b"3", b"9", b"g")
    assert headers["dead_value_bytes"] == b"2000000"
    assert "i" not in headers and sum(len(value) for value in headers.values()) < 70_000


async def test_dead_letters_wait_for_a_broker_that_is_away():
    dead = KafkaDeadLetters("127.0.0.1:1", "g")
    with pytest.raises(NotNow):
        await dead.bury(Kept("t", 0, 0, None, b"", ()), "UNDECODABLE")
    await dead.close()
