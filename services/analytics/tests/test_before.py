"""Rows as they stood before: at the begin of any period, whatever was written since, torn or not (kernel rule 28)."""

from __future__ import annotations

import asyncio
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics import wiring
from analytics.bus.past import fold_past
from analytics.projections.before import NEVER, PERIOD_MS, PERIODS_A_DAY, Befores, KeepingViews, ViewsThen
from analytics.projections.rows import StoredRows
from analytics.wire import CHANNEL_NUMBERS as CHANNELS
from switchlog.clock import ManualClock
from switchlog.store.memory import MemoryStore
from switchlog.store.opening import open_store
from switchlog.testing.places import own_store

from .folds import Crash, Owner, TearingViews
from .recomputed import ATTRIBUTIONS, folded, recompute
from .scene import NOON, TENANT
from .test_folding_any import QUEUES, story, told
from .test_past import OURS, batched, recorded_at

on_every_store = pytest.mark.cassandra if os.environ.get("STORE") == "cassandra" else lambda test: test
FIRST = NOON // PERIOD_MS
KEYS = [f"k{n}" for n in range(6)]


class Kept:
    """Views whose rows are kept as they stood, and what they should have been at the begin of each period."""

    def __init__(self, views, days: int = 31) -> None:
        self.views, self.clock, self.befores = views, ManualClock(NOON - PERIOD_MS), Befores(views, "s")
        self.days = days
        self.restart()

    def restart(self) -> None:
        self.writing = KeepingViews(self.views, self.befores, self.clock, self.days)

    def then(self, period: int) -> ViewsThen:
        return ViewsThen(self.views, self.befores, self.clock, period, frozenset())


async def rows(views, limit: int = 1000) -> list[tuple[str, bytes, int]]:
    found, after = [], ""
    while page := await views.scan("v", "p", after, limit):
        found += [(row.key, row.value, row.version) for row in page]
        after = page[-1].key
    assert found == [(one.key, one.value, one.version) for key in KEYS if (one := await views.get("v", "p", key))]
    return found


writes = st.lists(
    st.tuples(st.lists(st.sampled_from(KEYS), min_size=1, max_size=4), st.integers(0, PERIOD_MS * 2), st.booleans()),
    max_size=25,
)


