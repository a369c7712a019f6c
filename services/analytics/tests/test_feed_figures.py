"""Fed queues in the same answers as our own, final by their source's time (CH-7, kernel rule 29)."""

from __future__ import annotations

import random
from collections.abc import Sequence

from analytics.app.questions import FiguresAsked, Questions
from analytics.domain.feed import Terms
from switchlog.clock import ManualClock

from .feeds import ANY, BEGAN, TENANT, Place, line
from .test_fed_fold import folded, rows_of, topic

S, QUARTER = 1000, 900_000


async def asked(place: Place, begin: int = BEGAN, end: int = BEGAN + 4 * QUARTER) -> Questions:
    views = await folded(await topic(place, random.Random(1)), random.Random(2))
    return Questions(rows_of(views), ManualClock(BEGAN + 8 * QUARTER), "UTC")


async def rows(place: Place, **more) -> list:
    given = {"queues": ("sales",), "begin": BEGAN, "end": BEGAN + 8 * QUARTER, "step": "15m"} | more
    found = await (await asked(place)).figures(TENANT, FiguresAsked(**given))
    return list(found.rows)


def call(name: str, at: int, waited: int = 5 * S) -> Sequence[dict]:
    return (
        line("contact_queued", at, name, queue="sales", channel="voice"),
        line("contact_answered", at + waited, name, queue="sales", agent="a1", team="t1"),
        line("contact_ended", at + waited + 60 * S, name),
    )


async def test_an_interval_is_final_when_the_source_s_time_is_past_its_end_by_threshold_and_lateness():
    place, terms = Place(), Terms(lateness_ms=120 * S)
    await place.feed([*call("c1", 10 * S), *call("c2", QUARTER)], terms)
    (first, second) = await rows(place)
    assert not first.flags.verdicts_final and not first.flags.final
    over = QUARTER + 20 * S + 120 * S
    await place.feed([line("contact_held", over - 1, "c9")], terms)
    assert not (await rows(place))[0].flags.final
    await place.feed([line("contact_held", over + 61 * S, "c8")], terms)  # streams without lines follow within a minute
    (first, second, *_) = await rows(place)
    assert first.flags.verdicts_final and first.flags.final and not second.flags.final
    assert (first.level.offered, first.level.answered, first.figures["sl_strict"]) == (1, 1, 1.0)


async def test_whoever_still_waits_keeps_an_interval_from_being_final():
    place = Place()
    await place.feed([*call("c1", 0), line("contact_queued", 30 * S, "c2", queue="sales")], ANY)
    (row,) = await rows(place)
    assert row.flags.verdicts_final and not row.flags.final and row.level.waiting == 1
    assert row.level.offered == row.level.answered + row.level.waiting == 2


async def test_a_file_is_final_at_its_end_and_open_again_when_more_is_fed():
    place = Place()
    await place.feed(call("c1", 0), ANY, more=True)
    assert not (await rows(place))[0].flags.final
    await place.feed([], ANY, ends=["pbx"])
    assert (await rows(place))[0].flags.final
    await place.feed(call("c2", 60 * S), ANY, more=True)
    assert not (await rows(place))[0].flags.final


async def test_every_threshold_and_channel_can_be_asked_for():
    place = Place()
    await place.feed([*call("c1", 0, 5 * S), *call("c2", 0, 25 * S), *call("c3", 0, 20 * S)], ANY)
    within = {t: (await rows(place, threshold_s=t))[0].level.answered_in for t in (5, 20, 30)}
    assert within == {5: 1, 20: 2, 30: 3}
    (row,) = await rows(place, channels=("voice",))
    assert (row.level.offered, row.figures["asa"]) == (3, 50 / 3)


async def test_a_fed_queue_has_a_wallboard():
    place = Place()
    await place.feed([*call("c1", 0), line("contact_queued", 10 * S, "c2", queue="sales")], Terms())
    now = await (await asked(place)).now(TENANT, "sales")
    assert (now.waiting, now.longest_wait_ms) == (1, 8 * QUARTER - 10 * S)
    assert now.today.level.answered == 1
