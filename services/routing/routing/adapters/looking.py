"""A store opened to be looked at only, beside a running service or without one."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote

from switchlog.clock import SystemClock
from switchlog.config import ConfigError, store_settings
from switchlog.store import EventStore, SeenStore, ViewStore, no_timers
from switchlog.store.opening import open_store
from switchlog.store.settings import StoreSettings
from switchlog.store.sqlite.engine import READERS, Readers, Writer
from switchlog.store.sqlite.log import SqliteEvents
from switchlog.store.sqlite.tables import SqliteSeen, SqliteViews

SERVICE = "routing"
BUSY_S = 5.0


@dataclass(frozen=True, slots=True)
class Looked:
    """What is there to read."""

    events: EventStore
    views: ViewStore
    seen: SeenStore


def chosen(store: str, env: Mapping[str, str]) -> StoreSettings:
    """``store`` as on the command line: ``sqlite``, ``cassandra``, a folder or a file; empty: the environment's, else
    the one that the local servers were started with last. Raises ``ConfigError`` when nothing is there."""
    told, data = store_settings(env), Path(env.get("SWITCHLOG_BUILD") or "build") / "data"
    if not store and (env.get("STORE") or env.get("DATA_DIR")):
        return _present(told)
    kind = store or _last_used(data / "store")
    if kind == "cassandra":
        return replace(told, kind="cassandra")
    folder = data / "sqlite" / "services" if kind == "sqlite" else Path(kind)
    return _present(replace(told, kind="sqlite", path=str(folder if folder.is_dir() else folder.parent)))


def _last_used(note: Path) -> str:
    try:
        return note.read_text().strip() or "sqlite"
    except OSError:
        return "sqlite"


def _present(settings: StoreSettings) -> StoreSettings:
    file = _file(settings)
    if settings.kind == "sqlite" and not file.is_file():
        raise ConfigError(f"no store at {file}: name one with --store (sqlite, cassandra or a folder)")
    return settings


def _file(settings: StoreSettings) -> Path:
    return Path(settings.path) / f"{SERVICE}.db"


@asynccontextmanager
async def looked_at(settings: StoreSettings) -> AsyncIterator[Looked]:
    """The store, read only where it is a file. Raises ``NotNow`` when it cannot be reached."""
    if settings.kind == "sqlite":
        async with _file_looked_at(_file(settings)) as looked:
            yield looked
        return
    store = await open_store(settings, SERVICE)
    try:
        yield Looked(store.events, store.views, store.seen)
    finally:
        await store.close()


@asynccontextmanager
async def _file_looked_at(file: Path) -> AsyncIterator[Looked]:
    connections = await asyncio.to_thread(lambda: [_connected(file) for _ in range(2 + READERS)])
    writer, readers = Writer(connections[0]), Readers(connections[1:])
    try:
        events = SqliteEvents(writer, readers, no_timers)
        yield Looked(events, SqliteViews(writer, readers), SqliteSeen(writer, readers, SystemClock()))
    finally:
        await readers.close()
        await writer.close()


def _connected(file: Path) -> sqlite3.Connection:
    uri = f"file:{quote(str(file))}?mode=ro"
    return sqlite3.connect(uri, uri=True, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
