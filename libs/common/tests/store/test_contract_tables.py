"""What every store's views, seen versions, timers, effects and keys must do (kernel rules 7, 16, 17, 18)."""

from __future__ import annotations

import asyncio
import random
from importlib import import_module
from pathlib import Path

import pytest

import contactcenter
from contactcenter.bus.v1.options_pb2 import topic
from switchlog.clock import SystemClock
from switchlog.envelope import StreamId
from switchlog.errors import NotFound
from switchlog.measured import MeasuredEvents
from switchlog.store import Store, Timer, ViewRow
from switchlog.store.cassandra.schema import OPTIONS
from switchlog.store.memory import SEEN_KEPT_MS as MEMORY_KEPT_MS
from switchlog.store.sqlite.tables import SEEN_KEPT_MS as SQLITE_KEPT_MS
from switchlog.timers import Nudges, TimerRunner

from .kit import Open, make_batch, timers_of, write


async def test_an_older_view_row_never_wins(store: Store) -> None:
    """Kernel rule 17."""
    await store.views.put("desk", "p", "k", b"five", 5)
    await store.views.put("desk", "p", "k", b"three", 3)
    assert await store.views.get("desk", "p", "k") == ViewRow("k", b"five", 5)
    await store.views.put("desk", "p", "k", b"six", 6)
    assert await store.views.get("desk", "p", "k") == ViewRow("k", b"six", 6)


async def test_the_same_version_again_changes_nothing(store: Store) -> None:
    await store.views.put("desk", "p", "k", b"five", 5)
    await store.views.put("desk", "p", "k", b"five", 5)
    assert await store.views.get("desk", "p", "k") == ViewRow("k", b"five", 5)


async def test_a_deleted_view_row_stays_away_from_older_writes_only(store: Store) -> None:
    """A plain delete would bury later writes."""
    await store.views.put("desk", "p", "k", b"five", 5)
    await store.views.delete("desk", "p", "k", 4)
    assert await store.views.get("desk", "p", "k") == ViewRow("k", b"five", 5)
    await store.views.delete("desk", "p", "k", 6)
    await store.views.put("desk", "p", "k", b"five", 5)
    await store.views.put("desk", "p", "k", b"six", 6)
    assert await store.views.get("desk", "p", "k") is None
    await store.views.put("desk", "p", "k", b"seven", 7)
    assert await store.views.get("desk", "p", "k") == ViewRow("k", b"seven", 7)


async def test_a_delete_before_the_first_write_counts(store: Store) -> None:
    await store.views.delete("desk", "p", "k", 3)
    await store.views.put("desk", "p", "k", b"two", 2)
    assert await store.views.get("desk", "p", "k") is None
    assert await store.views.scan("desk", "p") == []


async def test_view_writes_in_any_order_leave_the_highest(store: Store) -> None:
    writes = [("p", "k", f"v{n}".encode(), n) for n in range(1, 40)]
    random.shuffle(writes)
    await asyncio.gather(*(store.views.put("desk", *row) for row in writes))
    assert await store.views.get("desk", "p", "k") == ViewRow("k", b"v39", 39)


async def test_a_scan_gives_pages_in_key_order(store: Store) -> None:
    rows = [("p", f"k{n:03}", b"x" * n, n + 1) for n in range(250)]
    await store.views.put_many("desk", [*rows, ("q", "other", b"", 1)])
    await store.views.delete("desk", "p", "k101", 1000)
    keys = [row.key for row in await store.views.scan("desk", "p", after="k099", limit=3)]
    assert keys == ["k100", "k102", "k103"]
    assert len(await store.views.scan("desk", "p")) == 249
    assert await store.views.scan("desk", "q") == [ViewRow("other", b"", 1)]
    assert await store.views.scan("other", "p") == []


async def test_seen_is_a_max_register(store: Store) -> None:
    """Kernel rule 7."""
    await store.seen.put("g", "acme/contact-1", 7)
    await store.seen.put("g", "acme/contact-1", 5)
    await store.seen.put_many("g", {"acme/contact-2": 2, "acme/contact-1": 6})
    assert await store.seen.get("g", "acme/contact-1") == 7
    assert await store.seen.get("g", "never") == 0
    assert await store.seen.get("h", "acme/contact-1") == 0
    sources = ["acme/contact-1", "acme/contact-2", "never"]
    assert await store.seen.get_many("g", sources) == {"acme/contact-1": 7, "acme/contact-2": 2}


def test_seen_versions_outlive_every_topic() -> None:
    """Kernel rule 7: a redelivered month must find them."""
    kept = {SQLITE_KEPT_MS, MEMORY_KEPT_MS, 1000 * int(OPTIONS["seen"].rpartition(" ")[2])}
    assert kept == {40 * 24 * 3600 * 1000}
    contexts = [path.parent.parent.name for path in Path(contactcenter.__path__[0]).glob("*/v1/events_pb2.py")]
    files = [import_module(f"contactcenter.{name}.v1.events_pb2").DESCRIPTOR for name in contexts]
    options = [message.GetOptions() for file in files for message in file.message_types_by_name.values()]
    topics = [one.Extensions[topic] for one in options if one.HasExtension(topic)]
    assert len(topics) >= 8
    assert all(one.retention_ms < min(kept) for one in topics)


async def test_many_seen_versions_go_at_once(store: Store) -> None:
    versions = {f"acme/contact-{n}": n + 1 for n in range(300)}
    await store.seen.put_many("g", versions)
    assert await store.seen.get_many("g", list(versions)) == versions
    await store.seen.put_many("g", {})
    assert await store.seen.get_many("g", []) == {}


