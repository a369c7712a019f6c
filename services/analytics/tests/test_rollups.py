"""Days that are rolled up: answers are the very same without, whatever comes late and whatever is torn meanwhile."""

from __future__ import annotations

import asyncio
import os
import random
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics import wiring
from analytics.app.past import Past
from analytics.app.questions import FiguresAsked, Questions
from analytics.app.rollups import CLOSED_MS
from analytics.bus.past import fold_past
from analytics.domain.levels import DAY_MS, QUARTER_MS
from analytics.projections.rollups import StoredRollups
from analytics.projections.rows import StoredRows
from contactcenter.routing.v1.events_pb2 import RoutingEvent
from switchlog.clock import ManualClock
from switchlog.errors import NotFound
from switchlog.store.memory import MemoryStore
from switchlog.store.opening import open_store

from .feeds import Place, calls
from .folds import Crash, TearingViews
from .scene import NOON, TENANT, S
from .test_fed_fold import folding, topic
from .test_fed_fold import rows_of as fed_rows
from .test_past import OURS, batched, nothing_missing
from .test_questions import HOUR, MIN, Apart, Centre
from .test_questions import kept as kept  # the fixture: one store for all tests

pytestmark = pytest.mark.cassandra if os.environ.get("STORE") == "cassandra" else []

BEGIN, END = NOON - 3 * DAY_MS, NOON + 4 * DAY_MS
ASKED = [
    {},
    {"tz": "Etc/GMT-11"},
    {"attribution": "event"},
    {"group_by": ()},
    {"group_by": ("channel",), "threshold_s": 10},
    {"group_by": ("agent",)},
    {"group_by": ("queue", "team"), "agents": ("ann",), "attribution": "event"},
    {"step": "1w", "tz": "Europe/Berlin", "queues": ("sales",)},
    {"step": "1mo", "channels": ("chat",)},
]


class Reading:
    """Views that let something happen before their reads: the next of ``meanwhile``, one a read."""

    def __init__(self, views: Any) -> None:
        self._views, self.meanwhile = views, list[Any]()

    async def scan(self, *where: Any) -> Any:
        if self.meanwhile and (happens := self.meanwhile.pop(0)):
            await happens()
        return await self._views.scan(*where)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._views, name)


class Asking(TearingViews):
    """Tearing views: ``then`` happens before the write number ``at``."""

    at, then = -1, None

    async def put(self, *row: Any) -> None:
        if self.written == self.at and self.then:
            await self.then()
        await super().put(*row)


class Told:
    """A centre's logs, folded bit by bit into ``views``, and the questions asked of it with and without roll-ups."""

    def __init__(self, views: Any, centre: Centre, now: int = NOON + 2 * HOUR) -> None:
        self.clock, self.views, self.reading = ManualClock(now), views, Reading(views)
        self.logs = [centre.pools.records, *(people.records for people in centre.people.values())]
        self.folded = [0 for _ in self.logs]
        self.rolling = replace(self.questions(self.reading), rollups=StoredRollups(self.rows(self.reading)))

    def rows(self, views: Any) -> StoredRows:
        return StoredRows(views, OURS.state, OURS.group, OURS.topic, OURS.feed_topic, self.clock)

    def questions(self, views: Any) -> Questions:
        return Questions(self.rows(views), self.clock, "UTC")

    async def fold(self, log: int, many: int, size: int = 5, views: Any = None) -> None:
        """On with a log; all before may be delivered once more."""
        self.folded[log] += many
        kinds = wiring._kinds(OURS, self.rows(views or self.views))
        records = self.logs[log][: self.folded[log]]
        await fold_past(kinds, batched([records] if records else [], size), nothing_missing, TENANT, 1 << 45)

    async def fold_all(self) -> None:
        for log, records in enumerate(self.logs):
            await self.fold(log, len(records))

    async def ask(self, questions: Questions, **more: Any) -> Any:
        given = {"begin": BEGIN, "end": END, "step": "1d"} | more
        return (await questions.figures(TENANT, FiguresAsked(**given))).rows

    async def same(self, **more: Any) -> Any:
        """The answer, twice with roll-ups, once without."""
        first, again = await self.ask(self.rolling, **more), await self.ask(self.rolling, **more)
        assert first == again == await self.ask(self.questions(self.views), **more)
        return first


call = st.tuples(
    st.integers(-40, 30).map(lambda hours: NOON + hours * HOUR),
    st.integers(0, 59).map(lambda minutes: minutes * MIN),
    st.sampled_from(["sales", "care"]),
    st.sampled_from(["ann", "bob", ""]),
    st.sampled_from([5 * S, 20 * S, 90 * S]),
    st.sampled_from([0, 3 * MIN, 50 * MIN]),
    st.booleans(),
)
step = st.one_of(
    st.tuples(st.just("fold"), st.integers(0, 2), st.integers(1, 12), st.integers(1, 6)),
    st.tuples(st.just("torn"), st.integers(0, 2), st.integers(1, 12), st.integers(0, 12)),
    st.tuples(st.just("asked in it"), st.integers(0, 2), st.integers(1, 12), st.integers(0, 12)),
    st.tuples(st.just("folded in it"), st.integers(0, 2), st.integers(1, 12), st.integers(0, 8)),
    st.tuples(st.just("later"), st.integers(1, 40), st.just(0), st.just(0)),
)


