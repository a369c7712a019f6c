"""Marks and the sweeper: no crash leaves an event unpublished (kernel rule 10), and each opposite does."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from unittest.mock import AsyncMock

import pytest

from switchlog.clock import ManualClock
from switchlog.envelope import Row, StreamId
from switchlog.errors import NotNow, OutcomeUnknown, VersionConflict
from switchlog.store import no_timers
from switchlog.store.cassandra import CassandraStore, assemble
from switchlog.store.cassandra import marks as marks_module
from switchlog.store.cassandra.marks import Marks, Pledge
from switchlog.store.cassandra.session import PLAIN, SERIAL
from switchlog.store.cassandra.sweeper import PAUSES_S, Look, Sweeper

from .kit import Open, make_batch, timers_of, write

pytestmark = pytest.mark.cassandra


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def store(open_cassandra_store: Open, clock: ManualClock) -> CassandraStore:
    return await open_cassandra_store(clock=clock)  # type: ignore[return-value]


@pytest.fixture
def sweeping(store: CassandraStore, clock: ManualClock) -> CassandraStore:
    """The relay's own process: it knows only what is in the tables."""
    return assemble(store._session, no_timers, clock, 5000)


async def due(sweeping: CassandraStore) -> list[StreamId]:
    return [pending.stream for pending in await sweeping.events.pending()]


async def sweep(sweeping: CassandraStore) -> list[StreamId]:
    """What the relay does: publish everything that is due, then settle."""
    found = await sweeping.events.pending()
    for pending in found:
        head = await sweeping.events.head(pending.stream)
        if head > await sweeping.events.watermark(pending.stream):
            await sweeping.events.published(pending.stream, head)
        await sweeping.events.settle(pending)
    return [pending.stream for pending in found]


async def marked(store: CassandraStore, stream: StreamId, rows: list[Row], marks: Marks | None = None) -> Pledge:
    expected = rows[0].version - 1
    return await (marks or store.events._marks).pledge(stream, rows[0].batch_id, expected, rows[-1].version)


async def land(store: CassandraStore, stream: StreamId, rows: list[Row]) -> None:
    """The append of a process that dies right after it."""
    await store.events._log.append(stream, rows[0].version - 1, rows, time.monotonic() + 1)


async def test_an_append_that_its_process_published_is_not_pending(
    store: CassandraStore, sweeping: CassandraStore, stream: StreamId, clock: ManualClock
) -> None:
    await write(store, stream, 0, 2)
    await store.events.published(stream, 2)
    await store.events.close()
    clock.advance(2000)
    assert await due(sweeping) == []


async def test_a_mark_stays_until_the_watermark_has_passed_it(
    store: CassandraStore, sweeping: CassandraStore, stream: StreamId, clock: ManualClock
) -> None:
    await write(store, stream, 0, 2)
    await write(store, stream, 2, 2)
    await store.events.published(stream, 3)
    await store.events.close()
    clock.advance(2000)
    assert await due(sweeping) == [stream]


async def test_nothing_is_looked_at_before_an_append_must_have_started(
    store: CassandraStore, sweeping: CassandraStore, stream: StreamId, clock: ManualClock
) -> None:
    await write(store, stream, 0)
    assert await due(sweeping) == []
    clock.advance(999)
    assert await due(sweeping) == []
    clock.advance(1)
    assert await due(sweeping) == [stream]


async def test_what_a_crash_left_is_published_once_and_then_forgotten(
    store: CassandraStore, sweeping: CassandraStore, stream: StreamId, clock: ManualClock
) -> None:
    rows = make_batch(stream, 0, 3)
    await marked(store, stream, rows)
    await land(store, stream, rows)
    clock.advance(1000)
    assert await sweep(sweeping) == [stream]
    assert await sweeping.events.watermark(stream) == 3
    clock.advance(3_600_000)
    assert await sweep(sweeping) == []
    assert sweeping.events.sweeper.settled == 1


