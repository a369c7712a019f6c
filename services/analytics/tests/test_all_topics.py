"""The real worker over all topics on a real broker, killed with -9: rows and both published topics equal one pass."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import socket
import sys
import uuid
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any

import pytest

from analytics import wire
from contactcenter.agent.v1 import events_pb2 as agent_pb
from contactcenter.analytics.v1.rows_pb2 import ATTRIBUTION_COHORT, AgentTimeRow, ServiceLevelRow
from contactcenter.contact.v1 import events_pb2 as contact_pb
from contactcenter.contact.v1.types_pb2 import CHANNEL_CHAT
from contactcenter.ticket.v1 import events_pb2 as ticket_pb
from switchlog.bus import clients
from switchlog.outlet import KafkaOutlet, Record
from switchlog.store.memory import MemoryStore
from switchlog.store.opening import open_store
from switchlog.store.settings import StoreSettings

from . import folds
from .people import People, counted, days
from .people import opened as people_opened
from .scene import NOON, Log, S

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(180)]

BOOTSTRAP = os.environ.get("KAFKA_BOOTSTRAP", "127.0.0.1:19092")
KILLS, CONTACTS, STEPS = 3, 400, 60
DAY = NOON - 12 * 3600 * S
QUEUES = ("sales", "care", "")


class Centre:
    """What routing, ingress, agents and tickets said on one day, by topic."""

    def __init__(self, tenant: str) -> None:
        self.pools = Log(tenant)
        self.people = {kind: People(kind, tenant) for kind in ("contact", "agent", "ticket")}
        rng, said = random.Random(5), []
        for n in range(CONTACTS):
            said += self.life(n, rng)
        for queue in ("sales", "care"):
            self.pools.defined(NOON, queue)
        for _, _, say in sorted(said, key=lambda one: one[:2]):
            say()
        for queue in ("sales", "care"):
            for quarter in range(1, 9):
                self.pools.final(NOON + 3 * 3600 * S, NOON + quarter * 900 * S, queue=queue)
        for log in (self.pools, *self.people.values()):
            for record in rng.sample(log.records, 30):
                log.again(record)

    def life(self, n: int, rng: random.Random) -> list[tuple[int, int, Any]]:
        contact, agent, ticket = (self.people[kind] for kind in ("contact", "agent", "ticket"))
        at, queue, who = NOON + rng.randrange(3600 * S), rng.choice(["sales", "care"]), f"a{n % 7}"
        left = at + rng.randrange(60 * S)
        gone, done = left + rng.randrange(1200 * S), left + 1200 * S + rng.randrange(120 * S)
        c, leg = f"c{n}", {"leg": 1, "queue": queue, "pool": "front"}
        answered = leg | {"agent": who, "team": "t1"}
        work = {
            "contact": c,
            "leg": 1,
            "agent": who,
            "team": "t1",
            "pool": "front",
            "queue": queue,
            "channel": CHANNEL_CHAT,
        }
        acts: list[tuple[int, int, Any]] = [
            (at, 0, lambda: contact.say(at, c, contact_started=contact_pb.ContactStarted(channel=CHANNEL_CHAT))),
            (at, 1, lambda: contact.say(at, c, contact_queued=contact_pb.ContactQueued(**leg))),
            (at, 2, lambda: self.pools.waits(at, c, queue)),
        ]
        if n % 5 == 0:
            return [
                *acts,
                (left, 0, lambda: contact.say(left, c, contact_ended=contact_pb.ContactEnded(reason=3))),
                (left, 1, lambda: self.pools.leaves(left, c, at, "abandoned", queue=queue)),
            ]
        ends = {"wrap_up_ended": agent_pb.WrapUpEnded(**work)}
        starts = {"wrap_up_started": agent_pb.WrapUpStarted(**work)}
        return [
            *acts,
            (left, 0, lambda: agent.say(left, who, work_started=agent_pb.WorkStarted(**work))),
            (left, 1, lambda: contact.say(left, c, agent_connected=contact_pb.AgentConnected(**answered))),
            (left, 2, lambda: self.pools.leaves(left, c, at, queue=queue, agent=who, team="t1")),
            (gone, 0, lambda: contact.say(gone, c, agent_disconnected=contact_pb.AgentDisconnected(**answered))),
            (gone, 1, lambda: contact.say(gone, c, contact_ended=contact_pb.ContactEnded(reason=2))),
            (gone, 2, lambda: agent.say(gone, who, **starts)),
            (gone, 3, lambda: self.pools.agent(gone, **starts)),
            (done, 0, lambda: agent.say(done, who, **ends)),
            (done, 1, lambda: self.pools.agent(done, **ends)),
            (done, 2, lambda: ticket.say(done, f"k{n}", ticket_opened=ticket_pb.TicketOpened(queue=queue))),
        ]

    @property
    def logs(self) -> dict[str, list]:
        return {"routing": self.pools.records} | {kind: log.records for kind, log in self.people.items()}

    async def once(self, views: Any) -> None:
        """Each topic in one pass, in memory."""
        folding, _ = await folds.opened(views, self.pools)
        await folds.deliver(folding, self.pools.records)
        for log in self.people.values():
            await folds.deliver(await people_opened(views, log), log.records)


async def stored(views: Any, tenant: str, state: str) -> dict:
    found = {of: await counted(views, of, QUEUES, tenant, state) for of in ("cohort", "event")}
    return found | {"days": await days(views, (DAY,), tenant, state)}


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[tuple[str, dict[str, str]]]:
    tenant = f"t{uuid.uuid4().hex[:12]}"
    topics = {kind: f"replay.{tenant}.{kind}" for kind in ("routing", "contact", "agent", "ticket")}
    for topic in topics.values():
        await clients.ensure_topic(BOOTSTRAP, topic, 2)
    yield tenant, topics
    admin = clients.admin(BOOTSTRAP)
    await admin.start()
    await admin.delete_topics(list(topics.values()))
    await admin.close()


def environment(tenant: str, topics: dict[str, str], data: Path) -> dict[str, str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    env = os.environ | {
        "KAFKA_BOOTSTRAP": BOOTSTRAP, "STORE": "sqlite", "DATA_DIR": str(data), "ANALYTICS_STATE": tenant,
        "ANALYTICS_REPLICA": "r1", "ANALYTICS_PORT": str(port), "ANALYTICS_GRPC_PORT": str(port + 1),
        "LOG_LEVEL": "WARNING", "ANALYTICS_TOPIC": topics["routing"], "ANALYTICS_FEED_TOPIC": "",
    }  # fmt: skip
    return env | {f"ANALYTICS_{kind.upper()}_TOPIC": topics[kind] for kind in ("contact", "agent", "ticket")}


async def start(tenant: str, topics: dict[str, str], data: Path) -> asyncio.subprocess.Process:
    env = environment(tenant, topics, data)
    return await asyncio.create_subprocess_exec(sys.executable, "-m", "analytics", "fold", env=env)


async def test_all_topics_are_folded_published_and_final_whatever_kills_the_worker(lab, tmp_path: Path) -> None:
    """Rule 27 for every fold; rows final in all three ways."""
    tenant, topics = lab
    centre, rng = Centre(tenant), random.Random()
    expected = MemoryStore()
    await centre.once(expected.views)
    outlet = KafkaOutlet(lambda: clients.producer(BOOTSTRAP, "test"))
    produced = asyncio.create_task(_produce(outlet, topics, centre.logs, range(STEPS - 1)))
    for _ in range(KILLS):
        process = await start(tenant, topics, tmp_path)
        await asyncio.sleep(4 + 2 * rng.random())
        process.send_signal(signal.SIGKILL)
        assert await process.wait() == -signal.SIGKILL
    await produced
    process = await start(tenant, topics, tmp_path)
    try:
        await _produce(outlet, topics, centre.logs, [STEPS - 1])  # what nobody else can have read
        total = sum(len(records) for records in centre.logs.values())
        async with asyncio.timeout(60):
            while await _read_up_to(tmp_path, tenant) < total:
                await asyncio.sleep(0.3)
        store = await open_store(StoreSettings("sqlite", str(tmp_path)), "analytics")
        assert await stored(store.views, tenant, tenant) == await stored(expected.views, tenant, "s1")
        await store.close()
        async with asyncio.timeout(30):
            while not _complete(await _published(wire.LEVELS, tenant, ServiceLevelRow)):
                await asyncio.sleep(0.5)
        rows = await _published(wire.AGENT_TIME, tenant, AgentTimeRow)
        handled = sum(row.handled for row in rows.values() if row.day)
        assert (len({row.agent for row in rows.values()}), handled) == (7, CONTACTS - CONTACTS // 5)
        process.terminate()
        assert await asyncio.wait_for(process.wait(), 20) == 0
    finally:
        if process.returncode is None:
            process.kill()
        await outlet.close()


def _complete(rows: dict) -> bool:
    """Every cohort row is final in all ways and the sums are those of the day."""
    cohort = [row for row in rows.values() if row.attribution == ATTRIBUTION_COHORT and row.offered]
    handled = CONTACTS - CONTACTS // 5
    return (
        all(row.verdicts_final and row.final and row.durations_final for row in cohort)
        and sum(row.offered for row in cohort) == CONTACTS == sum(row.started for row in cohort)
        and sum(row.answered for row in cohort) == handled == sum(row.handled for row in cohort)
        and all(row.talk_ms > 0 for row in cohort if row.answered)
    )


async def _produce(outlet: KafkaOutlet, topics: dict[str, str], logs: dict[str, list], steps: Iterable[int]) -> None:
    """All topics at once, over some seconds."""
    for n in steps:
        for kind, records in logs.items():
            part = records[n * len(records) // STEPS : (n + 1) * len(records) // STEPS]
            if part:
                await outlet.send(topics[kind], [Record(record.key, record.value) for record in part])
        await asyncio.sleep(0.15)


async def _read_up_to(data: Path, tenant: str) -> int:
    store = await open_store(StoreSettings("sqlite", str(data)), "analytics")
    try:
        found = await store.views.scan(f"{tenant}_progress", f"analytics-figures-{tenant}")
        return sum(row.version for row in found)
    finally:
        await store.close()


async def _published(topic: str, tenant: str, kind: Any) -> dict:
    """The greatest revision of each of the tenant's rows on a compacted topic."""
    consumer = clients.consumer(BOOTSTRAP, None, [topic])
    await consumer.start()
    found: dict = {}
    try:
        ends = await consumer.end_offsets(consumer.assignment())
        await consumer.seek_to_beginning()
        while any([await consumer.position(partition) < end for partition, end in ends.items()]):
            for records in (await consumer.getmany(timeout_ms=200)).values():
                for record in records:
                    if (record.key or b"").startswith(f"{tenant}/".encode()):
                        row = kind.FromString(record.value)
                        if record.key not in found or found[record.key].revision < row.revision:
                            found[record.key] = row
    finally:
        await consumer.stop()
    return found
