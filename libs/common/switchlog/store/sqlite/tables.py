"""Views, seen versions, timers, effects and subject keys in SQLite."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from typing import Any

from switchlog.clock import Clock
from switchlog.envelope import StreamId
from switchlog.errors import NotFound, NotNow
from switchlog.store import Timer, TimerChange, TimerSet, ViewRow
from switchlog.store.sqlite.engine import FEW, Readers, Writer

DAY_MS = 24 * 3600 * 1000
SEEN_KEPT_MS = 40 * DAY_MS

_PUT_VIEW = """INSERT INTO views VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE
    SET value = excluded.value, version = excluded.version WHERE excluded.version > version"""
_DELETE_VIEW = """INSERT INTO views VALUES (?, ?, ?, NULL, ?) ON CONFLICT DO UPDATE
    SET value = NULL, version = excluded.version WHERE excluded.version >= version"""
_SCAN_VIEW = """SELECT key, value, version FROM views
    WHERE view = ? AND partition = ? AND key > ? AND value IS NOT NULL ORDER BY key LIMIT ?"""
_PUT_SEEN = """INSERT INTO seen VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE
    SET version = max(version, excluded.version), at = excluded.at"""
_ERASE_KEY = "INSERT INTO keys VALUES (?, ?, NULL) ON CONFLICT DO UPDATE SET wrapped = NULL"


class SqliteViews:
    """Read models (see ``ViewStore``); a deleted row stays as NULL with its version."""

    def __init__(self, writer: Writer, readers: Readers) -> None:
        self._writer, self._readers = writer, readers

    async def put(self, view: str, partition: str, key: str, value: bytes, version: int) -> None:
        await self.put_many(view, [(partition, key, value, version)])

    async def put_many(self, view: str, rows: Sequence[tuple[str, str, bytes, int]]) -> None:
        await self._writer.do(lambda db: _many(db, _PUT_VIEW, [(view, *row) for row in rows]))

    async def get(self, view: str, partition: str, key: str) -> ViewRow | None:
        sql = "SELECT key, value, version FROM views WHERE view = ? AND partition = ? AND key = ? AND value IS NOT NULL"
        found = await self._readers.glance(lambda db: db.execute(sql, (view, partition, key)).fetchone())
        return None if found is None else ViewRow(*found)

    async def scan(self, view: str, partition: str, after: str = "", limit: int = 1000) -> list[ViewRow]:
        rows = await self._readers.do(lambda db: db.execute(_SCAN_VIEW, (view, partition, after, limit)).fetchall())
        return [ViewRow(*row) for row in rows]

    async def delete(self, view: str, partition: str, key: str, version: int) -> None:
        await self._writer.do(lambda db: _many(db, _DELETE_VIEW, [(view, partition, key, version)]))


class SqliteSeen:
    """How far each group has read (see ``SeenStore``)."""

    def __init__(self, writer: Writer, readers: Readers, clock: Clock) -> None:
        self._writer, self._readers, self._clock = writer, readers, clock
        self._pruned_at = 0

    async def get(self, group: str, source: str) -> int:
        return (await self.get_many(group, [source])).get(source, 0)

    async def get_many(self, group: str, sources: Sequence[str]) -> dict[str, int]:
        sql = "SELECT version FROM seen WHERE grp = ? AND source = ?"

        def work(connection: sqlite3.Connection) -> dict[str, int]:
            found = {source: connection.execute(sql, (group, source)).fetchone() for source in sources}
            return {source: row[0] for source, row in found.items() if row}

        return await (self._readers.glance if len(sources) <= FEW else self._readers.do)(work)

    async def put(self, group: str, source: str, version: int) -> None:
        await self.put_many(group, {source: version})

    async def put_many(self, group: str, versions: dict[str, int]) -> None:
        now = self._clock.now()
        rows = [(group, source, version, now) for source, version in versions.items()]
        await self._writer.do(lambda db: _many(db, _PUT_SEEN, rows))
        if now - self._pruned_at >= DAY_MS:
            await self.forget_old()

    async def forget_old(self) -> None:
        """Drop what is older than any topic keeps; at opening and then once a day."""
        self._pruned_at = self._clock.now()
        kept_from = self._pruned_at - SEEN_KEPT_MS
        await self._writer.do(lambda db: _many(db, "DELETE FROM seen WHERE at < ?", [(kept_from,)]))


class SqliteTimers:
    """Durable timers (see ``TimerStore``), written in the append's own transaction."""

    def __init__(self, writer: Writer, readers: Readers) -> None:
        self._writer, self._readers = writer, readers

    async def due(self, now: int, limit: int = 100) -> list[Timer]:
        sql = """SELECT stream, id, kind, due_at, payload FROM timers
            WHERE due_at <= ? ORDER BY due_at, stream, id LIMIT ?"""
        rows = await self._readers.glance(lambda db: db.execute(sql, (now, limit)).fetchall())
        return [Timer(StreamId.parse(key), *rest) for key, *rest in rows]

    async def next_due(self) -> int | None:
        found = await self._readers.glance(lambda db: db.execute("SELECT min(due_at) FROM timers").fetchone())
        return None if found is None else found[0]

    async def done(self, timer: Timer) -> None:
        # a timer that was set anew meanwhile has another due_at and stays
        sql = "DELETE FROM timers WHERE stream = ? AND id = ? AND due_at = ?"
        await self._writer.do(lambda db: _many(db, sql, [(timer.stream.key, timer.id, timer.due_at)]))


