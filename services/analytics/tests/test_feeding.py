"""Lines become durable once, whoever sends them again and wherever it broke off (CH-7, kernel rule 29)."""

from __future__ import annotations

import asyncio
import random

import pytest

from analytics.adapters import fed_events
from analytics.app import feeding
from analytics.domain.feed import CallFactFed, FeedAdvanced, FeedEnded, FeedOpened, Terms
from analytics.projections import snapshots
from switchlog.envelope import StreamId
from switchlog.errors import NotNow
from switchlog.store.memory import Fault

from .feeds import ANY, TENANT, Place, accepted, calls, line

pytestmark = pytest.mark.usefixtures("quick")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeding, "PATIENCE_S", 2.0)


def told(log: dict) -> list[str]:
    return sorted(event.line.line_id for events in log.values() for event in events if isinstance(event, CallFactFed))


async def test_a_file_becomes_facts_of_sixteen_streams_and_ends_in_each():
    place, lines = Place(), calls(60)
    tally = await place.feed(lines)
    log = await place.log()
    assert (tally.accepted, tally.duplicates, tally.rejected) == (len(lines), 0, 0)
    assert told(log) == sorted(one.line.line_id for _, one in accepted(lines))
    assert all(isinstance(events[0], FeedOpened) for events in log.values()) and len(log) == 16
    assert [events[-1] for events in log.values()] == [FeedEnded("pbx", len(events) - 2) for events in log.values()]


async def test_a_repeat_of_the_whole_file_changes_nothing():
    place, lines = Place(), calls(40)
    await place.feed(lines)
    before = await place.log()
    for again in (place, place.another()):
        tally = await again.feed(random.Random(1).sample(lines, len(lines)))
        assert (tally.accepted, tally.duplicates, tally.rejected) == (0, len(lines), 0)
    assert await place.log() == before


async def test_what_broke_off_is_fed_to_the_end_by_another_process():
    place, lines = Place(), calls(50)
    giving = place.feeding.one(TENANT, "u1", ANY)
    await giving.give(accepted(lines[:133]))
    tally = await place.another().feed(lines)  # the first one was killed: no end
    assert (tally.accepted, tally.duplicates) == (len(lines) - 133, 133)
    log = await place.log()
    assert told(log) == sorted(one.line.line_id for _, one in accepted(lines))
    assert all(isinstance(events[-1], FeedEnded) for events in log.values())


async def test_lines_in_time_order_move_the_time_of_silent_streams():
    place = Place()
    await place.feed([line("contact_queued", 0, "c1", queue="sales")], Terms())
    await place.feed([line("contact_queued", 3_600_000, "c1", queue="sales", id="later")], Terms())
    log = await place.log()
    advanced = [events for events in log.values() if isinstance(events[-1], FeedAdvanced)]
    assert len(advanced) == 15 and {events[-1].at for events in advanced} == {advanced[0][-1].at}
    assert not any(isinstance(event, FeedEnded) for events in log.values() for event in events)


async def test_lines_that_come_too_late_are_rejected_with_their_numbers():
    place = Place()
    queued = [line("contact_queued", at, "c1", queue="sales") for at in (0, 3_600_000, 10_000, 3_590_000)]
    tally = await place.feed(queued, Terms(lateness_ms=60_000))
    assert (tally.accepted, tally.rejected, dict(tally.reasons)) == (3, 1, {"TOO_LATE": 1})
    assert [(one.line, one.reason) for one in tally.rejections] == [(3, "TOO_LATE")]


async def test_a_file_in_parts_ends_with_its_last_part():
    place, lines = Place(), calls(20)
    await place.feed(lines[:50], more=True)
    assert not any(isinstance(events[-1], FeedEnded) for events in (await place.log()).values())
    await place.feed([], ends=["pbx"])
    assert all(isinstance(events[-1], FeedEnded) for events in (await place.log()).values())


async def test_more_lines_open_an_ended_file_again():
    place, lines = Place(), calls(20)
    await place.feed(lines[:50])
    await place.feed(lines)
    ends = [sum(isinstance(event, FeedEnded) for event in events) for events in (await place.log()).values()]
    assert set(ends) == {2}


