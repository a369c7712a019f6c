"""Steps of those who wait and calendars of queues by an owner's clock, over outages, takeovers and midnight."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from routing import wire
from routing.app.deadlines import Deadlines, zone_of
from routing.app.log import open_board
from routing.domain import carry
from routing.domain.commands import DefineHours, DefineQueue, DefineWorkflow
from routing.domain.definitions import (
    Action,
    Hours,
    IntervalTarget,
    OverflowRule,
    Relaxation,
    Span,
    Target,
    Trigger,
    Workflow,
)
from routing.domain.events import (
    ContactDequeued,
    ContactOverflowed,
    Event,
    Queue,
    SkillsRelaxed,
    TargetReached,
    TimerElapsed,
    TimerKind,
)
from routing.domain.replay import replay
from routing.domain.state import Board
from routing.projections.days import Days
from switchlog.testing import eventually

from .bench import NOON, Bench
from .test_owner import sound
from .world import POOL

MINUTE, HOUR = 60_000, 3_600_000


@pytest.fixture
def bench() -> Bench:
    return Bench()


def define(bench: Bench, n: int, order: Any, *args: Any, **options: Any) -> Any:
    return bench.world.order(order(*args, f"{n:032x}", **options))


def queue(**options: Any) -> Queue:
    """As it comes from an API: with all of its definition in bytes."""
    return wire.queue_of(wire.definition_of(Queue("q1", **options)))


async def passes(bench: Bench, owner: Any, milliseconds: int) -> list[Event]:
    """What is appended as time passes."""
    before = len(await bench.rows())
    bench.advance(milliseconds)
    owner._awake.set()
    await asyncio.sleep(0.03)
    return [event for event, _ in (await bench.history())[before:]]


def kinds(events: list[Event]) -> list[str]:
    return [type(event).__name__ for event in events]


async def test_each_step_comes_at_its_own_millisecond(bench: Bench) -> None:
    """RT-4, RT-5: rings, targets and the overflow of one contact, in their order."""
    rings = (Relaxation(10_000, "en", 2), Relaxation(20_000, "en"))
    away = OverflowRule("away", Trigger.WAIT, 30_000, Action.QUEUE, "q2", "p2")
    flow = Workflow("flow", (Target("", 15_000), Target("")))
    owner, world = bench.owner(), bench.world
    made = queue(required_skills=(("en", 5),), relaxations=rings, overflows=(away,), workflow="flow")
    async with bench.running(owner):
        await bench.give(owner, define(bench, 1, DefineWorkflow, flow), define(bench, 2, DefineQueue, made))
        await bench.give(owner, *world.queued("c1"))
        steps = (SkillsRelaxed, 10_000), (TargetReached, 5_000), (SkillsRelaxed, 5_000), (ContactOverflowed, 10_000)
        for step, wait in steps:
            assert await passes(bench, owner, wait - 1) == [], step
            events = await passes(bench, owner, 1)
            assert kinds(events)[:2] == ["TimerElapsed", step.__name__]
    assert kinds([event for event, _ in await bench.history()])[-1] == "ContactDequeued"
    await sound(bench)


async def test_an_outage_moves_what_those_who_wait_wait_for(bench: Bench) -> None:
    """Kernel rule 20, trust: nothing elapses while the bus is away."""
    owner, world = bench.owner(), bench.world
    async with bench.running(owner):
        await bench.give(owner, define(bench, 1, DefineQueue, queue(max_wait_ms=10_000)), *world.queued("c1"))
        await passes(bench, owner, 9_000)
        bench.bus.away()
        assert await passes(bench, owner, MINUTE) == []
        bench.bus.back()
        assert await passes(bench, owner, 999) == []
        assert kinds(await passes(bench, owner, 1)) == ["TimerElapsed", "ContactOverflowed", "ContactDequeued"]
    await sound(bench)


async def test_a_successor_knows_what_those_who_wait_wait_for(bench: Bench) -> None:
    """Kernel rule 20: from the log alone; what is overdue comes at once."""
    world = bench.world
    async with bench.running(bench.owner()) as _:
        first = bench.owner()
    async with bench.running(first):
        await bench.give(first, define(bench, 1, DefineQueue, queue(max_wait_ms=10_000)), *world.queued("c1"))
        await bench.give(first, *world.queued("c2"))
    bench.advance(9_000)
    successor = bench.owner("o2")
    async with bench.running(successor):
        await asyncio.sleep(0.03)
        assert await passes(bench, successor, 999) == []
        left = [event for event in await passes(bench, successor, 1) if isinstance(event, ContactDequeued)]
        assert [(event.contact, event.left_at - event.queued_at) for event in left] == [("c1", 10_000), ("c2", 10_000)]
    await sound(bench)


async def test_a_contact_that_leaves_is_waited_for_no_longer(bench: Bench) -> None:
    owner, world = bench.owner(), bench.world
    async with bench.running(owner):
        await bench.give(owner, define(bench, 1, DefineQueue, queue(max_wait_ms=10_000)), *world.queued("c1"))
        await bench.give(owner, *world.abandoned("c1"))
        assert await passes(bench, owner, 11_000) == []


async def test_a_queue_opens_and_closes_by_its_hours(bench: Bench) -> None:
    """RT-6: noon in UTC is 20:00 in Shanghai; the queue opens at 09:00 the next day, in its own zone."""
    owner, world = bench.owner(), bench.world
    hours = Hours("office", "Asia/Shanghai", tuple((day, Span(540, 1080)) for day in range(1, 8)))
    async with bench.running(owner):
        await bench.give(owner, define(bench, 1, DefineHours, hours))
        await bench.give(owner, define(bench, 2, DefineQueue, queue(hours="office")))
        await asyncio.sleep(0.03)
        assert kinds(await bench.give(owner, *world.queued("late")))[-1] == "ContactDequeued"
        opens = datetime(2025, 6, 17, 1, 0, tzinfo=UTC).timestamp() * 1000
        assert [e for e in await passes(bench, owner, round(opens) - NOON - 1) if isinstance(e, TimerElapsed)][1:] == []
        (opened,) = await passes(bench, owner, 1)
        assert isinstance(opened, TimerElapsed)
        assert (opened.kind, opened.open, opened.due_at) == (TimerKind.HOURS, True, opens)
        assert kinds(await bench.give(owner, *world.queued("early"))) == ["ContactObserved", "ContactWaiting"]
        (closed,) = [
            e for e in await passes(bench, owner, 9 * HOUR) if isinstance(e, TimerElapsed) and e.kind == "hours"
        ]
        assert (closed.open, closed.due_at - opens) == (False, 9 * HOUR)
    await sound(bench)


async def test_new_hours_count_at_once_and_none_means_open(bench: Bench) -> None:
    """RT-6: whoever changes hours need not wait for the next change."""
    owner = bench.owner()
    closed, open_now = Hours("h", "UTC", ()), Hours("h", "UTC", ((1, Span(0, 1440)),))
    async with bench.running(owner):
        for n, order in enumerate([(DefineHours, closed), (DefineQueue, queue(hours="h")), (DefineHours, open_now)]):
            await bench.give(owner, define(bench, n, *order))
            await passes(bench, owner, 1)
        await bench.give(owner, define(bench, 7, DefineHours, closed))
        await passes(bench, owner, 1)
        await bench.give(owner, define(bench, 8, DefineQueue, queue()))
        await passes(bench, owner, 1)
    said = [e.open for e, _ in await bench.history() if isinstance(e, TimerElapsed)]
    assert said == [False, True, False, True]
    await sound(bench)


async def test_the_target_of_the_hour_is_the_one_of_the_quarter_hours_verdict(bench: Bench) -> None:
    """RT-6, kernel rule 26: T is 60 s after 12:15, and final at end + T."""
    owner, world = bench.owner(), bench.world
    made = queue(interval_targets=(IntervalTarget((), 12 * 60 + 15, 18 * 60, 60_000),))
    async with bench.running(owner):
        await bench.give(owner, define(bench, 1, DefineQueue, made), *world.queued("c1"))
        await passes(bench, owner, 15 * MINUTE)
        await bench.give(owner, *world.queued("c2"))
        await passes(bench, owner, 20_000)
        await passes(bench, owner, 15 * MINUTE + 40_000)
    finals = [e for e, _ in await bench.history() if isinstance(e, TimerElapsed) and e.kind is TimerKind.FINALITY]
    quarter = 15 * MINUTE
    assert [(e.interval_end - NOON, e.threshold_ms) for e in finals] == [(quarter, 20_000), (2 * quarter, 60_000)]
    await sound(bench)


async def test_a_day_carries_what_those_who_wait_wait_for(bench: Bench) -> None:
    """Kernel rule 19: plans, targets, calendars, hours and workflows cross midnight, by their digest."""
    owner, world = bench.owner(), bench.world
    rings = (Relaxation(10_000, "en", 2), Relaxation(86_400_000, "en"))
    flow = Workflow("flow", (Target("", 15_000, 4, skip_if=""), Target("q3", 0)))
    made = queue(
        required_skills=(("en", 5),),
        relaxations=rings,
        overflows=(OverflowRule("away", Trigger.WAIT, 20 * HOUR, Action.QUEUE, "q2", "p2"),),
        workflow="flow",
        hours="h",
    )
    async with bench.running(owner):
        await bench.give(owner, define(bench, 1, DefineHours, Hours("h", "UTC", ((1, Span(0, 1439)),))))
        await bench.give(owner, define(bench, 2, DefineWorkflow, flow), define(bench, 3, DefineQueue, made))
        await bench.give(owner, *world.queued("c1"))
        await passes(bench, owner, 20_000)
        await passes(bench, owner, 13 * HOUR)
        await bench.give(owner, *world.queued("c2"))
    chapter = await Days(bench.store.views).latest(POOL)
    assert chapter > 1
    opened = await open_board(bench.store.events, wire.CODEC, POOL, chapter)
    folded = await open_board(bench.store.events, wire.CODEC, POOL)
    assert carry.pack(opened.board) == carry.pack(folded.board)
    contact = opened.board.contacts["c1"]
    assert (contact.target, contact.steps_done, contact.demand.queue) == (2, 2, "q3")
    assert "c2" not in opened.board.contacts, "it is Tuesday: closed, and the carried calendar says so"
    heir = bench.owner("o2")
    async with bench.running(heir):
        await asyncio.sleep(0.03)
        left = [e for e in await passes(bench, heir, 7 * HOUR) if isinstance(e, ContactOverflowed)]
        assert [(event.contact, event.rule) for event in left] == [("c1", "away")]
    assert replay(await bench.history(), Board("t1", "p1")) is None


async def test_a_timer_that_has_no_effect_does_not_come_for_ever(bench: Bench) -> None:
    """The loop goes on: what was told and changed nothing is waited for no longer."""
    owner, world = bench.owner(), bench.world
    async with bench.running(owner):
        await bench.give(owner, *world.queued("c1"))
        stale = TimerElapsed(TimerKind.MAX_WAIT, NOON, contact="c1", leg=1, step=1)
        owner._deadlines._put("step:c1", stale, NOON, bench.bus.time())
        await passes(bench, owner, 1)
        await eventually(lambda: owner._deadlines.next() is not None and not owner._deadlines.due(bench.bus.time()))


def test_a_zone_that_nobody_knows_is_no_reason_to_stand_still() -> None:
    assert zone_of("Mars/Olympus", UTC) is UTC
    assert str(zone_of("Asia/Shanghai", UTC)) == "Asia/Shanghai"


def test_without_a_zone_nobody_asks_the_calendars() -> None:
    """A past that is enacted again is told them."""
    board = Board("t1", "p1")
    board.define(Queue("q1", interval_targets=(IntervalTarget((), 0, 1440, 1_000),)))
    for zone, asked in ((UTC, 1), (None, 0)):
        deadlines = Deadlines(zone=zone)
        deadlines.start(board, NOON, 0.0, lambda at: 0)
        assert len(deadlines.due(0.0)) == asked
