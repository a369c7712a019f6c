"""What is particular to the log in Cassandra: buckets, and conditions that must not be left out (kernel, Cassandra)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import pytest

from switchlog.clock import SystemClock
from switchlog.envelope import Row, StreamId
from switchlog.errors import NotNow, VersionConflict
from switchlog.store import no_timers
from switchlog.store.cassandra import CassandraStore, assemble, open_cassandra
from switchlog.store.cassandra.log import Log
from switchlog.store.settings import StoreSettings

from .kit import Open, make_batch, write

pytestmark = pytest.mark.cassandra
BUCKET = 1000


@pytest.fixture
async def store(open_cassandra_store: Open) -> CassandraStore:
    return await open_cassandra_store(bucket_events=BUCKET)  # type: ignore[return-value]


def another(store: CassandraStore) -> CassandraStore:
    """A process that shares nothing but the tables with ``store``."""
    return assemble(store._session, no_timers, SystemClock(), BUCKET)


async def fill(store: CassandraStore, stream: StreamId, *sizes: int) -> list[Row]:
    rows: list[Row] = []
    for size in sizes:
        rows += await write(store, stream, len(rows), size)
    return rows


async def in_bucket(store: CassandraStore, stream: StreamId, bucket: int) -> int:
    return len(await store._session.read("read_rows", stream.tenant, stream.name, bucket, 0))


async def test_a_stream_crosses_buckets_without_a_seam(store: CassandraStore, stream: StreamId) -> None:
    """A batch goes whole to the bucket of its ``expected``, so it may run over."""
    sizes = [1, 700, 298, 3, 500, 499, 999, 1000, 1, 1, 250]
    rows = await fill(store, stream, *sizes)
    head = sum(sizes)
    assert await in_bucket(store, stream, 0) == 1002
    for reader in (store, another(store)):
        assert await reader.events.head(stream) == head
        assert await reader.events.read(stream) == rows
        for after in (0, 1, 998, 999, 1000, 1001, 1002, 1501, 2000, 2001, 2999, 3000, 3001, head - 1, head):
            assert await reader.events.read(stream, after, 5) == rows[after : after + 5]
        for version in (1, 1000, 1001, 1002, 1003, 2001, 3000, 3001, head):
            assert await reader.events.read_serial(stream, version) == rows[version - 1]
        assert await reader.events.read_serial(stream, head + 1) is None


@pytest.mark.parametrize("last", [1, 2, 10])
async def test_a_repeat_in_any_bucket_gives_the_same_head(store: CassandraStore, stream: StreamId, last: int) -> None:
    await fill(store, stream, 999)
    over = make_batch(stream, 999, last)
    opening = make_batch(stream, 999 + last, 2)
    for _ in range(2):
        assert await store.events.append(stream, 999, over[0].batch_id, over) == 999 + last
    for _ in range(2):
        assert await store.events.append(stream, 999 + last, opening[0].batch_id, opening) == 1001 + last
    assert await store.events.append(stream, 999, over[0].batch_id, over) == 999 + last
    assert await another(store).events.head(stream) == 1001 + last


async def test_only_one_opens_a_bucket(store: CassandraStore, stream: StreamId) -> None:
    await fill(store, stream, 1000)
    processes = [another(store) for _ in range(8)]
    batches = [make_batch(stream, 1000, 2) for _ in processes]
    outcomes = await asyncio.gather(
        *(p.events.append(stream, 1000, b[0].batch_id, b) for p, b in zip(processes, batches, strict=True)),
        return_exceptions=True,
    )
    assert [o for o in outcomes if not isinstance(o, VersionConflict)] == [1002]
    assert (await store.events.read(stream, 1000)) == batches[outcomes.index(1002)]


@pytest.mark.parametrize("expected", [999, 1001, 1500, 2000])
async def test_a_bucket_is_opened_at_the_head_only(store: CassandraStore, stream: StreamId, expected: int) -> None:
    await fill(store, stream, 1000)
    rows = make_batch(stream, expected)
    with pytest.raises(VersionConflict) as refusal:
        await store.events.append(stream, expected, rows[0].batch_id, rows)
    assert refusal.value.head == 1000
    assert len(await store.events.read(stream)) == 1000


async def test_a_closed_bucket_takes_nothing_more(store: CassandraStore, stream: StreamId) -> None:
    await fill(store, stream, 998, 5, 4)
    rows = make_batch(stream, 998, 3)
    with pytest.raises(VersionConflict) as refusal:
        await another(store).events.append(stream, 998, rows[0].batch_id, rows)
    assert refusal.value.head == 1007


async def test_a_hint_that_lags_is_made_good(store: CassandraStore, stream: StreamId) -> None:
    await fill(store, stream, 1000, 1000, 1000, 5)
    name = (stream.tenant, stream.name)
    assert await store._session.read("read_hint", *name) == [(3,)]
    store._session.driver.execute("TRUNCATE bucket_hints")
    assert await another(store).events.head(stream) == 3005
    rows = make_batch(stream, 3005)
    assert await another(store).events.append(stream, 3005, rows[0].batch_id, rows) == 3006


async def test_a_bucket_smaller_than_a_batch_is_refused(store: CassandraStore) -> None:
    with pytest.raises(ValueError, match="1000"):
        assemble(store._session, no_timers, SystemClock(), 999)


async def test_no_node_is_not_now_within_a_second() -> None:
    began = time.monotonic()
    with pytest.raises(NotNow):
        await open_cassandra(StoreSettings("cassandra", cassandra_port=1), "contract")
    assert time.monotonic() - began < 1


# The opposites of the rules, each of which must be caught.


class BucketOfTheRow(Log):
    """Planted: a row is looked for in bucket ``(version - 1) // size``."""

    async def read(self, stream: StreamId, after: int, limit: int | None) -> list[Row]:
        return await self._read_bucket(stream, after // self._size, after, limit)


async def test_reading_by_the_rows_own_bucket_loses_what_ran_over(store: CassandraStore, stream: StreamId) -> None:
    rows = await fill(store, stream, 999, 5)
    assert await Log(store._session, BUCKET).read(stream, 1001, None) == rows[1001:]
    assert await BucketOfTheRow(store._session, BUCKET).read(stream, 1001, None) == []


class ByBatchIdAlone(Log):
    """Planted: a refused batch whose id stands is taken for done, whatever was in it."""

    async def _repeated(self, stream: StreamId, expected: int, rows: Sequence[Row], head: object) -> int:
        first = await self.read_serial(stream, expected + 1)
        assert first is not None
        return (
            expected + len(rows)
            if first.batch_id == rows[0].batch_id
            else await super()._repeated(stream, expected, rows, head)
        )


async def test_deduplication_by_batch_id_alone_acknowledges_a_stranger(store: CassandraStore, stream: StreamId) -> None:
    rows = await fill(store, stream, 2)
    grouped = [*rows, make_batch(stream, 2, 1, batch_id=rows[0].batch_id)[0]]
    with pytest.raises(ValueError, match="identical"):
        await Log(store._session).append(stream, 0, grouped, time.monotonic() + 1)
    acknowledged = await ByBatchIdAlone(store._session).append(stream, 0, grouped, time.monotonic() + 1)
    assert acknowledged > await store.events.head(stream)


class WithoutCondition(Log):
    """Planted: append without the head condition."""

    async def _send(
        self, how: str, stream: StreamId, expected: int, rows: Sequence[Row], send_before: float
    ) -> dict[str, Any]:
        place = (stream.tenant, stream.name, expected // self._size)
        values = [("insert_row", (*place, *_columns(row))) for row in rows]
        await self._session.write_all(values)
        return {"[applied]": True}


def _columns(row: Row) -> tuple[Any, ...]:
    from switchlog.store.rows import to_columns

    return to_columns(row)


async def _two_at_once(log: Log, stream: StreamId) -> tuple[int, int]:
    """How many of two appends at the same place were acknowledged, and how many of those stand."""
    batches = [make_batch(stream, 0), make_batch(stream, 0)]
    late = time.monotonic() + 1
    outcomes = await asyncio.gather(*(log.append(stream, 0, b, late) for b in batches), return_exceptions=True)
    done = [b for b, outcome in zip(batches, outcomes, strict=True) if outcome == 1]
    standing = await log.read(stream, 0, None)
    return len(done), len([b for b in done if b[0] in standing])


async def test_without_the_head_condition_both_writers_win(store: CassandraStore) -> None:
    assert await _two_at_once(Log(store._session), StreamId("acme", "right")) == (1, 1)
    assert await _two_at_once(WithoutCondition(store._session), StreamId("acme", "wrong")) == (2, 1)