def change_timers(connection: sqlite3.Connection, changes: Sequence[TimerChange]) -> None:
    """Apply ``changes`` in order, inside the transaction that is open."""
    for change in changes:
        if isinstance(change, TimerSet):
            timer = change.timer
            row = (timer.stream.key, timer.id, timer.kind, timer.due_at, timer.payload)
            connection.execute("INSERT OR REPLACE INTO timers VALUES (?, ?, ?, ?, ?)", row)
        else:
            connection.execute("DELETE FROM timers WHERE stream = ? AND id = ?", (change.stream.key, change.id))


class SqliteEffects:
    """Claimed calls to the outside (see ``EffectStore``)."""

    def __init__(self, writer: Writer, readers: Readers) -> None:
        self._writer, self._readers = writer, readers

    async def claim(self, effect_id: str, request: bytes) -> bool:
        sql = "INSERT INTO effects (id, request) VALUES (?, ?) ON CONFLICT DO NOTHING"
        return await self._writer.do(lambda db: db.execute(sql, (effect_id, request)).rowcount == 1)

    async def finish(self, effect_id: str, result: bytes) -> None:
        sql = "UPDATE effects SET result = ? WHERE id = ?"
        await self._writer.do(lambda db: _many(db, sql, [(result, effect_id)]))

    async def result(self, effect_id: str) -> bytes | None:
        sql = "SELECT result FROM effects WHERE id = ?"
        found = await self._readers.glance(lambda db: db.execute(sql, (effect_id,)).fetchone())
        return found[0] if found else None

    async def unfinished(self, limit: int = 100) -> list[tuple[str, bytes]]:
        sql = "SELECT id, request FROM effects WHERE result IS NULL LIMIT ?"
        return await self._readers.do(lambda db: db.execute(sql, (limit,)).fetchall())


class SqliteKeys:
    """Wrapped subject keys (see ``KeyStore``); NULL is a tombstone."""

    def __init__(self, writer: Writer, readers: Readers) -> None:
        self._writer, self._readers = writer, readers

    async def create(self, tenant: str, subject: str, wrapped: bytes) -> bytes | None:
        def work(connection: sqlite3.Connection) -> bytes | None:
            connection.execute("INSERT INTO keys VALUES (?, ?, ?) ON CONFLICT DO NOTHING", (tenant, subject, wrapped))
            found: tuple[bytes | None] = connection.execute(_GET_KEY, (tenant, subject)).fetchone()
            return found[0]

        return await self._writer.do(work)

    async def get(self, tenant: str, subject: str) -> bytes | None:
        found = await self._readers.glance(lambda db: db.execute(_GET_KEY, (tenant, subject)).fetchone())
        if found == (None,):
            raise NotFound("ERASED")
        return found[0] if found else None

    async def erase(self, tenant: str, subject: str) -> None:
        """Raises ``NotNow`` while the tombstone stands but the log still has the old bytes: erase again."""
        await self._writer.do(lambda db: _many(db, _ERASE_KEY, [(tenant, subject)]))
        for attempt in range(10):
            if await self._readers.do(_truncate_log):
                return
            await asyncio.sleep(0.05 * (attempt + 1))
        raise NotNow("ERASURE_INCOMPLETE", "readers keep the write-ahead log in use")


_GET_KEY = "SELECT wrapped FROM keys WHERE tenant = ? AND subject = ?"


def _truncate_log(connection: sqlite3.Connection) -> bool:
    """Move the write-ahead log into the file and cut it to nothing: it holds earlier copies of what was erased."""
    busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return bool(busy == 0)


def _many(connection: sqlite3.Connection, sql: str, rows: Sequence[tuple[Any, ...]]) -> None:
    connection.executemany(sql, rows)