async def test_a_batch_that_lands_between_two_looks_is_found(
    store: CassandraStore, sweeping: CassandraStore, stream: StreamId, clock: ManualClock
) -> None:
    rows = make_batch(stream, 0, 3)
    await marked(store, stream, rows)
    clock.advance(1000)
    assert await sweep(sweeping) == [stream]  # absent: nothing to publish, and yet not forgotten
    await land(store, stream, rows)
    assert await sweep(sweeping) == []
    clock.advance(3000)
    assert await sweep(sweeping) == [stream]
    assert await sweeping.events.watermark(stream) == 3
    clock.advance(10_000)
    assert await due(sweeping) == []


async def test_a_batch_that_never_comes_is_dropped_after_the_last_look_and_counted(
    store: CassandraStore, sweeping: CassandraStore, stream: StreamId, clock: ManualClock
) -> None:
    await marked(store, stream, make_batch(stream, 0))
    clock.advance(1000)
    for pause_s in PAUSES_S:
        assert await sweep(sweeping) == [stream]
        clock.advance(int(pause_s * 1000) - 1)
        assert await sweep(sweeping) == []
        clock.advance(1)
    assert sweeping.events.sweeper.dropped == 0
    assert await sweep(sweeping) == [stream]
    assert sweeping.events.sweeper.dropped == 1
    clock.advance(7_200_000)
    assert await sweep(sweeping) == []


async def test_what_cannot_be_published_now_is_tried_every_three_seconds(
    store: CassandraStore, sweeping: CassandraStore, stream: StreamId, clock: ManualClock
) -> None:
    """Kafka away: certain and urgent, so never put off for an hour."""
    await write(store, stream, 0)
    clock.advance(1000)
    for _ in range(8):
        (pending,) = await sweeping.events.pending()
        await sweeping.events.settle(pending)
        clock.advance(3000)
    assert await sweep(sweeping) == [stream]
    clock.advance(3000)
    assert await due(sweeping) == []


