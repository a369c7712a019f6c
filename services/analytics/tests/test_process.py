"""The real worker on a real broker, killed with -9: what it stored and published equals a recomputation."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import socket
import sys
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from analytics import wire
from analytics.projections.rows import StoredRows
from contactcenter.analytics.v1.rows_pb2 import ServiceLevelRow
from switchlog.bus import clients
from switchlog.outlet import KafkaOutlet, Record
from switchlog.store.opening import open_store
from switchlog.store.settings import StoreSettings

from .recomputed import ATTRIBUTIONS, folded, recompute
from .scene import NOON, Log, S

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(180)]

BOOTSTRAP = os.environ.get("KAFKA_BOOTSTRAP", "127.0.0.1:19092")
POOLS, CONTACTS, KILLS = 6, 3_000, 5
QUEUES = [f"q{n}" for n in range(POOLS)]
OUTCOMES = ["answered"] * 6 + ["abandoned", "short_abandoned", "flowed_out", "callback"]


@dataclass
class Lab:
    """A tenant and a topic of one's own, and the process under test."""

    tenant: str
    topic: str
    data: Path
    port: int
    process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        env = os.environ | {
            "KAFKA_BOOTSTRAP": BOOTSTRAP,
            "STORE": "sqlite",
            "DATA_DIR": str(self.data),
            "ANALYTICS_TOPIC": self.topic,
            "ANALYTICS_STATE": self.tenant,
            "ANALYTICS_REPLICA": "r1",
            "ANALYTICS_PORT": str(self.port),
            "ANALYTICS_GRPC_PORT": str(self.port + 1),
            "LOG_LEVEL": "WARNING",
        }
        command = (sys.executable, "-m", "analytics", "run")
        self.process = await asyncio.create_subprocess_exec(*command, env=env)

    async def serves(self) -> None:
        """It answers, and hears signals."""
        async with asyncio.timeout(20):
            while not await self._listens():
                await asyncio.sleep(0.1)

    async def _listens(self) -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            return False
        writer.close()
        return True

    async def end(self, how: signal.Signals) -> int:
        assert self.process is not None
        if self.process.returncode is None:
            self.process.send_signal(how)
        return await asyncio.wait_for(self.process.wait(), 20)

    async def read_up_to(self) -> int:
        """Records behind the stored progress."""
        store = await open_store(StoreSettings("sqlite", str(self.data)), "analytics")
        try:
            rows = StoredRows(store.views, self.tenant, f"analytics-figures-{self.tenant}")
            found = await store.views.scan(f"{self.tenant}_progress", rows.group)
            return sum(row.version for row in found)
        finally:
            await store.close()

    async def cells(self, attribution: str) -> list:
        store = await open_store(StoreSettings("sqlite", str(self.data)), "analytics")
        try:
            rows = StoredRows(store.views, self.tenant, "g")
            return [cell for queue in QUEUES async for cell in rows.cells(self.tenant, queue, 0, 1 << 45, attribution)]
        finally:
            await store.close()


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Lab]:
    tenant = f"t{uuid.uuid4().hex[:12]}"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    lab = Lab(tenant, f"replay.{tenant}.routing", tmp_path, port)
    await clients.ensure_topic(BOOTSTRAP, lab.topic, 3)
    yield lab
    if lab.process is not None and lab.process.returncode is None:
        lab.process.kill()
        await lab.process.wait()
    admin = clients.admin(BOOTSTRAP)
    await admin.start()
    await admin.delete_topics([lab.topic])
    await admin.close()


def busy_day(tenant: str) -> Log:
    """Contacts of several pools in the order of time, one in twelve still waiting; some records twice."""
    log, rng = Log(tenant), random.Random(7)
    for n, queue in enumerate(QUEUES):
        log.defined_in(NOON, queue, f"p{n}")
    acts = []
    for n in range(CONTACTS):
        at, pool = NOON + rng.randrange(3600 * S), rng.randrange(POOLS)
        acts.append((at, 0, n, pool, at))
        if n % 12:
            acts.append((at + rng.randrange(90 * S), 1, n, pool, at))
    for at, end, n, pool, queued_at in sorted(acts):
        where = {"queue": QUEUES[pool], "pool": f"p{pool}", "channel": ("chat", "voice")[n % 2]}
        if end:
            log.leaves(at, f"c{n}", queued_at, rng.choice(OUTCOMES), **where)
        else:
            log.waits(at, f"c{n}", **where)
        if rng.random() < 0.05:
            log.again(log.records[-1])
    return log


async def test_killed_again_and_again_it_counts_every_fact_once(lab: Lab) -> None:
    """Rule 27 on a real broker with a static member."""
    log, outlet, rng = busy_day(lab.tenant), KafkaOutlet(lambda: clients.producer(BOOTSTRAP, "test")), random.Random()
    records = [Record(record.key, record.value) for record in log.records]
    produced = asyncio.create_task(_produce(outlet, lab.topic, records))
    for _ in range(KILLS):
        await lab.start()
        before = await lab.read_up_to()
        async with asyncio.timeout(30):
            while await lab.read_up_to() == before and not produced.done():
                await asyncio.sleep(0.05)
        await asyncio.sleep(rng.random())
        assert await lab.end(signal.SIGKILL) == -signal.SIGKILL
    await produced
    await lab.start()
    async with asyncio.timeout(40):
        while await lab.read_up_to() < len(records):
            await asyncio.sleep(0.1)
    expected = {of: recompute(log.records, of) for of in ATTRIBUTIONS}
    assert {of: folded(await lab.cells(of), wire.CHANNEL_NUMBERS) for of in ATTRIBUTIONS} == expected
    assert sum(counts["offered"] for counts in expected["cohort"].values()) == CONTACTS
    async with asyncio.timeout(20):
        while await _published(lab.tenant) != _expected_rows(expected):
            await asyncio.sleep(0.5)
    await lab.serves()  # all may have been read and published before it was started the last time
    assert await lab.end(signal.SIGTERM) == 0
    await outlet.close()


async def _produce(outlet: KafkaOutlet, topic: str, records: list[Record]) -> None:
    """Over some seconds, so that kills fall into the middle of it."""
    for n in range(0, len(records), 60):
        await outlet.send(topic, records[n : n + 60])
        await asyncio.sleep(0.12)


def _expected_rows(expected: dict) -> dict:
    return {
        (attribution, *key): tuple(counts.get(name, 0) for name in ("offered", "answered", "answered<=20", "waiting"))
        for attribution, rows in expected.items()
        for key, counts in rows.items()
    }


async def _published(tenant: str) -> dict:
    """The greatest revision of each of the tenant's rows on the compacted topic."""
    consumer = clients.consumer(BOOTSTRAP, None, [wire.LEVELS])
    await consumer.start()
    found: dict = {}
    try:
        ends = await consumer.end_offsets(consumer.assignment())
        await consumer.seek_to_beginning()
        while any([await consumer.position(partition) < end for partition, end in ends.items()]):
            for records in (await consumer.getmany(timeout_ms=200)).values():
                for record in records:
                    if (record.key or b"").startswith(f"{tenant}/".encode()):
                        row = ServiceLevelRow.FromString(record.value)
                        if record.key not in found or found[record.key].revision < row.revision:
                            found[record.key] = row
    finally:
        await consumer.stop()
    return {
        (wire.ATTRIBUTIONS[row.attribution], row.tenant_id, row.queue, row.channel, wire.milliseconds(row.start)): (
            row.offered,
            row.answered,
            next(one.answered_in for one in row.thresholds if one.threshold_s == 20),
            row.waiting,
        )
        for row in found.values()
    }
