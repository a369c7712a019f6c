"""The stores under contract."""

from __future__ import annotations

import os
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from switchlog.envelope import StreamId
from switchlog.store import Store, TimersOf, no_timers
from switchlog.store.memory import MemoryStore
from switchlog.store.settings import StoreSettings
from switchlog.store.sqlite import open_sqlite

from .kit import Open, timers_of

# Cassandra joins when it is asked for; then whatever is wrong with the node fails, it is never skipped.
WITH_CASSANDRA = os.environ.get("STORE") == "cassandra"
KINDS = ["memory", "sqlite", *([pytest.param("cassandra", marks=pytest.mark.cassandra)] if WITH_CASSANDRA else [])]


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="session")
def keyspace_settings() -> Iterator[StoreSettings]:
    """A keyspace of this run's own (service ``contract``), dropped at its end."""
    if not WITH_CASSANDRA:
        pytest.skip("set STORE=cassandra (and CASSANDRA_PORT) to run against a node")
    from cassandra.cluster import Cluster

    port = int(os.environ.get("CASSANDRA_PORT", "19042"))
    settings = StoreSettings("cassandra", cassandra_port=port, keyspace_prefix=f"t{uuid.uuid4().hex[:10]}_")
    yield settings
    cluster = Cluster(["127.0.0.1"], port=port, protocol_version=5)
    cluster.connect().execute(f"DROP KEYSPACE IF EXISTS {settings.keyspace_prefix}contract", timeout=60)
    cluster.shutdown()


@pytest.fixture
async def open_cassandra_store(keyspace_settings: StoreSettings) -> AsyncIterator[Open]:
    """``await open_cassandra_store(timers_of, **options)``: on empty tables the first time in a test."""
    from switchlog.store.cassandra import CassandraStore, open_cassandra
    from switchlog.store.cassandra.schema import TABLES

    opened: list[CassandraStore] = []

    async def open_one(timers: TimersOf = no_timers, **options: object) -> Store:
        store = await open_cassandra(keyspace_settings, "contract", timers, **options)  # type: ignore[arg-type]
        for table in () if opened else TABLES:
            store._session.driver.execute(f"TRUNCATE {table}")
        opened.append(store)
        return store

    yield open_one
    for store in opened:
        await store.close()


@pytest.fixture
async def open_sqlite_store(tmp_path: Path) -> AsyncIterator[Open]:
    opened: list[Store] = []

    async def open_one(timers: TimersOf = no_timers) -> Store:
        opened.append(await open_sqlite(tmp_path / "service.db", timers))
        return opened[-1]

    yield open_one
    for store in opened:
        await store.close()


@pytest.fixture
def open_named(kind: str, request: pytest.FixtureRequest) -> Open:
    """``await open_named(timers_of)``: a store of this kind on the same data each time (memory: the same instance)."""
    if kind != "memory":
        opener: Open = request.getfixturevalue(f"open_{kind}_store")
        return opener
    made: list[MemoryStore] = []

    async def open_memory(timers: TimersOf = no_timers) -> Store:
        made[:] = made or [MemoryStore(timers)]
        return made[0]

    return open_memory


@pytest.fixture
async def store(open_named: Open) -> Store:
    return await open_named(timers_of)


@pytest.fixture
def stream() -> StreamId:
    return StreamId("acme", f"contact-{uuid.uuid4().hex}")
