"""The ceilings: the drivers themselves, given rows that were made beforehand. No ids, no rules, no marks."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

from aiokafka import AIOKafkaProducer
from cassandra.policies import FallthroughRetryPolicy
from cassandra.query import BatchStatement, BatchType

from benchmarks.place import Place
from switchlog.bus import clients
from switchlog.envelope import Row, StreamId
from switchlog.store.cassandra.session import CONDITION, connect
from switchlog.store.rows import to_columns
from switchlog.store.sqlite import engine, schema
from switchlog.store.sqlite.log import _ADVANCE, _CREATE, _INSERT

Lot = tuple[StreamId, Sequence[Row]]


class Driver(Protocol):
    """Commits lots of rows, each lot the next of its stream."""

    async def commit(self, lots: Sequence[Lot]) -> None: ...


class Sqlite:
    """One transaction a call, in a thread of its own; the store's tables and pragmas."""

    def __init__(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self._connection = engine.connect(file)
        schema.create(self._connection)
        self._thread = ThreadPoolExecutor(1)

    async def commit(self, lots: Sequence[Lot]) -> None:
        ready = [(stream.key, rows[0].version - 1, [to_columns(row) for row in rows]) for stream, rows in lots]
        await asyncio.get_running_loop().run_in_executor(self._thread, self._commit, ready)

    def _commit(self, lots: Sequence[tuple[str, int, list[tuple[Any, ...]]]]) -> None:
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        for key, expected, rows in lots:
            (stream,) = _claimed(connection, key, expected, expected + len(rows))
            connection.executemany(_INSERT, [(stream, *row) for row in rows])
        connection.execute("COMMIT")

    async def close(self) -> None:
        self._thread.shutdown()
        self._connection.close()


def _claimed(connection: sqlite3.Connection, key: str, expected: int, head: int) -> tuple[int]:
    if expected == 0:
        found = connection.execute(_CREATE, (key, head)).fetchone()
    else:
        found = connection.execute(_ADVANCE, (head, key, expected)).fetchone()
    assert found is not None, f"{key} is not at {expected}"
    return found


class Cassandra:
    """One conditional batch a lot, all lots of a call at once."""

    def __init__(self, connected: tuple[Any, Any, dict[str, Any]]) -> None:
        self._cluster, self._driver, self._prepared = connected

    @classmethod
    async def open(cls, place: Place, keyspace: str) -> Cassandra:
        settings = place.settings("cassandra", keyspace).store
        return cls(await asyncio.to_thread(connect, settings, keyspace, FallthroughRetryPolicy()))

    async def commit(self, lots: Sequence[Lot]) -> None:
        await asyncio.gather(*(self._batch(stream, rows) for stream, rows in lots))

    async def _batch(self, stream: StreamId, rows: Sequence[Row]) -> None:
        expected, batch_id, where = rows[0].version - 1, rows[0].batch_id, (stream.tenant, stream.name, 0)
        batch = BatchStatement(BatchType.UNLOGGED)
        how, condition = ("move_head", (expected, batch_id)) if expected else ("open_bucket", (batch_id,))
        batch.add(self._prepared[how], (expected + len(rows), batch_id, *where, *condition))
        for row in rows:
            batch.add(self._prepared["insert_row"], (*where, *to_columns(row)))
        answer = await self._ask(batch)
        assert answer[0]["[applied]"], f"{stream.key} is not at {expected}"

    async def _ask(self, statement: Any) -> Any:
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[Any] = loop.create_future()
        response = self._driver.execute_async(statement, execution_profile=CONDITION)
        response.add_callbacks(
            lambda rows: loop.call_soon_threadsafe(answered.set_result, list(rows or ())),
            lambda error: loop.call_soon_threadsafe(answered.set_exception, error),
        )
        return await answered

    async def close(self) -> None:
        await asyncio.to_thread(self._cluster.shutdown)


@asynccontextmanager
async def opened(place: Place, kind: str) -> AsyncIterator[Driver]:
    """The bare driver of a store."""
    name = place.fresh("bare")
    driver = Sqlite(place.root / "stores" / f"{name}.db") if kind == "sqlite" else await Cassandra.open(place, name)
    try:
        yield driver
    finally:
        await driver.close()


@asynccontextmanager
async def producer(place: Place) -> AsyncIterator[AIOKafkaProducer]:
    """A producer as the relay's, with nothing around it."""
    made = clients.producer(place.kafka.address)
    await made.start()
    try:
        yield made
    finally:
        await made.stop()


async def send(made: AIOKafkaProducer, topic: str, lots: Sequence[Lot]) -> list[asyncio.Future[Any]]:
    """Hand the rows over; the acknowledgements come later."""
    return [
        await made.send(topic, row.value, stream.key.encode(), headers=list(row.headers))
        for stream, rows in lots
        for row in rows
    ]
