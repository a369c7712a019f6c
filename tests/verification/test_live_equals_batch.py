"""Whatever comes late, twice, in another order, in any batches, with a process that dies anywhere:
what is published equals the batch, count for count (AN-1, I7; kernel rules 14, 15, 27)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from random import Random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contactcenter.analytics.v1.rows_pb2 import AgentTimeRow, ServiceLevelRow

from . import outputs
from .compare import Report
from .day import Day, fed, made
from .day.streams import Published
from .driving import Analytics, delivered, partitioned
from .logs import records
from .oracle.decode import decode
from .oracle.recompute import Batch, recompute
from .oracle.topics import Record

DAYS = st.builds(
    Day,
    seed=st.integers(1, 10_000),
    tz=st.sampled_from(["Europe/Berlin", "Asia/Shanghai", "Asia/Kathmandu"]),
    from_hour=st.sampled_from([1, 22]),
    hours=st.integers(1, 3),
    contacts_an_hour=st.sampled_from([20, 70]),
    agents=st.integers(2, 8),
)


def shuffled(log: list[Record], chance: Random, mixed: bool) -> list[Record]:
    """The streams of a partition in another interleaving: only the order within each is promised (P2, P4)."""
    if not mixed:
        return list(log)
    streams: dict[bytes, list[Record]] = {}
    for one in log:
        streams.setdefault(one.key, []).append(one)
    turns = [key for key, said in streams.items() for _ in said]
    chance.shuffle(turns)
    heads = {key: iter(said) for key, said in streams.items()}
    return [next(heads[key]) for key in turns]


def repeated(log: list[Record], chance: Random, share: float) -> list[Record]:
    """Some records once more later on, and once a whole piece of the topic again."""
    found: list[Record] = []
    for one in log:
        found.append(one)
        if chance.random() < share:
            found.append(chance.choice(found))
    if share and found:
        begin = chance.randrange(len(found))
        found += found[begin : begin + chance.randrange(60)]
    return found


async def lived(day: Day, chance: Random, mixed: bool, share: float, kills: float) -> tuple[Analytics, list[Record]]:
    """A day's facts, folded."""
    analytics = Analytics(day.tz, day.end + 30 * 86_400_000)
    return analytics, await folded(analytics, made(day), chance, mixed, share, kills)


async def folded(
    analytics: Analytics, said: Sequence[Published], chance: Random, mixed: bool, share: float, kills: float
) -> list[Record]:
    """Every partition to its end, in turns that chance gives; the process dies now and then between two rows."""
    logs = partitioned(records(said), partitions=2)
    for where, log in logs.items():
        analytics.logs[where] = delivered(where, repeated(shuffled(log, chance, mixed), chance, share))
    left = list(analytics.logs)
    while left:
        where = chance.choice(left)
        crash_after = chance.randrange(40) if chance.random() < kills else -1
        if not await analytics.take(where, chance.choice((1, 7, 60, 500)), crash_after):
            left.remove(where)
    return [Record(*one[:5]) for log in analytics.logs.values() for one in log]


async def report(day: Day, chance: Random, mixed: bool, share: float, kills: float) -> tuple[Report, Analytics]:
    analytics, topics = await lived(day, chance, mixed, share, kills)
    batch = recompute(decode(topics).tables, day.tz, analytics.now)
    return await compared(analytics, batch, day.tenant), analytics


async def compared(analytics: Analytics, batch: Batch, tenant: str) -> Report:
    """The newest rows on both output topics beside the batch."""
    rows, found = await analytics.published(tenant), Report()
    levels = outputs.newest((one for one in rows if one.topic == outputs.LEVELS), ServiceLevelRow)
    times = outputs.newest((one for one in rows if one.topic == outputs.TIMES), AgentTimeRow)
    outputs.compare_levels(found, levels, batch, tenant)
    outputs.compare_times(found, times, batch, tenant)
    return found


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(DAYS, st.integers(0, 1 << 32), st.booleans(), st.sampled_from([0, 0.05]), st.sampled_from([0, 0.05]))
def test_live_equals_batch_whatever_is_delivered_how_and_when(day, seed, mixed, share, kills):
    found, _ = asyncio.run(report(day, Random(seed), mixed, share, kills))
    assert found.compared > 1000
    assert not found.differences, "\n".join(map(str, found.differences[:20]))


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.integers(1, 10_000),
    st.integers(0, 1 << 32),
    st.booleans(),
    st.sampled_from([0, 0.05]),
    st.sampled_from([0, 0.05]),
)
def test_fed_calls_count_live_as_in_the_batch_whatever_is_delivered_how_and_when(seed, delivery, mixed, share, kills):
    """CH-7, kernel rule 29: also while the source has not said that it gave all."""
    said = fed.made(seed=seed, hours=2, calls=60, whole=seed % 2 == 0)
    analytics = Analytics("Asia/Shanghai", fed.BEGAN + 30 * 86_400_000)

    async def report() -> Report:
        topics = await folded(analytics, said, Random(delivery), mixed, share, kills)
        return await compared(analytics, recompute(decode(topics).tables, analytics.tz, analytics.now), "seeded-fed")

    found = asyncio.run(report())
    assert found.compared > 1000
    assert not found.differences, "\n".join(map(str, found.differences[:20]))


def test_a_whole_day_with_repeats_and_many_deaths():
    """The day of `make verify-figures`: 25 hours, a midnight, all outcomes."""
    found, analytics = asyncio.run(report(Day(), Random(1), mixed=True, share=0.02, kills=0.2))
    assert analytics.crashes > 20
    assert found.compared > 50_000
    assert not found.differences, "\n".join(map(str, found.differences[:20]))


def test_a_difference_would_be_seen():
    """One answered contact more in one published row: the comparison names the cell and who was counted there."""
    day = Day(hours=2)
    analytics, topics = asyncio.run(lived(day, Random(1), mixed=False, share=0, kills=0))
    batch = recompute(decode(topics).tables, day.tz, analytics.now)
    rows = asyncio.run(analytics.published(day.tenant))
    levels = outputs.newest((one for one in rows if one.topic == outputs.LEVELS), ServiceLevelRow)
    changed = next(row for row in levels.values() if row.answered)
    changed.answered += 1
    found = Report()
    outputs.compare_levels(found, levels, batch, day.tenant)
    difference = found.differences[0]
    assert len(found.differences) == 1, "\n".join(map(str, found.differences[:8]))
    assert difference.name == "topic answered" and difference.live == difference.batch + 1
    assert changed.queue in str(difference) and len(difference.contacts) == difference.batch
