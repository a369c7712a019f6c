"""Done, later, never; order, repeats, gaps and membership, against a broker in memory (kernel rules 7, 14, 15)."""

from __future__ import annotations

import asyncio

import pytest

from switchlog.bus.record import read_row
from switchlog.errors import NotFound, NotNow, Rejected, VersionConflict

from .broker import Broker
from .kit import GROUP, OWNER, TOPIC, Done, World, rows, stream, until

A, B = stream("agent-a"), stream("agent-b")
MODES = pytest.mark.parametrize("mode", ["single", "lanes", "batch"])


@pytest.fixture
def world() -> World:
    return World()


def how(world: World, mode: str) -> dict:
    return {
        "single": {},
        "lanes": {"concurrency": 8},
        "batch": {"handle_batch": world.done.handle_batch},
    }[mode]


@MODES
async def test_every_stream_takes_effect_in_order_and_is_committed(world, mode):
    for n in range(50):
        for name in "abcdefg":
            world.publish(stream(f"agent-{name}"), f"{name}{n}")
    async with world.running(**how(world, mode)):
        await world.all_committed()
    assert world.done.texts == {f"acme/agent-{n}": [f"{n}{i}" for i in range(50)] for n in "abcdefg"}


@MODES
async def test_a_topic_delivered_twice_has_no_second_effect(world, mode):
    """Kernel rule 7: versions, not a window of ids."""
    world.publish(A, *map(str, range(300)))
    world.publish(B, *map(str, range(300)))
    async with world.running(**how(world, mode)):
        await world.all_committed()
    world.broker.again(GROUP)
    async with world.running(**how(world, mode)) as consumer:
        await world.all_committed()
    assert all(texts == [str(n) for n in range(300)] for texts in world.done.texts.values())
    assert consumer.tally["repeat"] == 600 and consumer.tally["handled"] == 0


@MODES
async def test_repeats_within_one_delivery_have_no_effect(world, mode):
    made = world.owners.hold(A, "1", "2", "3")
    world.broker.publish(TOPIC, A, *made[:2], *made[:2], made[2], *made)
    async with world.running(**how(world, mode)):
        await world.all_committed()
    assert world.done.texts[A.key] == ["1", "2", "3"]


async def test_seen_is_durable_before_the_offset_is_committed(world):
    order: list[str] = []
    put, connect = world.store.seen.put_many, world.broker.connect(GROUP, TOPIC)

    async def put_many(group: str, versions: dict[str, int]) -> None:
        await put(group, versions)
        order.append("seen")

    def spied(listener):
        member = connect(listener)
        commit = member.commit

        async def committing(offsets):
            order.append("commit")
            await commit(offsets)

        member.commit = committing
        return member

    world.store.seen.put_many = put_many
    world.publish(A, "1")
    async with world.running(connect=spied):
        await world.all_committed()
    assert order == ["seen", "commit"]


async def test_nothing_is_committed_while_seen_cannot_be_written(world):
    async def away(group: str, versions: dict[str, int]) -> None:
        raise NotNow("STORE_UNAVAILABLE")

    put, world.store.seen.put_many = world.store.seen.put_many, away
    world.publish(A, "1")
    async with world.running(grace_s=0.3):
        await until(lambda: world.done.texts[A.key] == ["1"])
        await asyncio.sleep(0.1)
        assert not world.broker.commits
        world.store.seen.put_many = put
        await world.all_committed()
    assert await world.store.seen.get(GROUP, A.key) == 1


@MODES
async def test_a_gap_is_healed_from_the_owner_before_the_later_event(world, mode):
    """Kernel rule 15; trust, gap injected."""
    made = world.owners.hold(A, *map(str, range(1, 8)))
    world.broker.publish(TOPIC, A, *made[:2], *made[5:])
    async with world.running(**how(world, mode)) as consumer:
        await world.all_committed()
    assert world.done.texts[A.key] == ["1", "2", "3", "4", "5", "6", "7"]
    assert (consumer.tally["gap"], consumer.tally["healed"], world.owners.asked) == (1, 3, 1)


