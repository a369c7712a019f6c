"""A pool through Kafka and a store: events a second by group commit; how soon a contact, and a freed agent, is served.

Contacts and agents come as their services publish them; those services do not run. Every queue has one agent, for whom
offers are accepted by rule, so what follows a contact is known beforehand.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from uuid import uuid4

from aiokafka import AIOKafkaConsumer

from benchmarks.figures import Figure
from benchmarks.place import Place
from benchmarks.sampling import percentile
from contactcenter.agent.v1 import events_pb2 as agent
from contactcenter.bus.v1.envelope_pb2 import EventMeta
from contactcenter.contact.v1 import events_pb2 as contact
from contactcenter.contact.v1.types_pb2 import CHANNEL_VOICE
from contactcenter.routing.v1.config_pb2 import QueueDefinition
from contactcenter.routing.v1.events_pb2 import RoutingEvent
from contactcenter.routing.v1.inbox_pb2 import DefineQueue, InboxItem, PoolCommand
from contactcenter.topics import create_topics
from switchlog.bus import clients
from switchlog.outlet import KafkaOutlet, Record
from switchlog.store.settings import Kind
from switchlog_local import free_ports

POOL, QUEUES = "front", 200
INBOX, CONTACTS, AGENTS = "routing.inbox.v1", "contact.events.v1", "agent.events.v1"
LIVES = {"sqlite": 10_000, "cassandra": 5_000}
GOALS = {"sqlite": "goal ≥ 8 000/s", "cassandra": "goal ≥ 3 000/s"}
RATES = {"sqlite": (10, 25, 50, 100, 200, 400, 800, 1600), "cassandra": (5, 10, 25, 50, 100, 200, 400, 800)}
STEP_S, SETTLE_S, BACKLOG_S = 8.0, 2.0, 20.0
SLOWEST_P99_MS = 1000.0
FREED, FREED_RATE = 400, 25.0

Fact = contact.ContactEvent | agent.AgentEvent


async def run(place: Place) -> list[Figure]:
    await create_topics(place.kafka.address)
    return [figure for kind in place.stores for figure in await _measure(place, kind)]


async def _measure(place: Place, kind: Kind) -> list[Figure]:
    figures = [await _group_commit(place, kind)]
    async with _bench(place, kind, slots=1_000_000) as one, one.processes("forward", "decide"):
        await one.ready()
        figures += await _offers(one, place)
    async with _bench(place, kind, slots=1) as one, one.processes("forward", "decide"):
        await one.ready()
        return [*figures, *await _freed(one, place.scaled(FREED))]


async def _group_commit(place: Place, kind: Kind) -> Figure:
    """Whole lives that wait in the inbox: queued, offered and taken by rule, connected, over, free again."""
    count, rates = place.scaled(LIVES[kind]), []
    for _ in range(place.rounds(3)):
        async with _bench(place, kind, slots=1) as one:
            await one.set_up()
            for first in range(0, count, QUEUES):
                wave = range(first, min(first + QUEUES, count))
                records = [
                    one.inbox(fact) for step in (one.queued, one.connected, one.over) for fact in map(step, wave)
                ]
                await one.outlet.send(INBOX, records)
            async with one.processes("decide"):
                await one.facts.until("capacity_released", count, within_s=300)
            rates.append(one.facts.rate())
            _say(f"{kind}: {count} lives, {one.facts.count} events, {rates[-1]:.0f} events/s")
    note = f"{GOALS[kind]}; one pool, {QUEUES} queues, one process, facts of whole lives"
    return Figure(f"pool_events_per_second_{kind}", "1/s", rates, note=note)


async def _offers(one: Bench, place: Place) -> list[Figure]:
    """Contacts at rising rates until the offers no longer keep up; nobody is ever busy."""
    figures = []
    await one.contacts_at(RATES[one.kind][0], 3)
    for rate in RATES[one.kind]:
        waits = await one.contacts_at(rate, max(2, place.scaled(STEP_S)))
        p50, p99 = percentile(waits, 0.5), percentile(waits, 0.99)
        _say(f"{one.kind}: {rate} contacts/s: queued to offered p50 {p50:.0f} p99 {p99:.0f} ms")
        figures += [
            Figure(f"queued_to_offered_{name}_{one.kind}_at_{rate}", "ms", [value], lower_is_better=True)
            for name, value in (("p50", p50), ("p99", p99))
        ]
        if p99 > SLOWEST_P99_MS:
            break
    return figures


async def _freed(one: Bench, count: int) -> list[Figure]:
    """Contacts wait behind busy agents, who become free one after another."""
    await one.send(CONTACTS, [one.queued(n) for n in range(count + 2 * QUEUES)])
    await one.facts.until("contact_waiting", count + 2 * QUEUES, within_s=60)
    released: dict[str, int] = {}
    began = time.monotonic()
    for n in range(count):
        await asyncio.sleep(max(0.0, began + n / FREED_RATE - time.monotonic()))
        taken = one.facts.assigned[n]
        fact = one.over_of(*taken)
        released[f"{taken[1]}/{len(one.facts.offers_to[taken[1]])}"] = _ms()
        await one.send(AGENTS, [fact])
    await asyncio.sleep(SETTLE_S)
    waits = []
    for key, at in released.items():
        name, _, had = key.partition("/")
        later = one.facts.offers_to[name][int(had) :]
        waits += [float(later[0] - at)] if later else []
    p50, p99 = percentile(waits, 0.5), percentile(waits, 0.99)
    _say(f"{one.kind}: {len(waits)} of {count} freed agents offered again, p50 {p50:.0f} p99 {p99:.0f} ms")
    what = f"release_to_next_offer_{{}}_{one.kind}"
    return [
        Figure(what.format("p50"), "ms", [p50], lower_is_better=True, note=f"at {FREED_RATE:g} a second"),
        Figure(what.format("p99"), "ms", [p99], lower_is_better=True, note="goal ≤ 150 ms"),
    ]


@dataclass
class Facts:
    """What the pool of ``tenant`` has published; times are ``recorded_at`` in epoch milliseconds."""

    tenant: str
    count: int = 0
    kinds: dict[str, int] = field(default_factory=dict)
    first: int = 0
    last: int = 0
    queued_to_offered: list[float] = field(default_factory=list)
    assigned: list[tuple[str, str]] = field(default_factory=list)
    offers_to: dict[str, list[int]] = field(default_factory=dict)
    waits: bool = True

    def take(self, event: RoutingEvent) -> None:
        kind, at = event.WhichOneof("fact") or "", event.meta.recorded_at.ToMilliseconds()
        self.kinds[kind] = self.kinds.get(kind, 0) + 1
        self.count += 1
        self.last = at
        if kind == "contact_waiting":
            self.first = self.first or at
        elif kind == "contact_offered":
            offered = event.contact_offered
            self.queued_to_offered.append(at - offered.queued_at.ToMilliseconds())
            self.offers_to.setdefault(offered.agent, []).append(at)
        elif kind == "contact_assigned":
            self.assigned.append((event.contact_assigned.contact, event.contact_assigned.agent))

    def rate(self) -> float:
        """Events a second from the first contact's wait to the last fact."""
        return 1000 * self.count / (self.last - self.first)

    async def until(self, kind: str, count: int, within_s: float) -> None:
        async with asyncio.timeout(within_s):
            while self.kinds.get(kind, 0) < count:
                await asyncio.sleep(0.02)

    async def follow(self, bootstrap: str) -> None:
        consumer = AIOKafkaConsumer("routing.events.v1", bootstrap_servers=bootstrap, auto_offset_reset="earliest")
        await consumer.start()
        key = f"{self.tenant}/pool-{POOL}".encode()
        try:
            while True:
                found = await consumer.getmany(timeout_ms=200)
                for record in (record for records in found.values() for record in records):
                    if record.key == key:
                        self.take(RoutingEvent.FromString(record.value))
        finally:
            await consumer.stop()


