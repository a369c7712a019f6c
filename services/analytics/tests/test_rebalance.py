"""Two workers of one group on a real broker: partitions move while facts flow, and every fact still counts once."""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from analytics import wire
from analytics.adapters import routing_facts
from analytics.app.folding import Folding
from analytics.app.ports import Where
from analytics.bus import hosting
from analytics.bus.reading import Reading
from analytics.projections.queue_rows import QueueRows
from analytics.projections.rows import StoredRows
from switchlog.bus import clients
from switchlog.outlet import KafkaOutlet, Record
from switchlog.store.memory import MemoryStore
from switchlog.testing import eventually

from .recomputed import folded, recompute
from .test_process import QUEUES, busy_day

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(120)]

BOOTSTRAP = os.environ.get("KAFKA_BOOTSTRAP", "127.0.0.1:19092")


async def never(*args: object) -> list[bytes]:
    raise AssertionError(f"nothing is missing or bad here: {args}")


@asynccontextmanager
async def worker(topic: str, group: str, rows: StoredRows, name: str) -> AsyncIterator[Reading]:
    def connect(listener):
        return clients.consumer(BOOTSTRAP, group, [topic], listener, client_id=name, instance=name)

    boards = QueueRows(rows)

    async def open_(where: Where) -> Folding:
        return Folding(where, await boards.board(where), boards, routing_facts, never, never)

    reading = Reading(connect, open_, lambda folding: None)
    running = asyncio.create_task(hosting.run(hosting.hosted(f"{group}-{name}", reading, {})))
    try:
        yield reading
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


async def test_partitions_move_between_workers_and_every_fact_counts_once() -> None:
    tenant = f"t{uuid.uuid4().hex[:12]}"
    topic, views = f"replay.{tenant}.routing", MemoryStore().views
    await clients.ensure_topic(BOOTSTRAP, topic, 4)
    log, outlet = busy_day(tenant), KafkaOutlet(lambda: clients.producer(BOOTSTRAP, "test"))
    records = [Record(record.key, record.value) for record in log.records]
    rows = StoredRows(views, "s1", tenant)

    async def done() -> bool:
        found = await views.scan("s1_progress", tenant)
        return sum(row.version for row in found) == len(records)

    try:
        async with worker(topic, tenant, rows, "a") as first:
            await eventually(lambda: len(first.foldings) == 4, within_s=20)
            flowing = asyncio.create_task(_flow(outlet, topic, records))
            async with worker(topic, tenant, rows, "b") as second:
                await eventually(lambda: first.foldings and second.foldings, within_s=30)
                assert not first.foldings.keys() & second.foldings.keys()
            await eventually(lambda: len(first.foldings) == 4, within_s=40)  # b's session has run out
            await flowing
            await eventually(done, within_s=30)
        cells = [cell for queue in QUEUES async for cell in rows.cells(tenant, queue, 0, 1 << 45)]
        assert folded(cells, wire.CHANNEL_NUMBERS) == recompute(log.records)
    finally:
        await outlet.close()
        admin = clients.admin(BOOTSTRAP)
        await admin.start()
        await admin.delete_topics([topic])
        await admin.close()


async def _flow(outlet: KafkaOutlet, topic: str, records: list[Record]) -> None:
    for n in range(0, len(records), 100):
        await outlet.send(topic, records[n : n + 100])
        await asyncio.sleep(0.2)
