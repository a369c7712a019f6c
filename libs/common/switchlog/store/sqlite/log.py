"""The event log in SQLite: unpublished is ``head > watermark``, so there are no marks (kernel rule 9)."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

from switchlog.envelope import Row, StreamId
from switchlog.errors import VersionConflict
from switchlog.store import Pending, TimersOf
from switchlog.store.rows import COLUMNS, check_batch, from_columns, prefix_range, same_batch, timer_changes, to_columns
from switchlog.store.sqlite.engine import FEW, Readers, Work, Writer
from switchlog.store.sqlite.tables import change_timers

_CREATE = "INSERT INTO streams (key, head) VALUES (?, ?) ON CONFLICT DO NOTHING RETURNING id"
_ADVANCE = "UPDATE streams SET head = ? WHERE key = ? AND head = ? RETURNING id"
_INSERT = f"INSERT INTO events (stream, {', '.join(COLUMNS)}) VALUES (?{', ?' * len(COLUMNS)})"
_ROWS = f"SELECT {', '.join('e.' + name for name in COLUMNS)} FROM streams s JOIN events e ON e.stream = s.id"
_READ = f"{_ROWS} WHERE s.key = ? AND e.version > ? ORDER BY e.version LIMIT ?"
_STANDING = """SELECT e.event_id, e.batch_id FROM streams s JOIN events e ON e.stream = s.id
    WHERE s.key = ? AND e.version > ? ORDER BY e.version LIMIT ?"""


class SqliteEvents:
    """The log (see ``EventStore``)."""

    def __init__(self, writer: Writer, readers: Readers, timers_of: TimersOf) -> None:
        self._writer, self._readers, self._timers_of = writer, readers, timers_of

    async def append(self, stream: StreamId, expected: int, batch_id: str, rows: Sequence[Row]) -> int:
        new_head = check_batch(expected, batch_id, rows)
        columns = [to_columns(row) for row in rows]
        changes = [change for _, change in timer_changes(self._timers_of, stream, rows)]

        def work(connection: sqlite3.Connection) -> int:
            stream_id = _claim_head(connection, stream.key, expected, new_head)
            if stream_id is None:
                return _repeated(connection, stream.key, expected, rows)
            connection.executemany(_INSERT, [(stream_id, *values) for values in columns])
            change_timers(connection, changes)
            return new_head

        return await self._writer.do(work)

    async def read(self, stream: StreamId, after: int = 0, limit: int | None = None) -> list[Row]:
        """Most streams are short: a first look, and only what it leaves out is worth a thread."""
        few = FEW if limit is None else min(FEW, limit)
        rows = await self._readers.glance(_rows(stream, after, few))
        if len(rows) < few or few == limit:
            return rows
        rest = -1 if limit is None else limit - few
        return rows + await self._readers.do(_rows(stream, rows[-1].version, rest))

    async def read_serial(self, stream: StreamId, version: int) -> Row | None:
        """By the writer: an append that is under way is either committed before this or comes after it."""
        rows = await self._writer.do(lambda db: db.execute(_READ, (stream.key, version - 1, 1)).fetchall())
        found = [from_columns(row) for row in rows]
        return found[0] if found and found[0].version == version else None

    async def head(self, stream: StreamId) -> int:
        return await self._number("SELECT head FROM streams WHERE key = ?", stream.key)

    async def watermark(self, stream: StreamId) -> int:
        return await self._number("SELECT watermark FROM streams WHERE key = ?", stream.key)

    async def published(self, stream: StreamId, version: int) -> None:
        await self._move_watermark("max", stream, version)

    async def lower_watermark(self, stream: StreamId, version: int) -> None:
        await self._move_watermark("min", stream, version)

    async def _move_watermark(self, rule: str, stream: StreamId, version: int) -> None:
        sql = f"UPDATE streams SET watermark = {rule}(watermark, ?) WHERE key = ?"
        await self._writer.do(lambda db: db.execute(sql, (version, stream.key)).rowcount, durable=False)

    async def pending(self, limit: int = 1000) -> list[Pending]:
        keys = await self._keys("SELECT key FROM streams WHERE head > watermark LIMIT ?", limit)
        return [Pending(stream) for stream in keys]

    async def settle(self, pending: Pending) -> None:
        return None  # there is no note to forget

    async def streams(self, tenant: str | None = None, after: str = "", limit: int = 1000) -> list[StreamId]:
        low, high = ("", "\U0010ffff") if tenant is None else prefix_range(tenant)
        sql = "SELECT key FROM streams WHERE key > ? AND key >= ? AND key < ? ORDER BY key LIMIT ?"
        return await self._keys(sql, after, low, high, limit)

    async def _number(self, sql: str, key: str) -> int:
        found = await self._readers.glance(lambda db: db.execute(sql, (key,)).fetchone())
        return int(found[0]) if found else 0

    async def _keys(self, sql: str, *arguments: Any) -> list[StreamId]:
        rows = await self._readers.do(lambda db: db.execute(sql, arguments).fetchall())
        return [StreamId.parse(key) for (key,) in rows]


def _rows(stream: StreamId, after: int, limit: int) -> Work[list[Row]]:
    return lambda db: [from_columns(row) for row in db.execute(_READ, (stream.key, after, limit))]


def _claim_head(connection: sqlite3.Connection, key: str, expected: int, new_head: int) -> int | None:
    """The stream's row id after moving its head; ``None`` when it does not stand at ``expected``."""
    if expected == 0:
        found = connection.execute(_CREATE, (key, new_head)).fetchone()
    else:
        found = connection.execute(_ADVANCE, (new_head, key, expected)).fetchone()
    return None if found is None else int(found[0])


def _repeated(connection: sqlite3.Connection, key: str, expected: int, rows: Sequence[Row]) -> int:
    """The head that this very batch gave, whoever appended since; raises ``VersionConflict`` if it is not there."""
    standing = connection.execute(_STANDING, (key, expected, len(rows))).fetchall()
    if standing and standing[0][1] == rows[0].batch_id and same_batch([name for name, _ in standing], rows):
        return expected + len(rows)
    found = connection.execute("SELECT head FROM streams WHERE key = ?", (key,)).fetchone()
    raise VersionConflict(found[0] if found else 0)
