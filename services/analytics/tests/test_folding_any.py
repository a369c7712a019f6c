"""Whatever happens, in whatever batches, repeated, and with crashes anywhere: live equals a simple recomputation."""

from __future__ import annotations

import asyncio
from unittest.mock import patch

from hdrh.histogram import HdrHistogram
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics import wire
from analytics.app.histograms import histogram
from analytics.domain.formulas import identity_holds, level
from analytics.domain.levels import bucket, merged, parted
from contactcenter.agent.v1 import events_pb2 as agent_pb
from switchlog.store.memory import MemoryStore

from .folds import Crash, TearingViews, deliver, opened, stored_cells
from .recomputed import ATTRIBUTIONS, folded, recompute
from .scene import NOON, TENANT, Log

OUTCOMES = ["answered", "abandoned", "short_abandoned", "flowed_out", "callback", "timed_out", "blocked", "failed"]
QUEUES = ["sales", "care"]

story = st.fixed_dictionaries(
    {
        "queue": st.sampled_from(QUEUES),
        "channel": st.sampled_from(["chat", "voice"]),
        "pool": st.sampled_from(["front", "back"]),
        "at": st.integers(0, 3_600_000),
        "waited": st.integers(0, 90_000) | st.sampled_from([5_000, 20_000, 20_001, 4_000_000]),
        "outcome": st.sampled_from([*OUTCOMES, ""]),
        "offers": st.lists(st.sampled_from(["accepted", "declined", "expired", "withdrawn"]), max_size=3),
        "legs": st.integers(1, 2),
        "wrap_up": st.lists(st.integers(-1_000, 1_800_000), max_size=2),
    }
)


def told(stories: list[dict], repeats: list[int]) -> Log:
    """The stories interleaved by time, some records repeated later."""
    acts = []
    for n, one in enumerate(stories):
        for leg in range(1, one["legs"] + 1):
            at = NOON + one["at"] + (leg - 1) * 4_000_000
            acts.append((at, 0, n, leg, "waits"))
            for k, how in enumerate(one["offers"]):
                acts.append((at + min(k, one["waited"]), 1 + k, n, leg, how))
            if one["outcome"]:
                acts.append((at + one["waited"], 9, n, leg, "leaves"))
            for rank, (how, after) in enumerate(zip(("wraps", "is_done"), one["wrap_up"], strict=False)):
                acts.append((at + one["waited"] + after, 10 + rank, n, leg, how))
    log = Log()
    for at, _, n, leg, act in sorted(acts):
        _tell(log, stories[n], f"c{n}", leg, act, at)
    for n in repeats:
        if log.records:
            log.again(log.records[n % len(log.records)])
    return log


def _tell(log: Log, one: dict, contact: str, leg: int, act: str, at: int) -> None:
    queue, pool = one["queue"], one["pool"]
    queued_at = NOON + one["at"] + (leg - 1) * 4_000_000
    if act == "waits":
        log.waits(at, contact, queue, one["channel"], leg, pool)
    elif act in ("wraps", "is_done"):
        work = {"agent": "ann", "contact": contact, "leg": leg}
        if act == "wraps":
            log.agent(at, pool, wrap_up_started=agent_pb.WrapUpStarted(**work))
        else:
            log.agent(at, pool, wrap_up_ended=agent_pb.WrapUpEnded(**work))
    elif act == "leaves":
        more = {"queue": queue, "channel": one["channel"], "leg": leg, "pool": pool}
        log.leaves(at, contact, queued_at, one["outcome"], agent="ann", team="t1", **more)
    else:
        log.offers(at, contact, "ann", f"o{contact}{leg}", leg, queue, pool, one["channel"])
        log.offer_ends(at, act, contact, "ann", f"o{contact}{leg}", leg, pool)


@settings(deadline=None, max_examples=120)
@given(
    st.lists(story, max_size=12),
    st.lists(st.integers(0, 200), max_size=6),
    st.lists(st.tuples(st.integers(0, 25), st.integers(1, 9)), max_size=4),
    st.integers(1, 12),
    st.sampled_from([2, 1000]),
)
def test_live_equals_recomputation(stories, repeats, crashes, size, at_once) -> None:
    """Rule 27, by example after example: ``crashes`` are (rows written before it, batch size)."""
    log, store = told(stories, repeats), MemoryStore()

    async def live() -> dict:
        for budget, crashing_size in crashes:
            folding, _ = await opened(TearingViews(store.views, budget), log)
            try:
                await deliver(folding, log.records, crashing_size)
            except Crash:
                pass
        folding, _ = await opened(store.views, log)
        await deliver(folding, log.records, size)
        return {
            of: folded(await stored_cells(store.views, TENANT, QUEUES, of), wire.CHANNEL_NUMBERS) for of in ATTRIBUTIONS
        }

    with patch("analytics.app.folding.AT_ONCE", at_once):
        assert asyncio.run(live()) == {of: recompute(log.records, of) for of in ATTRIBUTIONS}


@settings(deadline=None, max_examples=60)
@given(st.lists(story, max_size=8), st.lists(st.integers(0, 200), max_size=3))
def test_the_identity_holds_at_every_instant(stories, repeats) -> None:
    """kpis.md: after every single fact, for each queue and channel and cohort; in event attribution over all time."""
    log, store = told(stories, repeats), MemoryStore()

    async def play() -> None:
        folding, _ = await opened(store.views, log)
        for record in log.records:
            await folding.take([record])
            await check(folding.board.counters.cells.values())

    async def check(cells) -> None:
        over_all: dict = {}
        for cell in cells:
            for channel in {parted(key)[0] for key in cell.groups}:
                tally = merged(one for key, one in cell.groups.items() if parted(key)[0] == channel)
                waited = [0 for said in cell.waiting.values() if said.channel == channel]
                if cell.attribution == "cohort":
                    assert identity_holds(level(tally, waited, 20))
                tallies, waiting = over_all.setdefault((cell.queue, channel), ([], []))
                tallies += [tally] if cell.attribution == "event" else []
                waiting += waited
        for tallies, waiting in over_all.values():
            assert identity_holds(level(merged(tallies), waiting, 20))

    asyncio.run(play())


@given(st.integers(0, 31 * 24 * 3600 * 1000))
def test_our_buckets_are_the_librarys(milliseconds: int) -> None:
    library = HdrHistogram(1, 31 * 24 * 3600 * 1000, 2)
    assert bucket(milliseconds) == library.get_lowest_equivalent_value(milliseconds)


@given(st.lists(st.integers(1, 10_000_000), min_size=1, max_size=50))
def test_counts_by_bucket_give_the_same_bytes_as_the_waits_themselves(waits: list[int]) -> None:
    direct = HdrHistogram(1, 31 * 24 * 3600 * 1000, 2)
    counts: dict[int, int] = {}
    for wait in waits:
        direct.record_value(wait)
        counts[bucket(wait)] = counts.get(bucket(wait), 0) + 1
    assert histogram([counts]).encode() == direct.encode()
