"""The stores under contract."""

from __future__ import annotations

import os
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from switchlog.envelope import StreamId
from switchlog.store import Store, TimersOf, no_timers
from switchlog.store.memory import MemoryStore
from switchlog.store.sqlite import open_sqlite

from .kit import Open, timers_of

# Cassandra joins when it is asked for; then whatever is wrong with the node fails, it is never skipped.
WITH_CASSANDRA = os.environ.get("STORE") == "cassandra"
KINDS = ["memory", "sqlite", *([pytest.param("cassandra", marks=pytest.mark.cassandra)] if WITH_CASSANDRA else [])]


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def open_named(kind: str, tmp_path: Path) -> AsyncIterator[Open]:
    """``await open_named(timers_of)``: a store of this kind on the same data each time (memory: one instance)."""
    opened: list[Store] = []
    prefix = f"t{uuid.uuid4().hex[:10]}_"
    memory: list[MemoryStore] = []

    async def open_one(timers: TimersOf = no_timers, **options: object) -> Store:
        match kind:
            case "memory":
                memory[:] = memory or [MemoryStore(timers)]
                return memory[0]
            case "sqlite":
                store: Store = await open_sqlite(tmp_path / "service.db", timers)
            case _:
                store = await _open_cassandra(prefix, timers, **options)
        opened.append(store)
        return store

    yield open_one
    if kind == "cassandra" and opened:
        await opened[-1].drop_keyspace()  # type: ignore[attr-defined]
    for store in opened:
        await store.close()


async def _open_cassandra(prefix: str, timers: TimersOf, **options: object) -> Store:
    from switchlog.store.cassandra import open_cassandra
    from switchlog.store.settings import StoreSettings

    port = int(os.environ.get("CASSANDRA_PORT", "19042"))
    settings = StoreSettings("cassandra", cassandra_port=port, keyspace_prefix=prefix)
    return await open_cassandra(settings, "contract", timers, **options)


@pytest.fixture
async def store(open_named: Open) -> Store:
    return await open_named(timers_of)


@pytest.fixture
def stream() -> StreamId:
    return StreamId("acme", f"contact-{uuid.uuid4().hex}")
