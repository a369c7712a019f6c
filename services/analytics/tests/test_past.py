"""Figures as of an instant are those of a service that was told only what had been recorded by then (rule 28, AN-4)."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any

import pytest
from aiokafka import TopicPartition
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics import wire, wiring
from analytics.app.past import KEPT, Past
from analytics.app.ports import Where
from analytics.app.questions import FiguresAsked, Questions
from analytics.bus.past import _all_there, fold_past
from analytics.config import Settings
from analytics.projections.rows import StoredRows
from contactcenter.routing.v1.events_pb2 import RoutingEvent
from switchlog.clock import ManualClock
from switchlog.errors import NotFound, NotNow, Poison, Rejected
from switchlog.store.memory import MemoryStore
from switchlog.testing import test_settings as settings_for_tests

from .feeds import ANY, Place, accepted, calls
from .folds import Owner
from .recomputed import ATTRIBUTIONS, folded, recompute
from .scene import NOON, TENANT, Log, Rec, S
from .test_all_topics import Centre
from .test_fed_fold import topic
from .test_folding_any import QUEUES, story, told

HOUR = 3_600 * S
OURS = Settings(settings_for_tests("analytics"), "r1")


def past_rows() -> StoredRows:
    return StoredRows(MemoryStore().views, OURS.state, OURS.group, OURS.topic, OURS.feed_topic)


async def batched(logs: Iterable[Sequence[Rec]], size: int) -> AsyncIterator[tuple[Where, Sequence[Rec]]]:
    """Each log as it lies on its topic, some records at a time."""
    for records in logs:
        for n in range(0, len(records), size):
            yield Where(records[0].topic, records[0].partition), records[n : n + size]


async def past(logs: Iterable[Sequence[Rec]], missing: Any, at: int, size: int = 7, tenant: str = TENANT) -> StoredRows:
    rows = past_rows()
    await fold_past(wiring._kinds(OURS, rows), batched(logs, size), missing, tenant, at)
    return rows


async def nothing_missing(record: Rec, last: int) -> list[bytes]:
    raise Poison("NOT_IN_OWNERS_LOG")


def as_it_came(records: list[Rec], rng: random.Random) -> list[Rec]:
    """Streams in order, but some much later than others: nothing keeps instants of recording in order."""
    streams: dict[bytes | None, list[Rec]] = {}
    for record in records:
        streams.setdefault(record.key, []).append(record)
    keys = [record.key for record in records]
    rng.shuffle(keys)
    return [streams[key].pop(0)._replace(offset=n) for n, key in enumerate(keys)]


def recorded_at(record: Rec) -> int:
    return RoutingEvent.FromString(record.value).meta.recorded_at.ToMilliseconds()


@settings(deadline=None, max_examples=60)
@given(
    st.lists(story, min_size=1, max_size=12),
    st.lists(st.integers(0, 200), max_size=6),
    st.integers(-1, 8_000_000),
    st.integers(1, 12),
    st.randoms(use_true_random=False),
)
def test_cells_as_of_an_instant_equal_a_recomputation_of_what_was_recorded_by_then(
    stories, repeats, after, size, rng
) -> None:
    """Kernel rule 28, over streams that reach the topic in any order of each other."""
    log, at = told(stories, repeats), NOON + after
    log.records = as_it_came(log.records, rng)
    by_then = [record for record in log.records if recorded_at(record) <= at]

    async def cells() -> dict:
        rows = await past([log.records], Owner(log).missing, at, size)
        found = {
            of: [cell for queue in QUEUES async for cell in rows.cells(TENANT, queue, 0, 1 << 45, of)]
            for of in ATTRIBUTIONS
        }
        return {of: folded(some, wire.CHANNEL_NUMBERS) for of, some in found.items()}

    assert asyncio.run(cells()) == {of: recompute(by_then, of) for of in ATTRIBUTIONS}


def cut(records: list[Rec], kind: Any, at: int) -> list[Rec]:
    read = wiring._kinds(OURS, past_rows())[kind].facts.read
    return [record for record in records if read(record.value).meta.recorded_at.ToMilliseconds() <= at]


@pytest.mark.parametrize("after", [0, 17 * 60 * S, HOUR // 2 + 123, HOUR, 5 * HOUR])
async def test_questions_of_all_topics_are_answered_as_if_nothing_had_been_recorded_since(after: int) -> None:
    centre, at = Centre(TENANT), NOON + after
    logs = [*centre.logs.values()]
    whole = await past(logs, nothing_missing, at)
    told_less = [cut(records, records[0].topic, at) for records in logs]
    alone = await past([records for records in told_less if records], nothing_missing, 1 << 45, 1_000)
    answers = [await answered(rows, at) for rows in (whole, alone)]
    assert answers[0] == answers[1]
    later = await answered(await past(logs, nothing_missing, at + 40 * HOUR), at)
    assert (later == answers[0]) == (after == 5 * HOUR)


async def answered(rows: StoredRows, at: int, tenant: str = TENANT) -> Any:
    questions = Questions(rows, ManualClock(at), "UTC")
    by = [FiguresAsked(step="15m", attribution=of, group_by=("queue", "agent")) for of in ATTRIBUTIONS]
    found = [await questions.figures(tenant, asked) for asked in (*by, FiguresAsked(step="1d", group_by=("agent",)))]
    return [(one.answer.span, one.rows) for one in found], await questions.now(tenant, "sales")


@pytest.mark.parametrize("part", [0, 1, 2])
async def test_fed_calls_count_as_of_when_they_were_fed(part: int) -> None:
    """Their own instants are long ago."""
    place, chance = Place(), random.Random(3)
    giving = place.feeding.one(TENANT, "u1", ANY)
    lines, fed_at = accepted(calls(60, seed=3)), []
    for n in range(3):
        await giving.give(lines[n * len(lines) // 3 : (n + 1) * len(lines) // 3])
        fed_at.append(place.clock.now())
        place.clock.advance(HOUR)
    await giving.end()
    logs = [one for one in await topic(place, chance) if one]
    by_then = await past(logs, nothing_missing, fed_at[part])
    alone = await past([cut(one, one[0].topic, fed_at[part]) for one in logs], nothing_missing, 1 << 45)
    assert await fed_figures(by_then) == await fed_figures(alone)
    whole = await fed_figures(await past(logs, nothing_missing, place.clock.now()))
    assert (await fed_figures(by_then) == whole) == (part == 2)


async def fed_figures(rows: StoredRows) -> list[dict[str, int]]:
    asked = FiguresAsked(begin=NOON, end=NOON + 5 * HOUR, step="15m", group_by=("queue", "agent"), formulas=("asa",))
    found = await Questions(rows, ManualClock(NOON + 500 * 24 * HOUR), "UTC").figures(TENANT, asked)
    return [(row.start, row.groups, row.level.counts, row.figures) for row in found.rows]


async def test_other_tenants_and_what_cannot_be_read_change_nothing() -> None:
    log = Log()
    log.defined(NOON)
    log.waits(NOON + S, "c1")
    log.put(b"acme/pool-front", b"\xff\xff")
    log.tenant = "other"
    log.versions = {}
    log.defined(NOON)
    log.waits(NOON + S, "c2")
    rows = await past([log.records], nothing_missing, NOON + HOUR)
    assert (await Questions(rows, ManualClock(NOON + HOUR), "UTC").now(TENANT, "sales")).waiting == 1
    assert await rows.queues("other") == []


class Replays:
    """Counts how often an instant is folded."""

    def __init__(self) -> None:
        self.log, self.asked = Log(), []
        self.log.defined(NOON)
        for n in range(10):
            self.log.waits(NOON + n * 60 * S, f"c{n}")

    async def __call__(self, tenant: str, at: int) -> StoredRows:
        self.asked.append(at)
        return await past([self.log.records], nothing_missing, at)


def asking(clock: ManualClock, replays: Any) -> Past:
    return Past(Questions(past_rows(), clock, "UTC"), replays)


async def test_a_wallboard_of_then_says_who_waited_and_how_long_at_that_time() -> None:
    found = await asking(ManualClock(NOON + HOUR), Replays()).now(TENANT, "sales", NOON + 130 * S)
    assert (found.at, found.waiting, found.longest_wait_ms) == (NOON + 130 * S, 3, 130 * S)


async def test_an_instant_is_folded_once_but_that_of_the_last_minute_each_time_and_few_are_kept() -> None:
    replays = Replays()
    past_questions = asking(ManualClock(NOON + HOUR), replays)
    for at in (NOON + S, NOON + S, NOON + HOUR, NOON + HOUR):
        await past_questions.now(TENANT, "sales", at)
    assert replays.asked == [NOON + S, NOON + HOUR, NOON + HOUR]
    for n in range(KEPT):
        await past_questions.now(TENANT, "sales", NOON + 2 * S + n)
    await past_questions.now(TENANT, "sales", NOON + S)
    assert replays.asked[-1] == NOON + S and len(past_questions.kept) == KEPT


async def test_an_instant_to_come_is_refused_and_a_queue_of_later_is_not_there_yet() -> None:
    past_questions = asking(ManualClock(NOON + HOUR), Replays())
    with pytest.raises(Rejected, match="BAD_AS_OF"):
        await past_questions.now(TENANT, "sales", NOON + HOUR + 1)
    with pytest.raises(NotFound):
        await past_questions.now(TENANT, "sales", NOON - 1)


def test_more_than_may_be_folded_or_less_than_there_was_is_refused_by_name() -> None:
    one = TopicPartition("contact.events.v1", 0)
    _all_there({one: 0}, {one: 0}, {one: 10}, 10)
    _all_there({one: 7}, {one: 8}, {one: 10}, 2)
    with pytest.raises(Rejected, match="AS_OF_TOO_MUCH"):
        _all_there({one: 0}, {one: 0}, {one: 10}, 9)
    with pytest.raises(Rejected, match="AS_OF_NOT_KEPT"):
        _all_there({one: 9}, {one: 8}, {one: 10}, 10)


async def test_who_waits_too_long_for_the_past_is_told_to_come_again(monkeypatch) -> None:
    async def never(tenant: str, at: int) -> StoredRows:
        await asyncio.sleep(60)
        return past_rows()

    monkeypatch.setattr("analytics.app.past.PATIENCE_S", 0.01)
    with pytest.raises(NotNow, match="AS_OF_SLOW"):
        await asking(ManualClock(NOON + HOUR), never).now(TENANT, "sales", NOON)


async def test_reading_ends_with_the_folding_that_broke_off() -> None:
    ended = []

    async def batches() -> AsyncIterator[tuple[Where, Sequence[Rec]]]:
        try:
            yield Where("no.such.topic", 0), []
        finally:
            ended.append(True)

    with pytest.raises(KeyError):
        await fold_past({}, batches(), nothing_missing, TENANT, NOON)
    assert ended