async def test_the_missing_records_arriving_late_are_repeats(world):
    made = world.owners.hold(A, *"12345")
    world.broker.publish(TOPIC, A, made[0], made[4], *made[1:4])
    async with world.running():
        await world.all_committed()
    assert world.done.texts[A.key] == list("12345")


async def test_an_owner_that_is_away_is_waited_for(world):
    made = world.owners.hold(A, "1", "2", "3")
    world.broker.publish(TOPIC, A, made[0], made[2])
    world.owners.error = NotNow("PEER_AWAY")
    async with world.running() as consumer:
        await until(lambda: consumer.tally["later"] >= 2)
        assert world.done.texts[A.key] == ["1"]
        world.owners.error = None
        await world.all_committed()
    assert world.done.texts[A.key] == ["1", "2", "3"]


@MODES
async def test_a_stream_never_seen_starts_at_whatever_comes_first(world, mode):
    made = world.owners.hold(A, "1", "2", "3", "4")
    world.broker.publish(TOPIC, A, *made[2:])
    async with world.running(**how(world, mode)) as consumer:
        await world.all_committed()
    assert world.done.texts[A.key] == ["3", "4"]
    assert consumer.tally["first_seen"] == 1 and world.owners.asked == 0


@MODES
async def test_with_full_bootstrap_a_new_stream_is_read_from_its_owner_once(world, mode):
    made = world.owners.hold(A, "1", "2", "3", "4")
    world.broker.publish(TOPIC, A, *made[2:])
    async with world.running(bootstrap_streams="full", **how(world, mode)):
        await world.all_committed()
    assert world.done.texts[A.key] == ["1", "2", "3", "4"]
    assert world.owners.asked == 1


@MODES
async def test_a_forged_jump_is_quarantined_and_changes_nothing(world, mode):
    """Trust, forged event: the owner's log does not hold it."""
    world.publish(A, "1")
    world.broker.publish(TOPIC, A, *rows(A, "forged", after=6))
    world.publish(A, "2")
    async with world.running(**how(world, mode)):
        await world.all_committed()
    assert world.done.texts[A.key] == ["1", "2"]
    assert [(raw.offset, reason) for raw, reason in world.graves.buried] == [(1, "NOT_IN_OWNERS_LOG")]


async def test_a_jump_to_a_version_that_the_owner_holds_with_other_bytes_is_forged(world):
    world.publish(A, "1")
    world.owners.hold(A, "2", "3")
    world.broker.publish(TOPIC, A, *rows(A, "not what the owner wrote", after=2))
    world.publish(B, "x")
    async with world.running():
        await world.all_committed()
    assert world.done.texts[A.key] == ["1"]
    assert [reason for _, reason in world.graves.buried] == ["NOT_IN_OWNERS_LOG"]


async def test_a_jump_of_an_unknown_owner_is_quarantined(world):
    world.publish(A, "1")
    (row,) = rows(A, "x", after=4)
    headers = [(name, b"/switchlog/mallory" if name == "ce_source" else value) for name, value in row.headers]
    world.broker.produce(TOPIC, A.key.encode(), row.value, headers)
    world.publish(A, "2")
    async with world.running():
        await world.all_committed()
    assert [reason for _, reason in world.graves.buried] == ["UNKNOWN_OWNER"]
    assert OWNER != "mallory" and world.done.texts[A.key] == ["1", "2"]


async def test_a_filtered_sequence_takes_any_higher_version(world):
    """Kernel rule 21: without a healer there are no gaps."""
    made = rows(A, *"123456789")
    world.broker.publish(TOPIC, A, made[0], made[3], made[1], made[8])
    async with world.running(healer=None):
        await world.all_committed()
    assert world.done.texts[A.key] == ["1", "4", "9"]