@settings(deadline=None, max_examples=80)
@given(writes, st.integers(1, 4))
def test_rows_of_every_period_are_those_that_stood_at_its_begin(given_writes, limit) -> None:
    async def lived() -> None:
        kept, stood = Kept(MemoryStore().views), {}
        await kept.writing.put("v", "p", "k0", b"old", 1)
        kept.clock.advance(PERIOD_MS)
        for n, (keys, later, again) in enumerate(given_writes, 2):
            before = await rows(kept.views)
            begun = kept.clock.now() // PERIOD_MS
            kept.clock.advance(later)
            stood |= dict.fromkeys(range(begun + 1, kept.clock.now() // PERIOD_MS + 1), before)
            if again:
                kept.restart()
            await kept.writing.put_many("v", [("p", key, b"%d" % n, n) for key in dict.fromkeys(keys)])
        for period, expected in stood.items():
            assert await rows(kept.then(period), limit) == expected

    asyncio.run(lived())


async def test_what_is_written_over_then_stays_there_and_an_older_version_changes_nothing() -> None:
    kept = Kept(MemoryStore().views)
    for n, key in enumerate(("k0", "k1", "k3")):
        await kept.writing.put("v", "p", key, b"old", n + 5)
    kept.clock.advance(PERIOD_MS)
    await kept.writing.put("v", "p", "k1", b"new", 9)
    then = kept.then(FIRST)
    await then.put_many("v", [("p", "k1", b"less", 6), ("p", "k2", b"mine", 1), ("p", "k3", b"more", 8)])
    for limit in (1, 2, 9):
        assert await rows(then, limit) == [
            ("k0", b"old", 5), ("k1", b"old", 6), ("k2", b"mine", 1), ("k3", b"more", 8)
        ]  # fmt: skip
    await kept.writing.put("v", "p", "k0", b"newer", 10)
    assert (await then.get("v", "p", "k0")).value == b"old"
    assert [row[1] for row in await rows(kept.views)] == [b"newer", b"new", b"old"]


async def test_older_images_go_and_what_was_written_before_the_first_period_is_not_promised() -> None:
    kept = Kept(MemoryStore().views, days=1)
    assert await kept.befores.since() == NEVER
    await kept.writing.put("v", "p", "k0", b"1", 1)
    assert await kept.befores.since() == FIRST
    kept.clock.advance(PERIOD_MS)
    await kept.writing.put("v", "p", "k0", b"2", 2)
    kept.clock.advance((PERIODS_A_DAY + 3) * PERIOD_MS)
    await kept.writing.put("v", "p", "k0", b"3", 3)
    assert await kept.befores.since() == FIRST + 3
    assert [await kept.befores.of(period) for period in range(FIRST - 1, FIRST + 3)][1:] == [{}, {}, {}]


@on_every_store
async def test_the_first_image_of_a_period_stays_in_a_store_too(tmp_path) -> None:
    with own_store("analytics", tmp_path) as place:
        store = await open_store(place, "analytics")
        kept = Kept(store.views)
        await kept.writing.put("v", "p", "k0", b"1", 1)
        kept.clock.advance(PERIOD_MS)
        for n in (2, 3):
            kept.clock.advance(10)
            kept.restart()
            await kept.writing.put("v", "p", "k0", b"%d" % n, n)
        assert await rows(kept.then(FIRST)) == [("k0", b"1", 1)]
        await store.close()


@on_every_store
async def test_many_large_rows_are_kept_and_read_again(tmp_path) -> None:
    with own_store("analytics", tmp_path) as place:
        store = await open_store(place, "analytics")
        kept, large = Kept(store.views), {f"k{n:03d}": b"%d" % n * 500 for n in range(150)}
        await kept.writing.put("v", "p", "k", b"", 1)
        kept.clock.advance(PERIOD_MS)
        await kept.writing.put_many("v", [("p", key, value, 1) for key, value in large.items()])
        kept.clock.advance(PERIOD_MS)
        await kept.writing.put_many("v", [("p", key, b"new", 2) for key in large])
        then = await kept.then(FIRST + 1).scan("v", "p")
        assert {row.key: row.value for row in then} == {"k": b"", **large}
        await store.close()


@settings(deadline=None, max_examples=60)
@given(
    st.lists(story, min_size=1, max_size=12),
    st.lists(st.integers(0, 25), max_size=3),
    st.integers(0, 8_000_000),
    st.integers(1, 9),
)
def test_folded_on_from_a_period_cells_equal_a_recomputation(stories, crashes, after, size) -> None:
    """Rules 27 and 28: the live fold crashes between rows; later a question goes back to where it stood."""
    log, at = told(stories, []), NOON + after

    async def cells() -> dict:
        kept = Kept(MemoryStore().views)
        await _live(kept, log, [*crashes], size)
        period = min(at, kept.clock.now()) // PERIOD_MS
        assert period >= await kept.befores.since()
        then = ViewsThen(kept.views, kept.befores, kept.clock, period, frozenset())
        found = StoredRows(then, OURS.state, OURS.group, OURS.topic)
        await fold_past(wiring._kinds(OURS, found), batched([log.records], size), Owner(log).missing, TENANT, at)
        return {
            of: folded(
                [cell for queue in QUEUES async for cell in found.cells(TENANT, queue, 0, 1 << 45, of)], CHANNELS
            )
            for of in ATTRIBUTIONS
        }

    by_then = [record for record in log.records if recorded_at(record) <= at]
    assert asyncio.run(cells()) == {of: recompute(by_then, of) for of in ATTRIBUTIONS}


async def _live(kept: Kept, log, crashes: list[int], size: int) -> None:
    """Each record is folded at about the time when it was recorded."""
    rest = [*log.records]
    await kept.writing.put("other", "p", "k", b"", 1)
    while rest:
        views = TearingViews(kept.writing, crashes.pop() if crashes else None)
        views.delete = kept.writing.delete
        try:
            ours = StoredRows(views, OURS.state, OURS.group, OURS.topic)
            kinds = wiring._kinds(OURS, ours)
            while rest:
                some = rest[:size]
                last = max(recorded_at(record) for record in some)
                kept.clock.advance(max(0, last - kept.clock.now()))
                await fold_past(kinds, batched([some], size), Owner(log).missing, TENANT, 1 << 45)
                del rest[:size]
        except Crash:
            kept.restart()
