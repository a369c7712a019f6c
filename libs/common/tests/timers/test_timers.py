"""Timers fire once, in time and again after a restart (kernel rule 16; trust, clock jump)."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager

import pytest

from switchlog.clock import ManualClock, SystemClock
from switchlog.envelope import StreamId
from switchlog.errors import NotFound, NotNow, Poison, Rejected, VersionConflict
from switchlog.store import Timer
from switchlog.store.memory import MemoryStore
from switchlog.testing.waiting import eventually
from switchlog.timers import TimerRunner, timer_command_id

A, B = StreamId("acme", "ticket-a"), StreamId("acme", "ticket-b")


def timer(due_at: int, name: str = "t1", of: StreamId = A) -> Timer:
    return Timer(of, name, "overdue", due_at)


class World:
    def __init__(self) -> None:
        self.clock = ManualClock()
        self.store = MemoryStore()
        self.fired: list[tuple[str, str]] = []
        self.error: dict[str, Exception] = {}
        self.start = self.clock.now()

    def set(self, *timers: Timer) -> None:
        for each in timers:
            self.store.timers._timers[each.stream, each.id] = each

    async def fire(self, due: Timer) -> None:
        if due.id in self.error:
            raise self.error[due.id]
        self.fired.append((due.stream.name, due.id))

    @asynccontextmanager
    async def running(self, **changes):
        runner = TimerRunner(self.store.timers, changes.pop("clock", self.clock), self.fire, **changes)
        task = asyncio.create_task(runner.run())
        try:
            yield runner
        finally:
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    @property
    def left(self) -> list[str]:
        return sorted(each.id for each in self.store.timers._timers.values())


@pytest.fixture
def world() -> World:
    return World()


async def test_nothing_fires_early_and_everything_when_due(world):
    world.set(timer(world.start + 1000), timer(world.start + 5000, "t2"))
    async with world.running(longest_sleep_s=0.01):
        await asyncio.sleep(0.05)
        assert world.fired == []
        world.clock.advance(1000)
        await eventually(lambda: world.fired == [("ticket-a", "t1")])
        await asyncio.sleep(0.05)
        assert world.fired == [("ticket-a", "t1")] and world.left == ["t2"]
        world.clock.advance(4000)
        await eventually(lambda: world.left == [])


async def test_by_the_real_clock_a_timer_fires_within_a_tenth_of_a_second(world):
    clock = SystemClock()
    lateness: list[int] = []

    async def fire(due: Timer) -> None:
        lateness.append(clock.now() - due.due_at)

    world.fire = fire
    world.set(*(timer(clock.now() + ms, f"t{ms}", B if ms % 2 else A) for ms in range(20, 700, 61)))
    async with world.running(clock=clock):
        await eventually(lambda: len(lateness) == 12, within_s=3)
    assert all(0 <= late <= 100 for late in lateness), lateness


async def test_a_nudge_wakes_it_for_an_earlier_timer(world):
    clock = SystemClock()
    async with world.running(clock=clock, longest_sleep_s=60) as runner:
        await asyncio.sleep(0.05)
        world.set(timer(clock.now() + 20))
        runner.nudge()
        await eventually(lambda: world.fired, within_s=1)


async def test_a_timer_set_elsewhere_is_found_within_half_a_second(world):
    clock = SystemClock()
    async with world.running(clock=clock):
        await asyncio.sleep(0.05)
        world.set(timer(clock.now()))
        await eventually(lambda: world.fired, within_s=0.6)


async def test_after_a_restart_what_fell_due_meanwhile_fires(world):
    world.set(timer(world.start + 10))
    world.clock.advance(3_600_000)
    async with world.running():
        await eventually(lambda: world.left == [])
    assert world.fired == [("ticket-a", "t1")]


async def test_a_crash_between_command_and_done_fires_again_with_the_same_command_id(world):
    ids: list[str] = []

    async def fire(due: Timer) -> None:
        ids.append(timer_command_id(due))
        if len(ids) == 1:
            raise ZeroDivisionError

    world.fire = fire
    world.set(timer(world.start))
    with pytest.raises(ZeroDivisionError):
        await TimerRunner(world.store.timers, world.clock, world.fire).run()
    assert world.left == ["t1"]
    async with world.running():
        await eventually(lambda: world.left == [])
    assert len(ids) == 2 and len(set(ids)) == 1


@pytest.mark.parametrize("pointless", [Rejected("ALREADY_DONE"), NotFound()])
async def test_a_refused_timer_is_done(world, pointless):
    world.error["t1"] = pointless
    world.set(timer(world.start))
    async with world.running():
        await eventually(lambda: world.left == [])


@pytest.mark.parametrize("later", [NotNow("BUSY"), VersionConflict(3)])
async def test_a_stream_that_cannot_now_waits_in_order_and_others_fire(world, later):
    world.error["t1"] = later
    world.set(timer(world.start), timer(world.start + 1, "t2"), timer(world.start, "other", B))
    world.clock.advance(10)
    async with world.running():
        await eventually(lambda: ("ticket-b", "other") in world.fired)
        assert world.left == ["t1", "t2"]
        del world.error["t1"]
        await eventually(lambda: world.left == [])
    assert [name for of, name in world.fired if of == "ticket-a"] == ["t1", "t2"]


async def test_a_broken_timer_is_set_aside_and_costs_nothing(world):
    world.error["t1"] = Poison("BROKEN")
    world.set(timer(world.start), timer(world.start + 1, "t2"))
    world.clock.advance(10)
    looks = 0
    due = world.store.timers.due

    async def counted(*args):
        nonlocal looks
        looks += 1
        return await due(*args)

    world.store.timers.due = counted
    async with world.running():
        await eventually(lambda: world.left == ["t1"])
        before = looks
        await asyncio.sleep(0.3)
        assert looks - before <= 2, "it must not spin on what is set aside"


async def test_a_store_that_is_away_is_asked_again(world):
    world.store.faults.away = True
    world.set(timer(world.start))
    async with world.running():
        await asyncio.sleep(0.05)
        world.store.faults.away = False
        await eventually(lambda: world.fired, within_s=2)


async def test_a_thousand_at_once_fire_within_a_second(world):
    async def fire(due: Timer) -> None:
        await asyncio.sleep(0.005)
        world.fired.append((due.stream.name, due.id))

    world.fire = fire
    world.set(*(timer(world.start, "t", StreamId("acme", f"ticket-{n}")) for n in range(1000)))
    begun = time.monotonic()
    async with world.running():
        await eventually(lambda: len(world.fired) == 1000)
    assert time.monotonic() - begun < 1.5


async def test_a_jump_of_the_wall_clock_moves_no_timer(world, monkeypatch):
    """Trust: clock jump of an hour in one process."""
    clock = SystemClock()
    world.set(timer(clock.now() + 150), timer(clock.now() + 3_000_000, "t2"))
    async with world.running(clock=clock):
        real = time.time
        monkeypatch.setattr(time, "time", lambda: real() + 3600)
        await asyncio.sleep(0.05)
        assert world.fired == []
        monkeypatch.setattr(time, "time", lambda: real() - 3600)
        await eventually(lambda: world.fired == [("ticket-a", "t1")], within_s=0.6)
    assert world.left == ["t2"]


async def test_a_timer_from_the_wall_clock_is_caught_by_that_demand(world, monkeypatch):
    class WallClock(SystemClock):
        def now(self) -> int:
            return int(time.time() * 1000)

    clock = WallClock()
    world.set(timer(clock.now() + 3_000_000))
    async with world.running(clock=clock, longest_sleep_s=0.02):
        real = time.time
        monkeypatch.setattr(time, "time", lambda: real() + 3600)
        await eventually(lambda: world.fired, within_s=1)