def centre_of(calls: list[tuple], views: Any) -> Centre:
    made = Centre(views)
    for queue in ("sales", "care"):
        made.pools.defined(BEGIN, queue)
    for n, (hour, minute, queue, agent, waited, talked, wrapped) in enumerate(calls):
        if agent:
            made.calls(hour + minute, f"c{n}", queue, agent, waited, talked, wrapped)
        else:
            made.goes(hour + minute, f"c{n}", queue, waited)
        if n % 3 == 2:
            made.pools.final(hour + 5 * HOUR, hour + QUARTER_MS, queue=queue)
    return made


@settings(deadline=None, max_examples=100)
@given(
    st.lists(call, min_size=1, max_size=8), st.lists(step, max_size=12), st.sampled_from(ASKED), st.sampled_from([0, 5])
)
def test_answers_are_the_same_with_roll_ups_and_without(calls, steps, asked, days_later) -> None:
    """Rule 27, after any late facts, crashes between rows, questions amid a fold and folds amid a question."""

    async def play() -> None:
        views = MemoryStore().views
        told = Told(views, centre_of(calls, views))
        told.clock.advance(days_later * DAY_MS)
        await told.fold(0, 2)
        for one in steps:
            await _step(told, *one, asked)
            await told.same(**asked)
        await told.fold_all()
        for more in ASKED:
            await told.same(**more)
        told.clock.advance(8 * DAY_MS)
        for more in ASKED:
            await told.same(**more)

    asyncio.run(play())


async def _step(told: Told, kind: str, log: int, many: int, most: int, asked: dict) -> None:
    async def question() -> None:
        await told.ask(told.rolling, **asked)

    match kind:
        case "fold":
            await told.fold(log, many, most)
        case "torn":
            try:
                await told.fold(log, many, views=TearingViews(told.views, most))
            except Crash:
                pass
        case "asked in it":
            views = Asking(told.views)
            views.at, views.then = most, question
            await told.fold(log, many, views=views)
        case "folded in it":
            told.reading.meanwhile = [None] * most + [lambda: told.fold(log, many)]
            await question()
            told.reading.meanwhile = []
        case _:
            told.clock.advance(log * HOUR)


# --- one rule at a time, over a real store ---------------------------------------------------------------------------


@pytest.fixture
async def told(kept):
    """Three days of calls; all of it is long over."""
    store = await open_store(kept, "analytics")
    views = Counting(Apart(store.views))
    calls = [(NOON + hours * HOUR, 3 * MIN, "sales", "ann", 5 * S, 3 * MIN, True) for hours in range(-36, 30, 3)]
    found = Told(views, centre_of(calls, views))
    found.clock.advance(9 * DAY_MS)
    yield found
    await store.close()


class Counting(TearingViews):
    """Notes what is read and written, by view."""

    def __init__(self, views: Any) -> None:
        super().__init__(views)
        self.seen: Counter[str] = Counter()

    async def scan(self, view: str, *where: Any) -> Any:
        self.seen[view] += 1
        return await self._views.scan(view, *where)

    async def put(self, view: str, *row: Any) -> None:
        self.seen[f"put {view}"] += 1
        await super().put(view, *row)


async def test_asked_again_no_cell_of_a_day_long_over_is_read(told: Told) -> None:
    await told.fold_all()
    first = await told.ask(told.rolling)
    assert (
        told.views.seen["s2_levels"] and told.views.seen["put s2_rollups"] == 3 * 8
    )  # two queues, and ""; the days touched
    told.views.seen.clear()
    assert await told.ask(told.rolling) == first != []
    assert set(told.views.seen) & {"s2_levels", "s2_level_events", "put s2_rollups"} == set()
    assert first == await told.ask(told.questions(told.views))


async def test_a_late_fact_has_its_days_added_up_anew_and_no_others(told: Told) -> None:
    await told.fold_all()
    before = await told.same()
    told.views.seen.clear()
    late = centre_of([(NOON, MIN, "sales", "", 5 * S, 0, True)], told.views).pools
    told.logs[0] += [
        record._replace(offset=len(told.logs[0]) + n, key=b"acme/pool-other", value=_moved(record.value))
        for n, record in enumerate(late.records[2:])
    ]
    await told.fold_all()
    after = await told.same()
    assert told.views.seen["put s2_rollups"] == 1
    changed = [(one, other) for one, other in zip(before, after, strict=True) if one.level != other.level]
    assert [(one.start, other.level.offered - one.level.offered) for one, other in changed] == [(NOON - 12 * HOUR, 1)]


def _moved(value: bytes | None) -> bytes:
    """The fact in another pool's stream."""
    event = RoutingEvent.FromString(value or b"")
    event.meta.stream, event.meta.version = "pool-other", event.meta.version - 2
    return event.SerializeToString(deterministic=True)


