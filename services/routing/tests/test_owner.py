"""Owners of one pool: takeover, fences, crashes at every step, outages, days (kernel rules 5, 19-24)."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest

from routing import wire
from routing.app.log import open_board
from routing.app.ports import Fenced
from routing.domain import carry, evolve_pool
from routing.domain.commands import AcceptOffer, DefineQueue
from routing.domain.events import (
    CommandRefused,
    ContactAssigned,
    ContactOffered,
    Event,
    OfferExpired,
    PoolOpened,
    PoolTaken,
    Queue,
    TimerElapsed,
)
from routing.domain.replay import replay
from routing.domain.state import Board
from routing.projections.days import Days
from switchlog.clock import ManualClock
from switchlog.store.memory import Fault
from switchlog.testing import eventually

from .bench import Bench
from .world import POOL


@pytest.fixture
def bench() -> Bench:
    return Bench()


def offered(events: list[Event]) -> list[ContactOffered]:
    return [event for event in events if isinstance(event, ContactOffered)]


async def sound(bench: Bench) -> None:
    """Gap-free, never back in time, nothing assigned twice, and the whole log replays to itself."""
    rows, history = await bench.rows(), await bench.history()
    assert [row.version for row in rows] == list(range(1, len(rows) + 1))
    assert [row.recorded_at for row in rows] == sorted(row.recorded_at for row in rows)
    assert len({row.event_id for row in rows}) == len(rows)
    legs = Counter((e.contact, e.leg) for e, _ in history if isinstance(e, ContactAssigned))
    assert not [leg for leg, times in legs.items() if times > 1]
    assert replay(history, Board("t1", "p1")) is None


async def test_a_contact_is_offered_as_soon_as_it_is_seen(bench: Bench) -> None:
    """RT-1; one append a batch of inputs."""
    owner = bench.owner()
    async with bench.running(owner):
        await bench.give(owner, *bench.world.joined("a1"))
        before = len({row.batch_id for row in await bench.rows()})
        events = await bench.give(owner, *bench.world.queued("c1"), *bench.world.queued("c2"))
        assert [(o.contact, o.agent) for o in offered(events)] == [("c1", "a1")]
        assert len({row.batch_id for row in await bench.rows()}) == before + 1
    assert [row.version for row in bench.published] == [row.version for row in await bench.rows()]
    await sound(bench)


async def test_facts_of_one_story_carry_it_whoever_caused_them(bench: Bench) -> None:
    """Contracts: correlation is the contact's, causation the message that caused it."""
    owner, world = bench.owner(), bench.world
    async with bench.running(owner):
        await bench.give(owner, *world.queued("c1"), *world.queued("c2"))
        await bench.give(owner, *world.joined("a1", slots=2))
    metas = [(wire.CODEC.parse(row.value).meta, row) for row in await bench.rows() if "ContactOffered" in row.type]
    assert [meta.correlation_id for meta, _ in metas] == ["contact-c1", "contact-c2"]
    assert len({meta.causation_id for meta, _ in metas}) == 1


async def test_what_is_read_twice_has_no_effect(bench: Bench) -> None:
    """Rule 22: by the board, by the durable table for what has left it, by the answers for old orders."""
    owner, world = bench.owner(), bench.world
    inputs = [*world.joined("a1"), *world.queued("c1")]
    async with bench.running(owner):
        (offer,) = offered(await bench.give(owner, *inputs))
        accept = world.order(AcceptOffer(offer.offer_id, "a1", "a" * 32))
        gone = [accept, *world.connected("c1", "a1"), *world.work_ended("a1", "c1")]
        await bench.give(owner, *gone)
        assert await bench.give(owner, *inputs, *gone) == []
    successor = bench.owner("o2")
    async with bench.running(successor):
        assert [type(e) for e in await bench.give(successor, *inputs, *gone)] == [PoolTaken]
    await sound(bench)


async def test_a_takeover_makes_good_what_was_seen_but_not_written_down(bench: Bench) -> None:
    """Rule 22: `seen` is rewritten from the log at takeover, so a crash between append and `seen` loses nothing."""
    owner, world = bench.owner(), bench.world
    inputs = [*world.queued("c1"), *world.abandoned("c1")]
    async with bench.running(owner):
        await bench.give(owner, *inputs)
    forget_seen(bench)
    successor = bench.owner("o2")
    async with bench.running(successor):
        assert [type(e) for e in await bench.give(successor, *inputs)] == [PoolTaken]


def forget_seen(bench: Bench) -> None:
    tables = [value for value in vars(bench.store.seen).values() if isinstance(value, dict)]
    assert tables
    for table in tables:
        table.clear()


