"""The embedded store: one file a service (see kernel, SQLite)."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

from switchlog.clock import Clock, SystemClock
from switchlog.errors import NotNow
from switchlog.store import TimersOf, no_timers
from switchlog.store.sqlite import schema
from switchlog.store.sqlite.engine import READERS, Readers, Writer, connect
from switchlog.store.sqlite.log import SqliteEvents
from switchlog.store.sqlite.tables import SqliteEffects, SqliteKeys, SqliteSeen, SqliteTimers, SqliteViews

__all__ = ["SqliteStore", "open_sqlite"]


class SqliteStore:
    """One service's store in one file."""

    def __init__(self, writer: Writer, readers: Readers, timers_of: TimersOf, clock: Clock) -> None:
        self._writer, self._readers = writer, readers
        self.events = SqliteEvents(writer, readers, timers_of)
        self.views = SqliteViews(writer, readers)
        self.seen = SqliteSeen(writer, readers, clock)
        self.timers = SqliteTimers(writer, readers)
        self.effects = SqliteEffects(writer, readers)
        self.keys = SqliteKeys(writer, readers)

    async def ready(self) -> bool:
        try:
            await self._writer.do(lambda db: db.execute("SELECT 1").fetchone(), durable=False)
        except NotNow:
            return False
        return True

    async def close(self) -> None:
        await self._readers.close()
        await self._writer.close()


async def open_sqlite(file: Path, timers_of: TimersOf = no_timers, clock: Clock | None = None) -> SqliteStore:
    """Open or make ``file`` and its folder; raises ``NotNow`` when another process holds it for 5 s."""
    try:
        connections = await asyncio.to_thread(_connect_all, file)
    except sqlite3.OperationalError as error:
        raise NotNow("STORE_UNAVAILABLE", f"{file}: {error}") from error
    store = SqliteStore(Writer(connections[0]), Readers(connections[1:]), timers_of, clock or SystemClock())
    await store.seen.forget_old()
    return store


def _connect_all(file: Path) -> list[sqlite3.Connection]:
    file.parent.mkdir(parents=True, exist_ok=True)
    connections = [connect(file) for _ in range(2 + READERS)]
    schema.create(connections[0])
    return connections