@MODES
async def test_not_now_is_the_same_record_again_in_order(world, mode):
    tries = 0

    async def act(text: str) -> None:
        nonlocal tries
        if text == "2" and (tries := tries + 1) < 4:
            raise NotNow("BUSY") if tries < 3 else VersionConflict(7)

    world.done.act = act
    world.publish(A, "1", "2", "3")
    async with world.running(**how(world, mode)) as consumer:
        await world.all_committed()
    assert world.done.texts[A.key] == ["1", "2", "3"]
    assert consumer.tally["later"] == 3


@MODES
async def test_a_partition_that_waits_does_not_stop_the_others(world, mode):
    world.broker.partitions = 8
    stuck = asyncio.Event()

    async def act(text: str) -> None:
        if text == "stuck" and not stuck.is_set():
            raise NotNow("BUSY")

    world.done.act = act
    world.publish(A, "stuck", "after")
    for n in range(40):
        world.publish(stream(f"agent-{n}"), "flows")
    where = {w for w, log in world.broker.logs.items() if any(r.key == A.key.encode() for r in log)}
    others = {f"acme/agent-{n}" for n in range(40)} - {
        r.key.decode() for w in where for r in world.broker.logs[w] if r.key
    }
    assert len(others) > 20
    async with world.running(**how(world, mode)):
        await until(lambda: all(world.done.texts[key] == ["flows"] for key in others))
        assert world.done.texts[A.key] == []
        stuck.set()
        await world.all_committed()
    assert world.done.texts[A.key] == ["stuck", "after"]


@pytest.mark.parametrize("refusal", [Rejected("TAKEN"), NotFound()])
@MODES
async def test_a_refusal_is_done(world, mode, refusal):
    async def act(text: str) -> None:
        if text == "2":
            raise refusal

    world.done.act = act
    world.publish(A, "1", "2", "3")
    async with world.running(**how(world, mode)) as consumer:
        await world.all_committed()
    assert world.done.texts[A.key] == ["1", "3"]
    assert consumer.tally["refused"] == 1
    assert await world.store.seen.get(GROUP, A.key) == 3


@MODES
async def test_a_bug_stops_the_consumer_and_commits_nothing_of_it(world, mode):
    async def act(text: str) -> None:
        if text == "2":
            raise ZeroDivisionError

    world.done.act = act
    world.publish(A, "1", "2", "3")
    with pytest.raises(ZeroDivisionError):
        await asyncio.wait_for(world.consumer(**how(world, mode)).run(), 5)
    assert max(world.broker.committed.values(), default=0) <= 1
    world.done.act = None
    async with world.running(**how(world, mode)):
        await world.all_committed()
    assert world.done.texts[A.key] == ["1", "2", "3"]


async def test_with_concurrency_other_streams_pass_a_slow_one_but_nothing_passes_within_it(world):
    world.broker.partitions = 1
    gate = asyncio.Event()

    async def act(text: str) -> None:
        if text == "slow":
            await gate.wait()

    world.done.act = act
    world.publish(A, "slow", "second")
    world.publish(B, "1", "2", "3")
    async with world.running(concurrency=4):
        await until(lambda: world.done.texts[B.key] == ["1", "2", "3"])
        assert world.done.texts[A.key] == []
        await asyncio.sleep(0.2)
        assert world.broker.committed == {}, "the lowest unfinished offset is what may be committed"
        gate.set()
        await world.all_committed()
    assert world.done.texts[A.key] == ["slow", "second"]


async def test_concurrency_is_bounded(world):
    running = most = 0

    async def act(text: str) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.001)
        running -= 1

    world.broker.partitions = 1
    world.done.act = act
    for n in range(60):
        world.publish(stream(f"agent-{n}"), "x")
    async with world.running(concurrency=5):
        await world.all_committed()
    assert most == 5


@MODES
async def test_cancelled_it_finishes_what_is_in_flight_and_commits_it(world, mode):
    begun, gate = asyncio.Event(), asyncio.Event()

    async def act(text: str) -> None:
        begun.set()
        await gate.wait()

    world.done.act = act
    world.publish(A, "1")
    task = asyncio.create_task(world.consumer(**how(world, mode)).run())
    await begun.wait()
    task.cancel()
    await asyncio.sleep(0.05)
    gate.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert world.done.texts[A.key] == ["1"]
    assert world.broker.committed_all(GROUP, TOPIC)