@dataclass
class Bench:
    """A pool of ``QUEUES`` queues with one agent each, who has ``slots`` places."""

    place: Place
    kind: Kind
    slots: int
    tenant: str
    outlet: KafkaOutlet
    facts: Facts
    versions: dict[str, int] = field(default_factory=dict)
    contacts: int = 0

    # -- what is told --------------------------------------------------------------------------------------------------

    async def set_up(self) -> None:
        """Queues and agents, all in the inbox."""
        await self.outlet.send(INBOX, [self._define(n) for n in range(QUEUES)])
        await self.outlet.send(INBOX, [self.inbox(self._joined(n)) for n in range(QUEUES)])

    async def ready(self) -> None:
        """Queues by command, agents as their own facts: `forward` follows their streams from the first version."""
        await self.outlet.send(INBOX, [self._define(n) for n in range(QUEUES)])
        await self.send(AGENTS, [self._joined(n) for n in range(QUEUES)])
        await self.facts.until("agent_observed", QUEUES, within_s=120)

    async def contacts_at(self, rate: float, seconds: float) -> Sequence[float]:
        """Contacts evenly for ``seconds``; milliseconds from queued to offered of those that were offered."""
        self.facts.queued_to_offered.clear()
        began, first, count = time.monotonic(), self.contacts, int(rate * seconds)
        self.contacts += count
        for n in range(count):
            await asyncio.sleep(max(0.0, began + n / rate - time.monotonic()))
            sent = asyncio.ensure_future(self.send(CONTACTS, [self.queued(first + n)]))
        await sent
        with suppress(TimeoutError):
            async with asyncio.timeout(BACKLOG_S):
                while len(self.facts.queued_to_offered) < count:
                    await asyncio.sleep(0.05)
        late = count - len(self.facts.queued_to_offered)
        return [*self.facts.queued_to_offered, *[BACKLOG_S * 1000] * late]

    def queued(self, n: int) -> contact.ContactEvent:
        fact = contact.ContactQueued(leg=1, queue=f"q{n % QUEUES}", pool=POOL, channel=CHANNEL_VOICE)
        return contact.ContactEvent(meta=self._meta(f"contact-c{n}"), contact_queued=fact)

    def connected(self, n: int) -> contact.ContactEvent:
        where = {"leg": 1, "queue": f"q{n % QUEUES}", "pool": POOL, "agent": f"a{n % QUEUES}"}
        return contact.ContactEvent(meta=self._meta(f"contact-c{n}"), agent_connected=contact.AgentConnected(**where))

    def over(self, n: int) -> agent.AgentEvent:
        return self.over_of(f"c{n}", f"a{n % QUEUES}")

    def over_of(self, contact_id: str, name: str) -> agent.AgentEvent:
        fact = agent.WorkEnded(agent=name, pool=POOL, contact=contact_id, leg=1, channel=CHANNEL_VOICE)
        return agent.AgentEvent(meta=self._meta(f"agent-{name}"), work_ended=fact)

    async def send(self, topic: str, facts: Iterable[Fact]) -> None:
        await self.outlet.send(topic, [_record(fact) for fact in facts])

    def inbox(self, fact: Fact) -> Record:
        meta = fact.meta
        item = InboxItem(tenant_id=self.tenant, pool=POOL, source_version=meta.version)
        item.source_stream = f"{meta.tenant_id}/{meta.stream}"
        if isinstance(fact, contact.ContactEvent):
            item.source_topic = CONTACTS
            item.contact_event.CopyFrom(fact)
        else:
            item.source_topic = AGENTS
            item.agent_event.CopyFrom(fact)
        return self._item(item)

    def _define(self, n: int) -> Record:
        wish = QueueDefinition(queue=f"q{n}", open=True, offer_timeout_ms=60_000, auto_accept=True)
        command = PoolCommand(command_id=uuid4().hex, principal="bench", define_queue=DefineQueue(definition=wish))
        command.expires_at.FromMilliseconds(_ms() + 600_000)
        return self._item(InboxItem(tenant_id=self.tenant, pool=POOL, command=command))

    def _item(self, item: InboxItem) -> Record:
        return Record(f"{self.tenant}/pool-{POOL}".encode(), item.SerializeToString(deterministic=True))

    def _joined(self, n: int) -> agent.AgentEvent:
        standing = agent.AgentStanding(state=agent.AGENT_STATE_READY, takes_offers=True, queues=[f"q{n}"])
        standing.capacities.add(channel=CHANNEL_VOICE, slots=self.slots)
        joined = agent.JoinedPool(agent=f"a{n}", pool=POOL, team="t1", standing=standing)
        return agent.AgentEvent(meta=self._meta(f"agent-a{n}"), joined_pool=joined)

    def _meta(self, stream: str) -> EventMeta:
        version = self.versions[stream] = self.versions.get(stream, 0) + 1
        meta = EventMeta(event_id=uuid4().hex, tenant_id=self.tenant, stream=stream, version=version)
        meta.recorded_at.FromMilliseconds(_ms())
        meta.occurred_at.CopyFrom(meta.recorded_at)
        return meta

    # -- processes -----------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def processes(self, *roles: str) -> AsyncIterator[None]:
        started = [await self._start(role) for role in roles]
        try:
            yield
        finally:
            for process in started:
                if process.returncode is None:
                    process.terminate()
                    await process.wait()

    async def _start(self, role: str) -> asyncio.subprocess.Process:
        http, grpc = free_ports(2)
        data = self.place.root / self.tenant
        data.mkdir(parents=True, exist_ok=True)
        environment = {
            **os.environ,
            "KAFKA_BOOTSTRAP": self.place.kafka.address,
            "STORE": self.kind,
            "DATA_DIR": str(data),
            "CASSANDRA_PORT": str(self.place.cassandra.port),
            "CASSANDRA_KEYSPACE_PREFIX": f"{self.tenant}_",
            "ROUTING_PORT": str(http),
            "ROUTING_GRPC_PORT": str(grpc),
        }
        with open(data / f"{role}.log", "wb") as log:  # noqa: ASYNC230  # once, at the start
            return await asyncio.create_subprocess_exec(
                sys.executable, "-m", "routing", role, env=environment, stdout=log, stderr=log
            )