async def test_of_two_owners_only_the_later_one_decides(bench: Bench) -> None:
    """Rule 20: the former is fenced by the latter's PoolTaken and leaves."""
    first, second, world = bench.owner("o1"), bench.owner("o2"), bench.world
    async with bench.running(first) as frozen:
        await bench.give(first, *world.joined("a1", slots=2))
        async with bench.running(second):
            await bench.give(second, *world.queued("c1"))
            for one in world.queued("c2"):
                first.put(one)
                second.put(one)
            with pytest.raises(Fenced):
                await asyncio.wait_for(asyncio.shield(frozen), 2)
            await eventually(lambda: second.waiting == 0)
            await asyncio.sleep(0.01)
    history = await bench.history()
    assert [o.contact for o in offered([e for e, _ in history])] == ["c1", "c2"]
    await sound(bench)


@pytest.mark.parametrize("fault", [None, Fault.LATE])
async def test_a_zombie_thawed_in_the_middle_of_its_append_adds_nothing(bench: Bench, fault: Fault | None) -> None:
    """Trust: zombie owner, 0 extra events, also when what it sent before it froze arrives late."""
    gate, world = Gate(bench.store.events), bench.world
    zombie, successor = bench.owner("o1", events=gate), bench.owner("o2")
    async with bench.running(zombie) as frozen:
        await bench.give(zombie, *world.joined("a1"))
        inputs = world.queued("c1")
        bench.store.faults.coming.append(fault)
        gate.open.clear() if fault is None else gate.after.append("append")
        for one in inputs:
            zombie.put(one)
        await asyncio.wait_for(gate.reached.wait(), 2)
        async with bench.running(successor):
            assert isinstance((await bench.give(successor, *inputs))[0], PoolTaken)
            bench.store.faults.land()
            gate.open.set()
            with pytest.raises(Fenced):
                await asyncio.wait_for(asyncio.shield(frozen), 2)
    history = await bench.history()
    assert [(o.contact, o.attempt) for o in offered([e for e, _ in history])] == [("c1", 1)]
    assert [e.owner for e, _ in history if isinstance(e, PoolTaken)] == ["o1", "o2"]
    await sound(bench)


class Gate:
    """A log whose caller freezes: before a call while ``open`` is not set, or after one named in ``after``."""

    def __init__(self, events: Any) -> None:
        self._events = events
        self.open, self.reached = asyncio.Event(), asyncio.Event()
        self.open.set()
        self.after: list[str] = []

    def __getattr__(self, name: str) -> Any:
        async def call(*args: Any) -> Any:
            await self._frozen()
            try:
                return await getattr(self._events, name)(*args)
            finally:
                if name in self.after:
                    self.after.remove(name)
                    self.open.clear()
                    await self._frozen()

        return call

    async def _frozen(self) -> None:
        if not self.open.is_set():
            self.reached.set()
            await self.open.wait()


@pytest.mark.parametrize("fault", [Fault.LOST_BEFORE_WRITE, Fault.LOST_AFTER_WRITE, Fault.AWAY])
async def test_an_unknown_outcome_is_found_out(bench: Bench, fault: Fault) -> None:
    """Rule 5: the same batch once, whatever became of its reply."""
    owner, world = bench.owner(), bench.world
    async with bench.running(owner):
        await bench.give(owner, *world.joined("a1"))
        bench.store.faults.coming.extend([fault, fault])
        assert len(offered(await bench.give(owner, *world.queued("c1")))) == 1
    await sound(bench)


STEPS = ("append", "publish", "seen", "answers", "commit")


@pytest.mark.parametrize("step", STEPS)
async def test_a_crash_at_any_step_loses_and_doubles_nothing(bench: Bench, step: str) -> None:
    """decide -> append -> publish -> seen -> answers -> commit: the next owner reads the same inputs again."""
    owner, world = bench.owner(), bench.world
    inputs = [*world.joined("a1"), *world.queued("c1"), *world.queued("c2")]
    async with bench.running(owner):
        await bench.give(owner, *inputs)
    (offer,) = offered([e for e, _ in await bench.history()])
    accept = world.order(AcceptOffer(offer.offer_id, "a1", "a" * 32))
    doomed = bench.owner("o2", told=crash if step == "publish" else None)
    with pytest.raises(Crash):
        await crashing(bench, doomed, step, [accept, *world.connected("c1", "a1")])
    heir = bench.owner("o3")
    async with bench.running(heir):
        await bench.give(heir, *inputs, accept, *world.connected("c1", "a1"))
    answer = await bench.answers.get("t1", "a" * 32)
    assert answer is not None
    assert answer.reason == ""
    assert [e.contact for e, _ in await bench.history() if isinstance(e, ContactAssigned)] == ["c1"]
    await sound(bench)


class Crash(Exception):
    pass


def crash(*_: Any) -> None:
    raise Crash