@MODES
async def test_a_second_member_takes_over_without_loss_or_double(world, mode):
    world.broker.partitions = 4

    async def act(text: str) -> None:
        await asyncio.sleep(0.0005)

    world.done.act = act
    names = [f"agent-{n}" for n in range(12)]
    for _ in range(20):
        for name in names:
            world.publish(stream(name), str(len(world.owners.logs[stream(name)])))
    async with world.running(**how(world, mode)):
        await until(lambda: any(world.done.texts.values()))
        async with world.running(**how(world, mode)) as second:
            await until(lambda: len(second.partitions) == 2)
            for name in names:
                world.publish(stream(name), "20")
            await until(lambda: all(len(world.done.texts[f"acme/{name}"]) >= 15 for name in names))
        await world.all_committed()
    assert world.done.texts == {f"acme/{name}": [str(n) for n in range(21)] for name in names}


async def test_a_handler_that_does_not_end_is_given_up_when_the_partition_leaves(world):
    stuck = asyncio.Event()

    async def act(text: str) -> None:
        if text == "1":
            await stuck.wait()

    world.done.act = act
    world.publish(A, "1")
    async with world.running(grace_s=0.05) as first:
        await until(lambda: any(p.backlog for p in first.partitions.values()))
    assert world.broker.committed == {}
    stuck.set()
    async with world.running():
        await world.all_committed()
    assert world.done.texts[A.key] == ["1"]


async def test_a_partition_far_behind_is_paused_and_resumed(world, monkeypatch):
    monkeypatch.setattr("switchlog.bus.consumer.Consumer._most", lambda self: 100)
    gate = asyncio.Event()

    async def act(text: str) -> None:
        await gate.wait()

    world.broker.partitions = 1
    world.done.act = act
    world.publish(A, *map(str, range(2000)))
    async with world.running() as consumer:
        await until(lambda: bool(consumer._paused))
        gate.set()
        await world.all_committed()
        assert not consumer._paused
    assert len(world.done.texts[A.key]) == 2000


async def test_plain_rows_have_no_versions_and_may_be_deleted(world):
    got = []

    async def keep(received):
        got.append((received.key, received.value, received.deleted, received.version))

    world.broker.produce(TOPIC, b"acme/sales", b"row")
    world.broker.produce(TOPIC, b"acme/sales", None)
    async with world.running(handle=keep, read=read_row):
        await world.all_committed()
    assert got == [("acme/sales", b"row", False, 0), ("acme/sales", b"", True, 0)]


async def test_without_seen_every_record_is_handed_over(world):
    """For handlers with a progress of their own."""
    made = rows(A, "1", "2")
    world.broker.publish(TOPIC, A, *made, *made)
    async with world.running(seen=None):
        await world.all_committed()
    assert world.done.texts[A.key] == ["1", "2", "1", "2"]


async def test_the_memory_of_versions_is_bounded_and_read_back(world, monkeypatch):
    from switchlog.bus import progress

    monkeypatch.setattr(progress.SeenVersions.__init__, "__defaults__", (50,))
    for n in range(400):
        world.publish(stream(f"agent-{n}"), "1")
    async with world.running() as consumer:
        await world.all_committed()
        for n in range(400):
            world.publish(stream(f"agent-{n}"), "2")
        await world.all_committed()
        await asyncio.sleep(0.15)
        world.publish(A, "x")
        await world.all_committed()
        assert all(len(p.applier.seen.memory) < 400 for p in consumer.partitions.values())
    assert all(world.done.texts[f"acme/agent-{n}"] == ["1", "2"] for n in range(400))
    assert consumer.tally["gap"] == 0


def test_one_handler_is_needed():
    with pytest.raises(TypeError):
        World(broker=Broker(), done=Done()).consumer(handle=None)