@asynccontextmanager
async def _bench(place: Place, kind: Kind, slots: int) -> AsyncIterator[Bench]:
    tenant = f"b{uuid4().hex[:8]}"
    outlet, facts = KafkaOutlet(lambda: clients.producer(place.kafka.address, "bench")), Facts(tenant)
    following = asyncio.create_task(facts.follow(place.kafka.address))
    try:
        yield Bench(place, kind, slots, tenant, outlet, facts)
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        await outlet.close()


def _record(fact: Fact) -> Record:
    """As its service publishes it."""
    meta, name = fact.meta, fact.WhichOneof("fact") or ""
    kind = getattr(fact, name).DESCRIPTOR.full_name
    headers = {
        "ce_specversion": "1.0",
        "ce_id": meta.event_id,
        "ce_type": kind,
        "ce_dataschema": fact.DESCRIPTOR.full_name,
        "ce_source": "/switchlog/bench",
        "ce_subject": meta.stream,
        "ce_tenantid": meta.tenant_id,
        "ce_streamversion": str(meta.version),
        "content-type": "application/protobuf",
    }
    value = fact.SerializeToString(deterministic=True)
    key = f"{meta.tenant_id}/{meta.stream}".encode()
    return Record(key, value, tuple((key, value.encode()) for key, value in headers.items()))


def _ms() -> int:
    return int(time.time() * 1000)


def _say(line: str) -> None:
    print(f"bench: {line}", file=sys.stderr, flush=True)
