"""What is particular to SQLite: kill -9, group commit, a second process, erased bytes."""

from __future__ import annotations

import asyncio
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from switchlog.clock import ManualClock
from switchlog.envelope import StreamId
from switchlog.errors import NotNow, OutcomeUnknown, VersionConflict
from switchlog.store.sqlite import SqliteStore, engine, open_sqlite

from .kit import Open, make_batch, timers_of, write

CHILD = Path(__file__).with_name("acknowledging_child.py")


@pytest.fixture
async def store(open_sqlite_store: Open) -> SqliteStore:
    return await open_sqlite_store()  # type: ignore[return-value]


Acknowledged = list[tuple[int, int, str]]


def _killed_after(file: Path, seconds: float, *planted: str) -> Acknowledged:
    """Run the child, kill -9 it after ``seconds`` of acknowledgements; what it said: stream, head, batch id."""
    child = subprocess.Popen([sys.executable, str(CHILD), str(file), *planted], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    lines = [child.stdout.readline()]
    time.sleep(seconds)
    child.send_signal(signal.SIGKILL)
    lines += child.stdout.read().splitlines(keepends=True)
    child.wait()
    whole = [line.split() for line in lines if line.endswith("\n")]
    return [(int(n), int(head), batch) for n, head, batch in whole]


async def _lost(file: Path, acknowledged: Acknowledged) -> Acknowledged:
    """Acknowledged batches that do not stand in their place; holes and a wrong head fail here."""
    store = await open_sqlite(file)
    lost: Acknowledged = []
    for n in range(8):
        rows = await store.events.read(StreamId("acme", f"s-{n}"))
        assert [row.version for row in rows] == list(range(1, len(rows) + 1))
        assert await store.events.head(StreamId("acme", f"s-{n}")) == len(rows)
        mine = [answer for answer in acknowledged if answer[0] == n]
        lost += [a for a in mine if [row.batch_id for row in rows[a[1] - 2 : a[1]]] != [a[2], a[2]]]
    await store.close()
    return lost


async def test_nothing_acknowledged_is_lost_by_kill_9(tmp_path: Path) -> None:
    file, acknowledged = tmp_path / "killed.db", Acknowledged()
    for _ in range(6):
        acknowledged += await asyncio.to_thread(_killed_after, file, random.uniform(0.0, 0.25))
    assert await _lost(file, acknowledged) == []
    assert len(acknowledged) > 50


async def test_the_kill_catches_a_writer_that_answers_before_its_commit(tmp_path: Path) -> None:
    """Planted: acknowledged before appended."""
    for n in range(25):
        file = tmp_path / f"hasty-{n}.db"
        acknowledged = await asyncio.to_thread(_killed_after, file, random.uniform(0.0, 0.1), "too-early")
        if await _lost(file, acknowledged):
            return
    pytest.fail("25 kills found no lost acknowledgement")


async def test_waiting_appends_share_one_commit(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    commits: list[int] = []
    commit = engine.Writer._commit

    def counting(self: engine.Writer, jobs: list[engine.Job]) -> None:
        commits.append(len(jobs))
        commit(self, jobs)

    monkeypatch.setattr(engine.Writer, "_commit", counting)
    streams = [StreamId("acme", f"s-{n}") for n in range(200)]
    await asyncio.gather(*(write(store, stream, 0) for stream in streams))
    assert sum(commits) == 200
    assert len(commits) < 50


async def test_a_refusal_in_a_shared_commit_is_one_callers_alone(store: SqliteStore, stream: StreamId) -> None:
    wrong = make_batch(stream, 7)
    good = make_batch(stream, 0, 2)
    refused, head = await asyncio.gather(
        store.events.append(stream, 7, wrong[0].batch_id, wrong),
        store.events.append(stream, 0, good[0].batch_id, good),
        return_exceptions=True,
    )
    assert isinstance(refused, VersionConflict)
    assert head == 2


async def test_a_neighbours_bug_fails_the_neighbour_only(store: SqliteStore, stream: StreamId) -> None:
    def bug(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO effects (id, request) VALUES ('half', x'00')")
        raise ZeroDivisionError

    outcomes = await asyncio.gather(
        store._writer.do(bug), write(store, stream, 0), store._writer.do(bug), return_exceptions=True
    )
    assert [type(outcome) for outcome in outcomes] == [ZeroDivisionError, list, ZeroDivisionError]
    assert await store.events.head(stream) == 1
    assert await store.effects.unfinished() == []


class FailingCommit:
    """A connection whose commits fail, before or after they took effect."""

    def __init__(self, real: sqlite3.Connection, after: bool) -> None:
        self._real, self._after = real, after

    def execute(self, sql: str, *rest: Any) -> Any:
        if sql != "COMMIT":
            return self._real.execute(sql, *rest)
        if self._after:
            self._real.execute(sql)
        raise sqlite3.OperationalError("disk I/O error")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


@pytest.mark.parametrize("after", [False, True])
async def test_a_failing_commit_is_an_unknown_outcome_and_settled_by_the_row(
    store: SqliteStore, stream: StreamId, after: bool
) -> None:
    """Kernel rule 5."""
    real = store._writer._connection
    store._writer._connection = FailingCommit(real, after)  # type: ignore[assignment]
    rows = make_batch(stream, 0, 2)
    with pytest.raises(OutcomeUnknown):
        await store.events.append(stream, 0, rows[0].batch_id, rows)
    store._writer._connection = real
    stands = await store.events.read_serial(stream, 1)
    assert stands == (rows[0] if after else None)
    assert await store.events.append(stream, 0, rows[0].batch_id, rows) == 2
    assert await store.events.read(stream) == rows


@pytest.mark.parametrize("after", [False, True])
async def test_timers_stand_or_fall_with_the_append_that_sets_them(
    open_sqlite_store: Open, stream: StreamId, after: bool
) -> None:
    """Kernel rule 16: in its transaction; nobody needs to publish it first."""
    store: SqliteStore = await open_sqlite_store(timers_of)  # type: ignore[assignment]
    store._writer._connection = FailingCommit(store._writer._connection, after)  # type: ignore[assignment]
    rows = make_batch(stream, 0, kind="set:a:1000")
    with pytest.raises(OutcomeUnknown):
        await store.events.append(stream, 0, rows[0].batch_id, rows)
    assert [timer.id for timer in await store.timers.due(1000)] == (["a"] if after else [])


async def test_a_full_disk_refuses_and_recovers(store: SqliteStore, stream: StreamId) -> None:
    """Trust, Faults: disk full: refuse, recover, 0 lost."""
    before = await write(store, stream, 0, 2)
    db = store._writer._connection
    (pages,) = db.execute("PRAGMA page_count").fetchone()
    db.execute(f"PRAGMA max_page_count = {pages}")
    big = make_batch(stream, 2, 4, value=b"x" * 100_000)
    with pytest.raises(NotNow):
        await store.events.append(stream, 2, big[0].batch_id, big)
    assert await store.events.read(stream) == before
    db.execute("PRAGMA max_page_count = 1073741823")
    assert await store.events.append(stream, 2, big[0].batch_id, big) == 6


async def test_a_second_process_is_safe(store: SqliteStore, stream: StreamId, tmp_path: Path) -> None:
    """Two openings of one file, uncoordinated: no hole, no double, every acknowledged batch stands."""
    other = await open_sqlite(tmp_path / "service.db")
    acknowledged: list[str] = []

    async def writer(mine: SqliteStore) -> None:
        while len(acknowledged) < 200:
            expected = await mine.events.head(stream)
            rows = make_batch(stream, expected)
            try:
                await mine.events.append(stream, expected, rows[0].batch_id, rows)
            except VersionConflict:
                continue
            acknowledged.append(rows[0].batch_id)

    await asyncio.gather(writer(store), writer(other), writer(store), writer(other))
    rows = await store.events.read(stream)
    assert [row.version for row in rows] == list(range(1, len(rows) + 1))
    assert sorted(row.batch_id for row in rows) == sorted(acknowledged)
    await other.close()


async def test_a_file_held_by_somebody_is_not_now(
    tmp_path: Path, stream: StreamId, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "BUSY_TIMEOUT_S", 0.1)
    store = await open_sqlite(tmp_path / "service.db")
    holder = engine.connect(tmp_path / "service.db")
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(NotNow, match="locked"):
        await write(store, stream, 0)
    holder.execute("ROLLBACK")
    await write(store, stream, 0)
    holder.close()
    await store.close()


async def test_a_closed_store_says_not_now(tmp_path: Path, stream: StreamId) -> None:
    store = await open_sqlite(tmp_path / "service.db")
    await store.close()
    assert not await store.ready()
    with pytest.raises(NotNow):
        await store.events.head(stream)


async def test_a_folder_that_cannot_be_made_is_not_now(tmp_path: Path) -> None:
    (tmp_path / "service.db").mkdir()
    with pytest.raises(NotNow, match="STORE_UNAVAILABLE"):
        await open_sqlite(tmp_path / "service.db")


def _on_disk(folder: Path, needle: bytes) -> bool:
    return any(needle in file.read_bytes() for file in folder.iterdir() if file.is_file())


async def test_an_erased_key_is_nowhere_on_disk(store: SqliteStore, tmp_path: Path, stream: StreamId) -> None:
    """Kernel rule 18: secure_delete and truncation of the write-ahead log."""
    secrets = [f"wrapped-key-{n:04}-".encode() * 4 for n in range(50)]
    for n, secret in enumerate(secrets):
        await store.keys.create("acme", f"s{n}", secret)
    assert _on_disk(tmp_path, secrets[7])
    await asyncio.gather(store.keys.erase("acme", "s7"), write(store, stream, 0))
    assert not _on_disk(tmp_path, b"wrapped-key-0007-")
    assert _on_disk(tmp_path, secrets[8])


async def test_seen_versions_are_forgotten_after_forty_days(tmp_path: Path) -> None:
    """Kernel rule 7."""
    clock = ManualClock()
    for wait_days, expected in ((0, 3), (39, 3), (2, 0)):
        clock.advance(wait_days * 24 * 3600 * 1000)
        store = await open_sqlite(tmp_path / "seen.db", clock=clock)
        if wait_days == 0:
            await store.seen.put("g", "s", 3)
        assert await store.seen.get("g", "s") == expected
        await store.close()


async def test_a_process_that_lives_long_forgets_old_seen_versions_too(tmp_path: Path) -> None:
    """Kernel rule 7: once a day, beside a write."""
    clock = ManualClock()
    store = await open_sqlite(tmp_path / "seen.db", clock=clock)
    await store.seen.put("g", "old", 3)
    for source, days in (("day 39", 39), ("day 41", 2)):
        clock.advance(days * 24 * 3600 * 1000)
        await store.seen.put("g", source, 1)
        found = await store.seen.get_many("g", ["old", "day 39"])
        assert found == ({"old": 3, "day 39": 1} if days == 39 else {"day 39": 1})
    await store.close()
