"""The classic mistakes of a consumer, switched on here only, each caught by the demand that the real one meets."""

from __future__ import annotations

import asyncio
from collections import deque

import pytest

from switchlog.bus import consumer as consumer_module
from switchlog.bus.parking import Parking, unpark
from switchlog.bus.partition import Partition
from switchlog.bus.reaction import reaction
from switchlog.errors import Poison
from switchlog.writer import Answer

from .kit import GROUP, World, stream, text_of, until

A, B = stream("agent-a"), stream("agent-b")


@pytest.fixture
def world() -> World:
    world = World()
    world.broker.partitions = 1
    return world


async def survives_a_crash(world: World) -> None:
    """Demand: what crashed a process is handled by the next one."""
    crashed = False

    async def act(text: str) -> None:
        nonlocal crashed
        if text == "2" and not crashed:
            crashed = True
            raise ZeroDivisionError

    world.done.act = act
    world.publish(A, "1", "2")
    with pytest.raises(ZeroDivisionError):
        await asyncio.wait_for(world.consumer().run(), 5)
    world.publish(B, "x")
    async with world.running():
        await world.all_committed()
    assert world.done.texts[A.key] == ["1", "2"]


async def test_the_effect_comes_before_the_commit(world):
    await survives_a_crash(world)


async def test_caught_offset_committed_before_the_effect(world, monkeypatch):
    right = Partition._one

    async def wrong(self, received) -> None:
        self._done(received.offset)
        await until(lambda: world.broker.commits and self.offsets.unsaved is None)
        await right(self, received)

    monkeypatch.setattr(Partition, "_one", wrong)
    with pytest.raises(AssertionError):
        await survives_a_crash(world)


async def ignores_a_month_delivered_twice(world: World, **changes) -> None:
    """Demand: a redelivery has no effect, however long ago it was."""
    texts = [str(n) for n in range(700)]
    world.publish(A, *texts)
    async with world.running(**changes):
        await world.all_committed()
    world.broker.again(GROUP)
    async with world.running(**changes):
        await world.all_committed()
    assert world.done.texts[A.key] == texts


async def test_versions_outlast_any_redelivery(world):
    await ignores_a_month_delivered_twice(world)


async def test_caught_a_window_of_ids_instead_of_versions(world):
    window: deque[str] = deque(maxlen=256)

    async def handle(received) -> None:
        if received.event_id not in window:
            window.append(received.event_id)
            await world.done.handle(received)

    with pytest.raises(AssertionError):
        await ignores_a_month_delivered_twice(world, handle=handle, seen=None)


async def brings_a_parked_stream_back_whole(world: World, monkeypatch) -> None:
    """Demand: parking delays a stream and loses nothing of it."""
    monkeypatch.setattr(consumer_module, "LOOK_FOR_RETRIES_S", 0.01)

    async def act(text: str) -> None:
        if text == "2":
            raise Poison("BROKEN")

    world.done.act = act
    world.publish(A, "1", "2", "3")
    world.publish(B, "x")
    async with world.running() as consumer:
        await world.all_committed()
        world.done.act = None
        await unpark(world.store.views, GROUP, A.key)
        await until(lambda: not consumer._parking.streams)
    assert world.done.texts[A.key] == ["1", "2", "3"]


async def test_a_parked_stream_comes_back_whole(world, monkeypatch):
    await brings_a_parked_stream_back_whole(world, monkeypatch)


async def test_caught_parked_stream_skipped_and_continued(world, monkeypatch):
    async def dropped(self, batch) -> None:
        return None

    monkeypatch.setattr(Parking, "keep", dropped)
    with pytest.raises(AssertionError):
        await brings_a_parked_stream_back_whole(world, monkeypatch)


class Commands:
    service = "testing"

    def __init__(self) -> None:
        self.given: list[str] = []

    async def execute(self, of, command, cause, *, expect=None) -> Answer:
        self.given.append(command)
        return Answer(of, 1)


async def rebuilds_without_reacting(world: World) -> None:
    """Demand: a rebuild writes rows and gives no commands (trust, Side effects)."""
    commands, rebuilt = Commands(), []

    async def handle(received) -> None:
        rebuilt.append(text_of(received))
        await reaction(commands, B, f"because of {text_of(received)}", received, "when_not_ready")

    world.publish(A, "1", "2")
    async with world.running(handle=handle, react=False):
        await world.all_committed()
    assert rebuilt == ["1", "2"] and commands.given == []


async def test_a_rebuild_does_not_react(world):
    await rebuilds_without_reacting(world)


async def test_caught_reaction_runs_on_rebuild(world, monkeypatch):
    monkeypatch.setattr(consumer_module, "_as_replayed", lambda read: read)
    with pytest.raises(AssertionError):
        await rebuilds_without_reacting(world)