async def test_lines_never_share_an_append_of_more_than_a_thousand():
    place = Place()
    lines = [line("contact_held", n, "c1") for n in range(2_500)]
    assert (await place.feed(lines)).accepted == 2_500
    rows = [row for one in await place.store.events.streams(TENANT) for row in await place.store.events.read(one)]
    batches = [row.batch_id for row in rows]
    assert max(batches.count(batch) for batch in set(batches)) == 1_000


async def test_long_lines_are_appended_in_smaller_batches():
    place = Place()
    words = {f"k{n}": "x" * 250 for n in range(16)}
    lines = [line("contact_held", n, "c1", attributes=words) for n in range(600)]
    giving = place.feeding.one(TENANT, "u1", ANY)
    from analytics.app.feedlines import convert

    await giving.give([(n, convert(one | {"at": _at(one)}, 1 << 45, words.keys())) for n, one in enumerate(lines)])
    assert giving.tally.accepted == 600


def _at(one: dict):
    from datetime import datetime

    return datetime.fromisoformat(one["at"])


@pytest.mark.parametrize("seed", range(6))
async def test_whatever_the_store_does_each_line_is_there_once(seed: int):
    place, chance = Place(deadline_s=0.2), random.Random(seed)
    place.store.faults.coming.extend(chance.choice([*Fault, None, None, None]) for _ in range(40))
    lines = calls(60, seed)
    tally = await place.feed(lines)
    place.store.faults.land()
    assert (tally.accepted, tally.duplicates, tally.rejected) == (len(lines), 0, 0)
    assert told(await place.another().log()) == sorted(one.line.line_id for _, one in accepted(lines))


async def test_two_processes_that_feed_the_same_file_at_once_count_each_line_once():
    place, lines = Place(), calls(80)
    tallies = await asyncio.gather(place.feed(lines), place.another().feed(lines))
    assert sum(tally.accepted for tally in tallies) == len(lines)
    assert sum(tally.duplicates for tally in tallies) == len(lines)
    assert told(await place.log()) == sorted(one.line.line_id for _, one in accepted(lines))


async def test_a_store_that_stays_away_says_not_now(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(feeding, "PATIENCE_S", 0.1)
    place = Place()
    place.store.faults.away = True
    with pytest.raises(NotNow):
        await place.feed(calls(2))


async def test_a_stream_is_opened_from_its_segments(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(snapshots, "SIZE", 64)
    place = Place()
    lines = [line("contact_held", n, "c1") for n in range(1_000)]
    for begin in range(0, 1_000, 90):
        await place.feed(lines[begin : begin + 90], Terms(), more=True)
    (stream,) = {StreamId(TENANT, "feed-pbx-" + name.rpartition("-")[2]) for name in _told_streams(await place.log())}
    written = await place.store.views.scan("feed_marks", stream.key)
    head = await place.store.events.head(stream)
    assert len(written) == head // 64

    heir = place.another()
    fold = await heir.snapshots.begin(stream)
    assert fold is not None and fold.head == len(written) * 64
    whole = (await heir.writer.state(stream)).state
    assert (whole.accepted, whole.terms, whole.ended) == (1_000, Terms(), False)
    assert whole == place.writer._desks[stream].fold.state or sum(map(len, whole.known)) == 1_000
    again = await heir.feed(lines, Terms(), more=True)
    assert (again.accepted, again.duplicates) == (0, 1_000)


async def test_a_missing_segment_ends_what_is_taken_from_segments(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(snapshots, "SIZE", 64)
    place = Place()
    await place.feed([line("contact_held", n, "c1") for n in range(300)])
    (name,) = _told_streams(await place.log())
    await place.store.views.delete("feed_marks", f"{TENANT}/{name}", "00000002", 3)
    fold = await place.another().snapshots.begin(StreamId(TENANT, name))
    assert fold is not None and fold.head == 2 * 64


def _told_streams(log: dict) -> list[str]:
    return [name for name, events in log.items() if any(isinstance(event, CallFactFed) for event in events)]


def test_events_come_back_from_their_messages():
    given = [one.line for _, one in accepted(calls(10))]
    events = [CallFactFed("pbx", one) for one in given]
    events += [FeedOpened("pbx", Terms(5, True)), FeedEnded("pbx", 7), FeedAdvanced("pbx", 99)]
    assert [fed_events.read(fed_events.write(event)) for event in events] == events