async def crashing(bench: Bench, owner: Any, step: str, inputs: list[Any]) -> None:
    places = {
        "append": (bench.store.events, "append"),
        "seen": (bench.store.seen, "put_many"),
        "answers": (bench.store.views, "put_many"),
    }
    if step == "commit":
        owner._done = crash
    for one in inputs:
        owner.put(one)
    if step == "publish":
        await owner.run()
    await owner.take()
    if step in places:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(*places[step], crash)
            await owner.tell(inputs)
    await owner.tell(inputs)


async def test_an_offer_expires_by_the_clock_of_the_bus(bench: Bench) -> None:
    """Rule 20, trust: while the bus is away nothing expires, and deadlines move by the outage."""
    owner, world = bench.owner(), bench.world
    define = world.order(DefineQueue(Queue("q1", offer_timeout_ms=10_000), "d" * 32))
    async with bench.running(owner):
        await bench.give(owner, define, *world.joined("a1"), *world.queued("c1"))
        bench.advance(9_000)
        bench.bus.away()
        bench.advance(60_000)
        owner._awake.set()
        await asyncio.sleep(0.05)
        assert not any(isinstance(e, OfferExpired) for e, _ in await bench.history())
        bench.bus.back()
        bench.advance(999)
        owner._awake.set()
        await asyncio.sleep(0.05)
        assert not any(isinstance(e, OfferExpired) for e, _ in await bench.history())
        bench.advance(1)
        owner._awake.set()

        async def expired() -> bool:
            return any(isinstance(e, OfferExpired) for e, _ in await bench.history())

        await eventually(expired)
    await sound(bench)


async def test_a_successor_gives_an_offer_the_time_of_an_outage(bench: Bench) -> None:
    """Trust: deadlines move by an outage, also when the pool changes hands in it."""
    owner, world = bench.owner(), bench.world
    async with bench.running(owner):
        await bench.give(owner, *world.joined("a1"), *world.queued("c1"))
    bench.advance(5_000)
    bench.bus.away()
    bench.advance(60_000)
    bench.bus.back()
    successor = bench.owner("o2")
    async with bench.running(successor):
        for milliseconds, over in ((14_999, False), (1, True)):
            await asyncio.sleep(0.02)
            bench.advance(milliseconds)
            successor._awake.set()
            await asyncio.sleep(0.02)
            assert any(isinstance(e, OfferExpired) for e, _ in await bench.history()) is over
    await sound(bench)


async def test_no_offer_is_made_while_the_bus_is_away(bench: Bench) -> None:
    """Rule 20, trust: broker cut off."""
    owner, world = bench.owner(), bench.world
    async with bench.running(owner):
        await bench.give(owner, *world.joined("a1"))
        bench.bus.away()
        for one in world.queued("c1"):
            owner.put(one)
        await asyncio.sleep(0.05)
        assert offered([e for e, _ in await bench.history()]) == []
        bench.bus.back()
        await eventually(lambda: owner.waiting == 0)
    assert len(offered([e for e, _ in await bench.history()])) == 1


async def test_a_successor_lets_open_offers_expire_in_their_time(bench: Bench) -> None:
    """Trust I4: every offer ends, after a failover too."""
    owner, world = bench.owner(), bench.world
    async with bench.running(owner):
        await bench.give(owner, *world.joined("a1"), *world.queued("c1"))
    bench.advance(21_000)
    async with bench.running(bench.owner("o2")):

        async def expired() -> bool:
            return any(isinstance(e, OfferExpired) for e, _ in await bench.history())

        await eventually(expired, within_s=2)
    await sound(bench)


async def test_a_quarter_hour_with_contacts_becomes_final(bench: Bench) -> None:
    """Rule 26: interval end + T, once."""
    owner, world = bench.owner(), bench.world
    async with bench.running(owner):
        await bench.give(owner, *world.queued("c1"))
        bench.advance(15 * 60_000 + 19_999)
        owner._awake.set()
        await asyncio.sleep(0.02)
        assert not any(isinstance(e, TimerElapsed) for e, _ in await bench.history())
        bench.advance(1)
        owner._awake.set()
        await asyncio.sleep(0.02)
    timers = [e for e, _ in await bench.history() if isinstance(e, TimerElapsed)]
    assert [(t.queue, t.threshold_ms) for t in timers] == [("q1", 20_000)]