async def test_a_day_that_ended_less_than_two_days_ago_is_added_up_each_time(told: Told) -> None:
    await told.fold_all()
    told.clock.advance(NOON + 12 * HOUR + CLOSED_MS - 1 - told.clock.now())  # of the call at noon that ended just now
    await told.ask(told.rolling, begin=NOON, end=NOON + 1)
    assert not told.views.seen["put s2_rollups"]
    told.clock.advance(1)
    await told.ask(told.rolling, begin=NOON, end=NOON + 1)
    assert told.views.seen["put s2_rollups"] == 3


async def test_folding_what_just_happens_notes_nothing(told: Told) -> None:
    told.clock.advance(NOON + 30 * HOUR - told.clock.now())
    await told.fold(0, 4)
    noted = told.views.seen["put s2_late"]
    assert noted
    told.clock.advance(NOON - 24 * HOUR - told.clock.now())
    await told.fold_all()
    assert told.views.seen["put s2_late"] == noted


@pytest.mark.parametrize("day, hours", [("2026-03-29", 23), ("2026-06-01", 24), ("2025-10-26", 25)])
async def test_days_are_those_of_the_local_clock(told: Told, day: str, hours: int) -> None:
    """A row of a day on which the clock is moved has what its 92 or 100 quarter hours have, from one roll-up."""
    noon = int(datetime.fromisoformat(f"{day}T12:00:00+00:00").timestamp() * 1000)
    log = told.logs[0]
    told.clock.advance(noon + 9 * DAY_MS - told.clock.now())
    scene = centre_of([(noon + at * HOUR, 0, "sales", "", 5 * S, 0, True) for at in range(-26, 26)], told.views)
    log[:] = scene.pools.records
    await told.fold(0, len(log))
    asked = {"begin": noon, "end": noon + 1, "tz": "Europe/Berlin", "queues": ("sales",)}
    for _ in range(2):
        (row,) = await told.ask(told.rolling, **asked)
        assert (row.level.offered, (row.end - row.start) // HOUR) == (hours, hours)
    assert told.views.seen["put s2_rollups"] == 1
    assert len(await told.same(**asked | {"begin": noon - DAY_MS, "end": noon + DAY_MS})) == 3


async def test_a_question_as_of_an_instant_neither_uses_nor_makes_roll_ups(told: Told) -> None:
    await told.fold_all()
    await told.ask(told.rolling)
    told.views.seen.clear()

    async def replay(tenant: str, at: int) -> StoredRows:
        return told.rows(told.views)

    past = Past(told.rolling, replay)
    given = FiguresAsked(begin=BEGIN, end=END, step="1d")
    found = (await past.figures(TENANT, given, told.clock.now() - DAY_MS)).rows
    assert [row.level for row in found] == [row.level for row in await told.ask(told.questions(told.views))]
    assert not any("rollups" in view or "late" in view for view in told.views.seen)


async def test_rows_under_another_name_have_roll_ups_of_their_own(told: Told) -> None:
    """A rebuild begins without any."""
    await told.fold_all()
    await told.ask(told.rolling)
    other = replace(told.rows(told.views), state="s3")
    questions = replace(told.rolling, stored=other, rollups=StoredRollups(other))
    with pytest.raises(NotFound):
        await told.ask(questions, queues=("sales",))
    assert await told.ask(questions) == []


@pytest.mark.parametrize("seed", range(5))
async def test_fed_calls_are_answered_the_same_with_roll_ups_and_without(seed: int) -> None:
    """A fed contact's counts are taken back and made anew with every further fact; a save may be torn."""
    place, chance, views = Place(), random.Random(seed), MemoryStore().views
    await place.feed(calls(12, seed))
    plain = Questions(fed_rows(views), place.clock, "UTC")
    rolling = replace(plain, rollups=StoredRollups(plain.stored))
    asked = FiguresAsked(begin=NOON, end=NOON + 1, step="1d", group_by=chance.choice([("queue",), ("agent",), ()]))
    seen = Counter[int]()
    for number, records in enumerate(await topic(place, chance)):
        fold = await folding(views, number)
        while rest := [record for record in records if record.offset >= fold.board.next]:
            torn = await folding(TearingViews(views, chance.randint(0, 60)), number)
            with suppress(Crash):
                await torn.take(rest[: chance.randint(1, 40)])
            found = (await rolling.figures(TENANT, asked)).rows
            assert found == (await plain.figures(TENANT, asked)).rows
            seen[sum(row.level.answered for row in found)] += 1
            fold = await folding(views, number)
            await fold.take(rest[: chance.randint(1, 40)])
            assert (await rolling.figures(TENANT, asked)).rows == (await plain.figures(TENANT, asked)).rows
    assert len(seen) > 3 and any(await views.scan("s1_rollups", f"{TENANT}/sales/cohort/{_groups(asked)}/UTC"))


def _groups(asked: FiguresAsked) -> str:
    return "agents" if "agent" in asked.group_by else "channels"