async def test_a_batch_is_named_before_it_is_sent(
    store: CassandraStore,
    sweeping: CassandraStore,
    stream: StreamId,
    clock: ManualClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Kernel rule 10: whatever happens from the first byte on, the sweeper knows the batch."""

    async def dies(*_: object) -> int:
        raise SystemError("killed")

    monkeypatch.setattr(store.events._log, "append", dies)
    rows = make_batch(stream, 0)
    with pytest.raises(SystemError):
        await store.events.append(stream, 0, rows[0].batch_id, rows)
    clock.advance(1000)
    assert await due(sweeping) == [stream]


async def test_an_unknown_outcome_keeps_its_mark_and_a_refusal_does_not(
    store: CassandraStore,
    sweeping: CassandraStore,
    stream: StreamId,
    clock: ManualClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Kernel rule 10: cleared only when every append under it has a known outcome."""
    for error, found in ((NotNow(), []), (OutcomeUnknown(), [stream])):
        monkeypatch.setattr(store.events._log, "append", AsyncMock(side_effect=error))
        rows = make_batch(stream, 0)
        with pytest.raises(type(error)):
            await store.events.append(stream, 0, rows[0].batch_id, rows)
        await store.events.close()
        clock.advance(1000)
        assert await due(sweeping) == found


async def test_a_mark_serves_for_a_second_from_before_it_was_written_and_then_a_new_one_is_needed(
    store: CassandraStore, stream: StreamId, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kernel rule 10: an append starts at most 1 s after its mark."""
    write_plainly, session = store._session.write, store._session

    begun: list[float] = []

    async def slowly(name: str, *arguments: object) -> None:
        begun.append(time.monotonic())
        await write_plainly(name, *arguments)
        await asyncio.sleep(0.05)

    monkeypatch.setattr(session, "write", slowly)
    pledge = await marked(store, stream, make_batch(stream, 0))
    assert begun[0] < pledge.fresh_until <= begun[0] + 1.0
    monkeypatch.setattr(session, "write", write_plainly)
    monkeypatch.setattr(marks_module, "FRESH_S", -0.001)
    rows = make_batch(stream, 0)
    with pytest.raises(NotNow, match="too old"):
        await store.events.append(stream, 0, rows[0].batch_id, rows)
    monkeypatch.undo()
    assert await store.events.append(stream, 0, rows[0].batch_id, rows) == 1
    assert session.driver.execute("SELECT count(*) FROM marks").one() == (3,)


async def test_a_minute_is_named_before_its_first_mark(
    store: CassandraStore, stream: StreamId, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kernel rule 10: a mark that no sweeper finds is none."""
    written: list[str] = []
    write_plainly = store._session.write

    async def noted(name: str, *arguments: object) -> None:
        written.append(name)
        await write_plainly(name, *arguments)

    monkeypatch.setattr(store._session, "write", noted)
    await marked(store, stream, make_batch(stream, 0))
    assert written == ["write_minute", "write_mark"]


def test_the_pauses_between_looks_are_those_of_the_rule() -> None:
    """Kernel rule 10: 3 s, 10 s, 1 min, 10 min, 1 h."""
    assert PAUSES_S == (3, 10, 60, 600, 3600)


async def test_before_a_mark_is_dropped_the_log_is_asked_serially(
    store: CassandraStore,
    sweeping: CassandraStore,
    stream: StreamId,
    clock: ManualClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Kernel rule 10: plain reads may not show yet what stands."""
    log = sweeping.events._log
    rows = make_batch(stream, 0)
    await marked(store, stream, rows)
    await land(store, stream, rows)
    with monkeypatch.context() as lagging:
        read_row = log.read_row

        async def late(of: StreamId, version: int, profile: str = PLAIN) -> Row | None:
            return await read_row(of, version, profile) if profile == SERIAL else None

        lagging.setattr(log, "read_row", late)
        for pause_s in (1, *PAUSES_S):
            clock.advance(int(pause_s * 1000))
            for pending in await sweeping.events.pending():
                await sweeping.events.settle(pending)
    assert sweeping.events.sweeper.dropped == 0
    assert await sweep(sweeping) == [stream]
    assert sweeping.events.sweeper.settled == 1


async def test_what_decides_an_unknown_outcome_is_read_serially(
    store: CassandraStore, stream: StreamId, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kernel rules 3 and 5: a plain read may miss a write that is still being agreed on."""
    profiles: list[str] = []
    ask = store._session._ask

    async def noted(statement: object, arguments: object, profile: str, *rest: float) -> list[object]:
        profiles.append(profile)
        return await ask(statement, arguments, profile, *rest)

    await write(store, stream, 0)
    monkeypatch.setattr(store._session, "_ask", noted)
    await store.events.read_serial(stream, 1)
    await store.events.head(stream)
    assert set(profiles) == {SERIAL}


async def test_timers_are_written_before_the_watermark_moves(
    open_cassandra_store: Open, stream: StreamId, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kernel rule 16: a crash between the two repeats timers and loses none."""
    store: CassandraStore = await open_cassandra_store(timers_of)  # type: ignore[assignment]
    await write(store, stream, 0, kind="set:a:1000")
    with monkeypatch.context() as broken:
        broken.setattr(store.timers, "apply", AsyncMock(side_effect=NotNow()))
        with pytest.raises(NotNow):
            await store.events.published(stream, 1)
    assert await store.events.watermark(stream) == 0
    with monkeypatch.context() as broken:
        broken.setattr(store.events._watermarks, "rise", AsyncMock(side_effect=NotNow()))
        with pytest.raises(NotNow):
            await store.events.published(stream, 1)
    assert [timer.id for timer in await store.timers.due(1000)] == ["a"]


async def test_a_lost_race_clears_its_mark(
    store: CassandraStore, sweeping: CassandraStore, stream: StreamId, clock: ManualClock
) -> None:
    await write(store, stream, 0)
    await store.events.published(stream, 1)
    rows = make_batch(stream, 0)
    with pytest.raises(VersionConflict):
        await store.events.append(stream, 0, rows[0].batch_id, rows)
    await store.events.close()
    clock.advance(1000)
    assert await due(sweeping) == []


async def test_an_append_is_not_sent_under_an_old_mark(store: CassandraStore, stream: StreamId) -> None:
    rows = make_batch(stream, 0)
    with pytest.raises(NotNow, match="too old"):
        await store.events._log.append(stream, 0, rows, time.monotonic() - 0.001)
    assert await store.events.head(stream) == 0


async def test_one_tick_is_one_mark_and_one_clear(
    store: CassandraStore, sweeping: CassandraStore, clock: ManualClock
) -> None:
    names = [StreamId("acme", f"tick-{n}") for n in range(60)]
    await asyncio.gather(*(write(store, name, 0) for name in names))
    (marks,) = store._session.driver.execute("SELECT count(*) FROM marks").one()
    assert marks < 15
    clock.advance(1000)
    assert sorted(await due(sweeping)) == sorted(names)
    await asyncio.gather(*(store.events.published(name, 1) for name in names))
    await store.events.close()
    (clears,) = store._session.driver.execute("SELECT count(*) FROM clears").one()
    assert clears < 15
    assert await due(sweeping) == []


async def test_a_finished_minute_leaves_no_row(
    store: CassandraStore, sweeping: CassandraStore, stream: StreamId, clock: ManualClock
) -> None:
    await write(store, stream, 0)
    clock.advance(1000)
    await sweep(sweeping)
    clock.advance(121_000)
    await sweep(sweeping)
    for table in ("marks", "clears", "mark_minutes"):
        assert store._session.driver.execute(f"SELECT count(*) FROM {table}").one() == (0,)


async def test_a_sweeper_that_restarts_begins_again(
    store: CassandraStore, sweeping: CassandraStore, stream: StreamId, clock: ManualClock
) -> None:
    rows = make_batch(stream, 0)
    await marked(store, stream, rows)
    clock.advance(1000)
    await sweep(sweeping)
    await land(store, stream, rows)
    assert await sweep(assemble(store._session, no_timers, clock, 5000)) == [stream]


async def test_a_lowered_watermark_derives_no_fired_timer_again(open_cassandra_store: Open, stream: StreamId) -> None:
    """Kernel rules 13 and 16: the pass after it repeats everything, timers too."""
    store = await open_cassandra_store(timers_of)
    await write(store, stream, 0, kind="set:a:1000")
    await store.events.published(stream, 1)
    (timer,) = await store.timers.due(1000)
    await store.timers.done(timer)
    await store.events.lower_watermark(stream, 0)
    again = await open_cassandra_store(timers_of)
    await again.events.published(stream, 1)
    assert await again.timers.due(1000) == []


async def test_a_slow_pass_does_not_undo_a_later_event(open_cassandra_store: Open, stream: StreamId) -> None:
    store: CassandraStore = await open_cassandra_store(timers_of)  # type: ignore[assignment]
    rows = [make_batch(stream, n, 1, kind=kind)[0] for n, kind in enumerate(["set:a:1000", "clear:a", "set:a:2000"])]
    changes = [timers_of(stream, row)[0] for row in rows]
    for version in (3, 1, 2):
        await store.timers.apply(version, changes[version - 1])
    assert [(timer.id, timer.due_at) for timer in await store.timers.due(5000)] == [("a", 2000)]
    assert await store.timers.next_due() == 2000


# The opposites of rule 10 on the same schedules.


class NoMarks(Marks):
    """Planted: nothing is noted before the append."""

    async def pledge(self, stream: StreamId, batch_id: str, expected: int, head: int) -> Pledge:
        return Pledge.__new__(Pledge)


class ClearingSweeper(Sweeper):
    """Planted: a mark under which there is nothing to publish is cleared."""

    async def _settle(self, look: Look, watermark: int) -> None:
        if not await self._stands(look.note):
            look.forget()
        else:
            await super()._settle(look, watermark)


async def crash_after_append(store: CassandraStore, marks: Marks, stream: StreamId, sweeper: Sweeper) -> None:
    rows = make_batch(stream, 0)
    await marked(store, stream, rows, marks)
    await land(store, stream, rows)


async def crash_with_a_slow_append(store: CassandraStore, marks: Marks, stream: StreamId, sweeper: Sweeper) -> None:
    """Sent in time, looked at too early, landed, and then the process is gone."""
    rows = make_batch(stream, 0)
    await marked(store, stream, rows, marks)
    sweeper.clock.advance(1000)  # type: ignore[attr-defined]
    for pending in await sweeper.pending(10):
        await sweeper.settle(pending)
    await land(store, stream, rows)


@pytest.mark.parametrize(
    ("crash", "marks", "sweeper", "found"),
    [
        (crash_after_append, Marks, Sweeper, True),
        (crash_after_append, NoMarks, Sweeper, False),
        (crash_with_a_slow_append, Marks, Sweeper, True),
        (crash_with_a_slow_append, Marks, ClearingSweeper, False),
    ],
)
async def test_a_crash_is_found_by_the_rule_and_missed_by_its_opposites(
    store: CassandraStore,
    stream: StreamId,
    clock: ManualClock,
    crash: Callable[..., Awaitable[None]],
    marks: type[Marks],
    sweeper: type[Sweeper],
    found: bool,
) -> None:
    parts = store.events
    swept = sweeper(store._session, parts._log, parts._watermarks, clock)
    await crash(store, marks(store._session, clock), stream, swept)
    seen = False
    for pause_s in (1.0, *PAUSES_S):
        clock.advance(int(pause_s * 1000))
        for pending in await swept.pending(10):
            seen = seen or await parts.head(pending.stream) > 0
            await swept.settle(pending)
    assert seen is found


class MarksByStream:
    """Planted: one mark a stream; whoever publishes clears it."""

    def __init__(self) -> None:
        self.standing: set[StreamId] = set()

    async def pledge(self, stream: StreamId, batch_id: str, expected: int, head: int) -> None:
        self.standing.add(stream)

    def published(self, stream: StreamId, version: int) -> None:
        self.standing.discard(stream)


async def test_one_mark_a_stream_is_cleared_under_another_process(
    store: CassandraStore, sweeping: CassandraStore, stream: StreamId, clock: ManualClock
) -> None:
    """A published the first batch; B's, marked meanwhile, lands, and B dies."""
    by_stream = MarksByStream()
    first, second = make_batch(stream, 0), make_batch(stream, 1)
    other = assemble(store._session, no_timers, clock, 5000)
    await store.events.append(stream, 0, first[0].batch_id, first)
    await by_stream.pledge(stream, first[0].batch_id, 0, 1)
    await marked(other, stream, second)
    await by_stream.pledge(stream, second[0].batch_id, 1, 2)
    await store.events.published(stream, 1)
    by_stream.published(stream, 1)
    await store.events.close()
    await land(other, stream, second)
    clock.advance(1000)
    assert await due(sweeping) == [stream]
    assert by_stream.standing == set()


async def test_what_must_go_goes_soon(store: CassandraStore) -> None:
    """Kernel rules 7 and 18: seen versions after 40 days, what an erased key overwrote with the next compaction."""
    keyspace = store._session.driver.keyspace
    rows = store._session.driver.execute(
        "SELECT table_name, gc_grace_seconds, default_time_to_live FROM system_schema.tables WHERE keyspace_name = %s",
        (keyspace,),
    )
    kept = {name: (grace, ttl) for name, grace, ttl in rows}
    assert kept["subject_keys"] == (3600, 0)
    assert kept["seen"][1] == 40 * 24 * 3600
