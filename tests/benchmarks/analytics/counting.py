"""``python -m benchmarks.analytics.counting CONTACTS FOLDER``: makes, folds, stores, publishes, counts again.

What was made is written to Parquet on the way and counted by DuckDB: the published rows must say the same of every
queue and quarter hour. The time is that of the folds and the store; making the facts is not in it.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import time
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Any

import duckdb
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
from verification.day.bulk import Bulk, Fact, Plan
from verification.driving import Delivered

from analytics import wire
from analytics.adapters import routing_facts
from analytics.app.folding import Folding
from analytics.app.ports import Where
from analytics.app.publishing import Publisher
from analytics.bus.worker import GARBAGE
from analytics.projections.queue_rows import QueueRows
from analytics.projections.rows import StoredRows
from benchmarks.analytics.filling import START
from contactcenter.analytics.v1.rows_pb2 import ATTRIBUTION_COHORT, ServiceLevelRow
from switchlog.clock import ManualClock
from switchlog.store.sqlite import open_sqlite

QUEUES = 10
A_DAY = 333_333  # ten million in the thirty days that a topic keeps
BATCH = 20_000
WHERE = Where("routing.events.v1", 0)
PUBLISH_EVERY = 10  # batches: some seconds of catching up
COLUMNS = ("queue", "t_enq", "wait_ms", "outcome")


class Counted:
    """The folds of one partition over SQLite, and the rows that were published last."""

    def __init__(self, views: Any) -> None:
        self.rows = StoredRows(views, "s1", "g")
        self.clock = ManualClock(START)
        self.publisher = Publisher(self.rows, self.clock, wire.level_record, self._send, self._done)
        self.published: dict[str, tuple[int, ...]] = {}
        self.cpu_s = 0.0

    async def open(self) -> None:
        kept = QueueRows(self.rows)
        self.folding = Folding(WHERE, await kept.board(WHERE), kept, routing_facts, _never, _never)

    async def take(self, batch: list[Delivered], at: int, publish: bool) -> None:
        began = time.process_time()
        await self.folding.take(batch)
        self.clock.advance(max(0, at - self.clock.now()))
        self.publisher.changed |= self.folding.changed
        self.folding.changed = set()
        if publish:
            await self.publisher.tick()
        self.cpu_s += time.process_time() - began

    async def _send(self, records: Iterable[Any]) -> None:
        for record in records:
            row = ServiceLevelRow.FromString(record.value)
            if row.attribution == ATTRIBUTION_COHORT:
                within = next(one for one in row.thresholds if one.threshold_s == 20)
                left = (row.answered, row.abandoned, row.flowed_out, row.timed_out, row.callback)
                told = (row.offered, *left, row.waiting, row.handled, row.wait_answered_ms, within.answered_in)
                self.published[f"{row.queue}/{row.start.seconds}"] = told

    def _done(self, key: Any) -> None:
        self.folding.board.evict(key)


async def _never(*_: Any) -> Any:
    raise AssertionError("neither holes nor poison were made")


async def count(contacts: int, folder: Path) -> dict[str, Any]:
    """Everything that is told."""
    gc.set_threshold(*GARBAGE)  # as the service does
    bulk = Bulk("bench", contacts, QUEUES, START, START + contacts * 86_400_000 // A_DAY, pools=1, offers=False)
    store = await open_sqlite(folder / "views.db")
    one, rss, facts, batches = Counted(store.views), [], 0, 0
    try:
        await one.open()
        made, done, tenth = bulk.facts(), 0, max(1, contacts // 10)
        with pq.ParquetWriter(folder / "plan.parquet", _schema()) as plan:
            while batch := list(islice(made, BATCH)):
                batches += 1
                await one.take(_delivered(batch, facts), batch[-1].at, batches % PUBLISH_EVERY == 0)
                facts += len(batch)
                if len(bulk.plan.queue) >= tenth:
                    rss.append(psutil.Process().memory_info().rss / 2**20)
                    done += _write(plan, bulk)
                    print(f"counted {done} contacts, {rss[-1]:.0f} MB", file=sys.stderr, flush=True)
            _write(plan, bulk)
        await one.publisher.tick()
        return {"rss_mb": rss, "facts": facts, "cpu_s": one.cpu_s, **_compared(folder / "plan.parquet", one.published)}
    finally:
        await store.close()


def _delivered(batch: list[Fact], offset: int) -> list[Delivered]:
    return [Delivered(*WHERE, offset + n, fact.key, fact.value) for n, fact in enumerate(batch)]


def _schema() -> pa.Schema:
    return pa.schema([("queue", pa.int32()), ("t_enq", pa.int64()), ("wait_ms", pa.int32()), ("outcome", pa.int8())])


def _write(out: pq.ParquetWriter, bulk: Bulk) -> int:
    """The plan so far to the file, and a new one: memory holds a tenth at most."""
    plan, bulk.plan = bulk.plan, Plan()
    columns = [pa.array(getattr(plan, name), field.type) for name, field in zip(COLUMNS, _schema(), strict=True)]
    out.write_table(pa.table(columns, schema=_schema()))
    return len(plan.queue)


def _compared(plan: Path, published: dict[str, tuple[int, ...]]) -> dict[str, Any]:
    """Each queue and quarter hour as DuckDB counts the plan, beside the published row."""
    found = duckdb.connect().execute(
        """select 'queue-' || queue || '/' || (t_enq // 900000 * 900), count(*)::bigint,
            count(*) filter (outcome = 1), count(*) filter (outcome = 2), count(*) filter (outcome = 4),
            count(*) filter (outcome = 6), count(*) filter (outcome = 5), 0, count(*) filter (outcome = 1),
            coalesce(sum(wait_ms) filter (outcome = 1), 0)::bigint, count(*) filter (outcome = 1 and wait_ms <= 20000)
        from read_parquet($1) group by all""",
        [str(plan)],
    )
    wrong, compared = [], 0
    for key, *counts in found.fetchall():
        compared += len(counts)
        told = published.get(key)
        if told != tuple(counts):
            wrong.append((key, told, tuple(counts)))
    return {"compared": compared, "cells": len(published), "differences": len(wrong), "such_as": wrong[:3]}


def main() -> None:
    """As the program says it."""
    Path(sys.argv[-1]).mkdir(parents=True)
    sys.stdout.write(json.dumps(asyncio.run(count(int(sys.argv[-2]), Path(sys.argv[-1])))) + "\n")


if __name__ == "__main__":
    main()