async def _publish(store: Store, stream: StreamId, *kinds: str) -> None:
    head = await store.events.head(stream)
    for n, kind in enumerate(kinds):
        await write(store, stream, head + n, kind=kind)
    await store.events.published(stream, head + len(kinds))


async def test_timers_come_from_events_before_the_watermark_passes(store: Store, stream: StreamId) -> None:
    """Kernel rule 16."""
    await _publish(store, stream, "set:a:3000", "set:b:1000", "noted", "set:c:2000")
    due = await store.timers.due(2500)
    assert [(timer.id, timer.due_at, timer.kind, timer.stream) for timer in due] == [
        ("b", 1000, "wake", stream),
        ("c", 2000, "wake", stream),
    ]
    assert due[0].payload == f"{stream.key}@2".encode()
    assert await store.timers.next_due() == 1000
    assert [timer.id for timer in await store.timers.due(9999, limit=1)] == ["b"]


async def test_a_cleared_or_fired_timer_is_gone(store: Store, stream: StreamId) -> None:
    await _publish(store, stream, "set:a:1000", "set:b:2000", "set:c:3000", "clear:a")
    (fired,) = await store.timers.due(2000)
    await store.timers.done(fired)
    await store.timers.done(fired)
    assert [timer.id for timer in await store.timers.due(9999)] == ["c"]
    assert await store.timers.next_due() == 3000


async def test_a_timer_set_anew_is_due_at_its_new_time_only(store: Store, stream: StreamId) -> None:
    await _publish(store, stream, "set:a:1000")
    (old,) = await store.timers.due(1000)
    await _publish(store, stream, "set:a:5000")
    await store.timers.done(old)  # late: it must not take the new one away
    assert await store.timers.due(4999) == []
    assert [timer.due_at for timer in await store.timers.due(5000)] == [5000]


async def test_a_timer_may_be_set_after_it_was_cleared(store: Store, stream: StreamId) -> None:
    await _publish(store, stream, "set:a:1000", "clear:a", "set:a:1000")
    assert [timer.id for timer in await store.timers.due(1000)] == ["a"]


async def test_a_timer_of_a_just_appended_event_wakes_the_runner(open_named: Open, stream: StreamId) -> None:
    """Kernel rule 16: whichever call of the store writes it, nobody waits for the runner's next look."""
    nudges, fired = Nudges(), asyncio.Event()
    store, clock = await open_named(nudges.heard(timers_of)), SystemClock()
    events = MeasuredEvents(store.events, "test", "test", nudges.written)

    async def fire(timer: Timer) -> None:
        fired.set()

    runner = TimerRunner(store.timers, clock, fire, longest_sleep_s=60)
    nudges.runners.append(runner)
    running = asyncio.create_task(runner.run())
    await asyncio.sleep(0.1)
    rows = make_batch(stream, 0, kind=f"set:a:{clock.now() + 50}")
    await events.append(stream, 0, rows[0].batch_id, rows)
    await events.published(stream, 1)
    await asyncio.wait_for(fired.wait(), 5)
    running.cancel()


async def test_without_timers_nothing_is_due(store: Store) -> None:
    assert await store.timers.due(2**52) == []
    assert await store.timers.next_due() is None


async def test_an_effect_is_claimed_once(store: Store) -> None:
    claims = await asyncio.gather(*(store.effects.claim("e1", b"call") for _ in range(8)))
    assert sorted(claims) == [False] * 7 + [True]
    assert await store.effects.result("e1") is None
    assert await store.effects.unfinished() == [("e1", b"call")]
    await store.effects.finish("e1", b"done")
    assert await store.effects.result("e1") == b"done"
    assert await store.effects.unfinished() == []
    assert not await store.effects.claim("e1", b"call")
    assert await store.effects.result("unknown") is None


async def test_two_creators_of_a_key_read_back_the_same(store: Store) -> None:
    """Kernel rule 18: else text becomes unreadable for ever."""
    offered = [bytes([n]) * 32 for n in range(8)]
    stood = await asyncio.gather(*(store.keys.create("acme", "s1", wrapped) for wrapped in offered))
    assert len(set(stood)) == 1
    assert stood[0] in offered
    assert await store.keys.get("acme", "s1") == stood[0]


async def test_an_erased_key_stays_erased(store: Store) -> None:
    await store.keys.create("acme", "s1", b"k" * 32)
    await store.keys.erase("acme", "s1")
    await store.keys.erase("acme", "s1")
    with pytest.raises(NotFound, match="ERASED"):
        await store.keys.get("acme", "s1")
    assert await store.keys.create("acme", "s1", b"n" * 32) is None
    assert await store.keys.get("acme", "never") is None
    assert await store.keys.get("other", "s1") is None


async def test_a_subject_erased_before_its_key_was_made_gets_none(store: Store) -> None:
    await store.keys.erase("acme", "s2")
    assert await store.keys.create("acme", "s2", b"k" * 32) is None


async def test_everything_is_there_after_a_restart(open_named: Open, stream: StreamId) -> None:
    before = await open_named(timers_of)
    rows = await write(before, stream, 0, 3, kind="set:a:1000")
    await before.events.published(stream, 2)
    await before.views.put("desk", "p", "k", b"v", 1)
    await before.seen.put("g", "s", 4)
    await before.effects.claim("e", b"r")
    await before.keys.create("acme", "s", b"k")
    await before.close()

    after = await open_named(timers_of)
    assert await after.ready()
    assert await after.events.read(stream) == rows
    assert await after.events.watermark(stream) == 2
    assert len(await after.timers.due(1000)) == 1
    assert await after.views.get("desk", "p", "k") == ViewRow("k", b"v", 1)
    assert await after.seen.get("g", "s") == 4
    assert await after.effects.unfinished() == [("e", b"r")]
    assert await after.keys.get("acme", "s") == b"k"