async def test_a_day_begins_at_midnight_and_a_fold_may_start_there(bench: Bench) -> None:
    """Rule 19: the carry has the digest of the board, and the next owner folds from it."""
    owner, world = bench.owner(), bench.world
    async with bench.running(owner):
        define = world.order(DefineQueue(Queue("q1", offer_timeout_ms=48 * 3600_000), "d" * 32))
        await bench.give(owner, define, *world.joined("a1", skills=(("en", 2),)), *world.joined("a2", slots=3))
        first, second = offered(await bench.give(owner, *world.queued("c1"), *world.queued("c2")))
        await bench.give(owner, world.order(AcceptOffer(first.offer_id, first.agent, "a" * 32)))
        await bench.give(owner, *world.queued("c3", skills=(("xx", 1),)), *world.wrap_up(first.agent, "c1"))
        bench.advance(13 * 3600_000)
        await bench.give(owner, *world.queued("c4"))
    days = await Days(bench.store.views).of(POOL)
    assert [date for date, _ in days] == ["2025-06-16", "2025-06-17"]
    whole = await open_board(bench.store.events, wire.CODEC, POOL)
    from_day = await open_board(bench.store.events, wire.CODEC, POOL, days[-1][1])
    assert carry.pack(from_day.board) == carry.pack(whole.board)
    assert from_day.head == whole.head
    assert whole.board.offers[second.offer_id] == "c2"
    heir = bench.owner("o2")
    async with bench.running(heir):
        await bench.give(heir, *world.ready("a1"))
    assert sum(isinstance(e, PoolOpened) for e, _ in await bench.history()) == 2
    await sound(bench)


async def test_a_carry_that_was_cut_off_is_begun_again(bench: Bench) -> None:
    """Rule 19: an incomplete one is ignored by folds, and the next owner begins anew."""
    owner, world = bench.owner(), bench.world
    async with bench.running(owner):
        await bench.give(owner, *world.joined("a1"))
    bench.advance(13 * 3600_000)
    doomed = bench.owner("o2")
    await doomed.take()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("routing.app.owner.CARRIED_AT_ONCE", 1)
        appended = bench.store.events.append
        calls = iter(range(100))

        async def dies(*args: Any) -> int:
            if next(calls) == 2:
                raise Crash
            return await appended(*args)

        patch.setattr(bench.store.events, "append", dies)
        with pytest.raises(Crash):
            await doomed.tell(world.queued("c1"))
    heir = bench.owner("o3")
    async with bench.running(heir):
        await bench.give(heir, *world.queued("c2"))
    days = await Days(bench.store.views).of(POOL)
    assert [date for date, _ in days] == ["2025-06-16", "2025-06-17"]
    whole = await open_board(bench.store.events, wire.CODEC, POOL)
    from_day = await open_board(bench.store.events, wire.CODEC, POOL, days[-1][1])
    assert carry.pack(from_day.board) == carry.pack(whole.board)


async def test_a_late_order_is_refused_and_may_come_again(bench: Bench) -> None:
    """Rule 23: EXPIRED takes neither the command's id nor the ids of its facts."""
    owner, world = bench.owner(), bench.world
    async with bench.running(owner):
        (offer,) = offered(await bench.give(owner, *world.joined("a1"), *world.queued("c1")))
        late = world.order(AcceptOffer(offer.offer_id, "a1", "a" * 32), expires_in_ms=-1)
        (refused,) = await bench.give(owner, late)
        assert isinstance(refused, CommandRefused)
        assert refused.reason == "EXPIRED"
        events = await bench.give(owner, world.order(AcceptOffer(offer.offer_id, "a1", "a" * 32)))
        assert isinstance(events[-1], ContactAssigned)
    answer = await bench.answers.get("t1", "a" * 32)
    assert answer is not None
    assert answer.reason == ""
    await sound(bench)


async def test_the_time_of_a_pool_never_goes_back(bench: Bench) -> None:
    """Rule 20: a successor whose clock is behind goes on from the last time recorded."""
    world = bench.world
    async with bench.running(bench.owner()) as _:
        await asyncio.sleep(0.02)
    behind = Bench(clock=ManualClock(bench.clock.now() - 3_600_000), store=bench.store)
    successor = behind.owner("o2")
    async with behind.running(successor):
        await behind.give(successor, *world.queued("c1"))
    recorded = [at for _, at in await bench.history()]
    assert recorded == sorted(recorded)
    assert recorded[-1] == recorded[0]
    await sound(bench)


async def test_an_order_that_the_board_has_forgotten_is_asked_of_the_answers(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rule 22: beyond the last 10 000 a repeat has no effect either."""
    monkeypatch.setattr(evolve_pool, "COMMANDS_KEPT", 1)
    owner, world = bench.owner(), bench.world
    async with bench.running(owner):
        for n in (1, 2):
            await bench.give(owner, world.order(DefineQueue(Queue(f"q{n}"), f"{n:032x}")))
        assert f"{1:032x}" not in owner._board.commands
        assert await bench.give(owner, world.order(DefineQueue(Queue("q1"), f"{1:032x}"))) == []
