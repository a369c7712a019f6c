"""The whole process over Kafka: contacts and agents come in by topic, offers and answers go out."""

from __future__ import annotations

import asyncio
import os
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from zoneinfo import ZoneInfo

import httpx2
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from google.protobuf.message import Message

from contactcenter.agent.v1 import events_pb2 as agent_pb
from contactcenter.contact.v1 import events_pb2 as contact_pb
from contactcenter.contact.v1.types_pb2 import CHANNEL_CHAT
from contactcenter.routing.v1 import events_pb2 as pb
from contactcenter.routing.v1 import service_pb2 as api
from contactcenter.routing.v1.config_pb2 import QueueConfigRow
from contactcenter.routing.v1.service_pb2_grpc import RoutingServiceStub
from routing import wire, wiring
from routing.adapters import inbox
from routing.bus import consumers
from routing.bus import inbox as seats
from routing.config import Settings
from switchlog import rpc
from switchlog.bus import clients
from switchlog.envelope import Cause, Codec, StreamId, compose
from switchlog.errors import Forbidden, NotFound, Rejected
from switchlog.outlet import KafkaOutlet
from switchlog.store.settings import StoreSettings
from switchlog.testing import TestIssuer, eventually, free_port, own_store
from switchlog.testing import test_settings as settings_for_tests

pytestmark = pytest.mark.kafka

BOOTSTRAP = os.environ.get("KAFKA_BOOTSTRAP", "127.0.0.1:19092")
UTC = ZoneInfo("UTC")


def busy() -> float:
    """How many times too much this machine has to do: limits in seconds are meant for one that keeps up."""
    return max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


@dataclass
class World:
    """Contacts and agents of one tenant, as ingress and agent_state would publish them."""

    tenant: str
    outlet: KafkaOutlet
    versions: dict[str, int] = field(default_factory=dict)

    async def say(self, stream: str, message: Message, topic: str, service: str) -> int:
        version = self.versions.get(stream, 0)
        codec: Codec[Message] = Codec(service, topic, type(message), lambda event: event, lambda event: event)
        where, now = StreamId(self.tenant, stream), int(time.time() * 1000)
        cause = Cause(uuid.uuid4().hex, "", service)
        rows = compose(where, version, [(cause, [message])], codec, uuid.uuid4().hex, now)
        self.versions[stream] = version + 1
        await self.outlet.publish(topic, where.key.encode(), rows)
        return now

    async def contact(self, id: str, **fact: Message) -> int:
        return await self.say(f"contact-{id}", contact_pb.ContactEvent(**fact), "contact.events.v1", "ingress_chat")

    async def agent(self, id: str, **fact: Message) -> int:
        return await self.say(f"agent-{id}", agent_pb.AgentEvent(**fact), "agent.events.v1", "agent_state")

    async def queued(self, id: str) -> int:
        fact = contact_pb.ContactQueued(leg=1, queue="sales", pool="front", channel=CHANNEL_CHAT)
        return await self.contact(id, contact_queued=fact)

    async def staffed(self, id: str, slots: int = 1) -> None:
        standing = agent_pb.AgentStanding(state=agent_pb.AGENT_STATE_READY, takes_offers=True)
        standing.capacities.add(channel=CHANNEL_CHAT, slots=slots)
        await self.agent(id, joined_pool=agent_pb.JoinedPool(agent=id, pool="front", team="t1", standing=standing))

    async def over(self, id: str, contact: str) -> None:
        ended = agent_pb.WorkEnded(agent=id, pool="front", contact=contact, leg=1, queue="sales", channel=CHANNEL_CHAT)
        await self.agent(id, work_ended=ended)


@dataclass
class Running:
    tenant: str
    http: httpx2.AsyncClient
    issuer: TestIssuer
    world: World
    settings: Settings
    stop: asyncio.Event

    def bearer(self, who: str, role: str = "agent") -> dict[str, str]:
        return self.issuer.bearer(who, (role,))

    async def offers(self, agent: str) -> list[dict]:
        return (await self.http.get("/v1/offers", headers=self.bearer(agent))).json()["offers"]

    async def an_offer(self, agent: str, within_s: float = 10) -> dict:
        found = await eventually(lambda: self.offers(agent), within_s=within_s)
        return found[0]

    async def state(self) -> dict:
        return (await self.http.get("/v1/pools/front/state", headers=self.bearer("root", "admin"))).json()

    async def accept(self, offer: dict, agent: str, **headers: str) -> httpx2.Response:
        path = f"/v1/offers/{offer['offer_id']}:accept"
        return await self.http.post(path, headers=self.bearer(agent) | headers)

    async def define(self, **body: object) -> httpx2.Response:
        body = {"pool": "front", "offer_timeout_s": 20} | body
        return await self.http.put("/v1/queues/sales", json=body, headers=self.bearer("root", "admin"))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[StoreSettings]:
    with own_store("routing", tmp_path) as settings:
        yield settings


def settings_of(store: StoreSettings, owner: str, bootstrap: str) -> Settings:
    kernel = settings_for_tests(
        "routing", store=store, kafka_bootstrap=bootstrap, http_port=free_port(), grpc_port=free_port()
    )
    return Settings(kernel, UTC, owner)


@pytest.fixture
async def running(store: StoreSettings) -> AsyncIterator[Running]:
    async with started(store, BOOTSTRAP) as service:
        yield service


READ = {
    consumers.GROUP_FORWARD: (inbox.CONTACTS, inbox.AGENTS, wire.TOPIC),
    consumers.GROUP_PROJECT: (wire.TOPIC,),
    consumers.GROUP_CONFIG: (wire.TOPIC,),
    seats.GROUP: (inbox.TOPIC,),
}


async def pass_over(bootstrap: str) -> None:
    """What others left on the broker is not this store's: streams that it would come to in the middle look forged."""
    admin = clients.admin(bootstrap)
    await admin.start()
    known = {topic["topic"]: len(topic["partitions"]) for topic in await admin.describe_topics()}
    await admin.close()
    for group, topics in READ.items():
        client = clients.consumer(bootstrap, group)
        await client.start()
        try:
            all_of = [TopicPartition(topic, n) for topic in topics for n in range(known.get(topic, 0))]
            client.assign(all_of)

            async def passed(client: AIOKafkaConsumer = client, all_of: list[TopicPartition] = all_of) -> bool:
                try:
                    await client.commit(await client.end_offsets(all_of))
                except KafkaError:  # a member that was killed is not forgotten yet
                    return False
                return True

            await eventually(passed, within_s=15, every_s=0.3)
        finally:
            await client.stop()


@asynccontextmanager
async def started(store: StoreSettings, bootstrap: str) -> AsyncIterator[Running]:
    """A process with the queue ``sales`` in the pool ``front``."""
    await pass_over(bootstrap)
    tenant = f"t{uuid.uuid4().hex[:12]}"
    issuer, stop = TestIssuer(tenant=tenant), asyncio.Event()
    settings = settings_of(store, "o1", bootstrap)
    process = asyncio.create_task(wiring.run(settings, verifier=issuer.verifier, stop=stop))
    outlet = KafkaOutlet(lambda: clients.producer(bootstrap, "test"))
    base = f"http://127.0.0.1:{settings.kernel.http_port}"
    async with httpx2.AsyncClient(base_url=base, trust_env=False, timeout=15) as http:

        async def serves() -> bool:
            assert not process.done(), process.exception()
            try:
                return (await http.get("/readyz")).status_code == 200
            except httpx2.TransportError:
                return False

        await eventually(serves, within_s=20)
        service = Running(tenant, http, issuer, World(tenant, outlet), settings, stop)
        defined = await service.define()
        assert defined.status_code == 200, defined.text
        yield service
    began = time.monotonic()
    stop.set()
    await asyncio.wait_for(process, 15)
    assert time.monotonic() - began < 10
    await outlet.close()


async def facts(tenant: str, upto: int) -> list[pb.RoutingEvent]:
    """What the topic holds of the tenant's pool, in order, until version ``upto`` is there."""
    consumer = AIOKafkaConsumer(bootstrap_servers=BOOTSTRAP, auto_offset_reset="earliest")
    await consumer.start()
    found: list[pb.RoutingEvent] = []
    try:
        consumer.subscribe(["routing.events.v1"])
        async with asyncio.timeout(20):
            async for record in consumer:
                if record.key == f"{tenant}/pool-front".encode():
                    found.append(pb.RoutingEvent.FromString(record.value))
                    if found[-1].meta.version >= upto:
                        return found
    finally:
        await consumer.stop()
    return found


async def test_a_contact_is_offered_accepted_answered_and_its_place_given_back(running: Running) -> None:
    """RT-1 RT-2 CH-2, rule 23, rule 24, P1 P2: from queued to released, all by topic and API."""
    world = running.world
    await world.staffed("ann")
    await world.queued("c1")
    offer = await running.an_offer("ann")
    assert (offer["contact"], offer["queue"], offer["pool"]) == ("c1", "sales", "front")

    assert (await running.accept(offer, "bob")).status_code == 409
    other = running.issuer.bearer("ann", ("agent",), tenant="another")
    path = f"/v1/offers/{offer['offer_id']}:accept"
    foreign, unknown = await running.http.post(path, headers=other), await running.accept({"offer_id": "x1"}, "ann")
    assert foreign.status_code == unknown.status_code == 404
    accepted = await running.accept(offer, "ann", **{"idempotency-key": "k1"})
    assert accepted.status_code == 200, accepted.text
    assert accepted.json()["stream"] == "pool-front"
    again = await running.accept(offer, "ann", **{"idempotency-key": "k1"})
    assert again.json() == accepted.json()
    old = await running.accept(offer, "ann")
    assert (old.status_code, old.json()["reason"]) == (409, "OFFER_NOT_OPEN")

    connected = contact_pb.AgentConnected(leg=1, queue="sales", pool="front", agent="ann", team="t1")
    await world.contact("c1", agent_connected=connected)
    await world.queued("c2")
    await world.over("ann", "c1")
    assert (await running.an_offer("ann"))["contact"] == "c2"

    state = await running.state()
    history = await facts(running.tenant, state["version"])
    assert [event.meta.version for event in history] == list(range(1, state["version"] + 1))
    kinds = [event.WhichOneof("fact") for event in history]
    assert kinds[:4] == ["pool_taken", "pool_day_started", "pool_carried", "pool_opened"]
    answered = next(event for event in history if event.WhichOneof("fact") == "contact_dequeued")
    assert answered.contact_dequeued.outcome == pb.DEQUEUE_OUTCOME_ANSWERED
    assert answered.meta.correlation_id == "contact-c1"
    offered = next(event for event in history if event.WhichOneof("fact") == "contact_offered")
    cause = history[offered.contact_offered.explanation.cause_version - 1]
    assert cause.contact_observed.source_stream == f"{running.tenant}/contact-c1"


async def test_an_offer_that_nobody_answers_expires_in_time(running: Running) -> None:
    """RT-2, trust I4: within its timeout + 2 s, and the contact goes to the next agent."""
    assert (await running.define(offer_timeout_s=1)).status_code == 200
    await running.world.staffed("ann")
    await running.world.queued("c1")
    await running.an_offer("ann")
    await running.world.staffed("bob")
    began = time.monotonic()
    second = await running.an_offer("bob")
    assert second["contact"] == "c1"
    assert time.monotonic() - began < 3 * busy()
    assert await eventually(lambda: _empty(running.offers("ann")))


async def _empty(call: object) -> bool:
    return await call == []  # type: ignore[misc]


async def test_a_queue_is_published_for_those_who_fill_in_its_pool(running: Running) -> None:
    """Configuration: PUT /v1/queues -> QueueDefined -> routing.config.v1."""
    await running.define(name="Sales 销售", required_skills=[{"skill": "en", "min_level": 2}])
    shown = await running.http.get("/v1/queues/sales", headers=running.bearer("ann"))
    assert await eventually(lambda: _named(running))
    assert (await running.http.get("/v1/queues/none", headers=running.bearer("ann"))).status_code == 404
    moved = await running.define(pool="back")
    assert (moved.status_code, moved.json()["reason"]) == (409, "QUEUE_IN_ANOTHER_POOL")
    assert shown.status_code == 200
    row = await config_row(running.tenant)
    assert (row.queue, row.pool, row.open, row.definition.required_skills[0].skill) == ("sales", "front", True, "en")


async def _named(running: Running) -> bool:
    shown = await running.http.get("/v1/queues/sales", headers=running.bearer("ann"))
    return shown.json()["name"] == "Sales 销售"


async def config_row(tenant: str) -> QueueConfigRow:
    consumer = AIOKafkaConsumer(bootstrap_servers=BOOTSTRAP, auto_offset_reset="earliest")
    await consumer.start()
    try:
        consumer.subscribe(["routing.config.v1"])
        async with asyncio.timeout(20):
            async for record in consumer:
                row = QueueConfigRow.FromString(record.value)
                if record.key == f"{tenant}/sales".encode() and row.name:
                    return row
    finally:
        await consumer.stop()
    raise AssertionError


async def test_what_http_does_grpc_does_too(running: Running) -> None:
    """PL-2: accept, decline, look; errors by the same table."""
    ann = Tokens(running.issuer, "ann", "agent")
    async with channel(running, ann) as stub, channel(running, Tokens(running.issuer, "root", "admin")) as admin:
        await running.world.staffed("ann", slots=2)
        await running.world.queued("c1")
        await running.world.queued("c2")
        await eventually(lambda: _two(running))
        first, second = await running.offers("ann")
        done = await stub.AcceptOffer(api.AcceptOfferRequest(offer_id=first["offer_id"]))
        assert done.answer.stream == "pool-front"
        await stub.DeclineOffer(api.DeclineOfferRequest(offer_id=second["offer_id"], reason="busy"))
        with pytest.raises(Rejected, match="OFFER_NOT_OPEN"):
            await stub.AcceptOffer(api.AcceptOfferRequest(offer_id=first["offer_id"]))
        with pytest.raises(NotFound):
            await stub.GetOffer(api.GetOfferRequest(offer_id="nobodys"))
        with pytest.raises(Forbidden):
            await stub.ChoosePolicy(api.ChoosePolicyRequest(pool="front", policy="longest-idle@1"))
        with pytest.raises(Rejected, match="UNKNOWN_POLICY"):
            await admin.ChoosePolicy(api.ChoosePolicyRequest(pool="front", policy="coin-toss@1"))
        listed = await admin.ListQueues(api.ListQueuesRequest(pool="front"))
        assert [(one.queue, one.assigned, one.waiting) for one in listed.queues] == [("sales", 1, 1)]

        async def declined() -> bool:
            shown = await stub.GetOffer(api.GetOfferRequest(offer_id=second["offer_id"]))
            return shown.offer.state == "declined"

        await eventually(declined)


@dataclass(frozen=True)
class Tokens:
    issuer: TestIssuer
    subject: str
    role: str

    async def token(self) -> str:
        return self.issuer.issue(self.subject, (self.role,))


@asynccontextmanager
async def channel(running: Running, tokens: Tokens) -> AsyncIterator[RoutingServiceStub]:
    address = f"127.0.0.1:{running.settings.kernel.grpc_port}"
    made = rpc.channel(address, tokens, settings=running.settings.kernel)
    yield RoutingServiceStub(made)
    await made.close()


async def _two(running: Running) -> bool:
    return len(await running.offers("ann")) == 2


async def test_from_queued_to_offered_takes_milliseconds(running: Running) -> None:
    """The goal is a median of 20 ms on an idle machine; here only that nothing polls or sleeps on the way."""
    await running.world.staffed("ann", slots=60)
    await eventually(lambda: _agents(running))
    queued: dict[str, int] = {}
    for n in range(50):
        queued[f"c{n}"] = await running.world.queued(f"c{n}")
        await asyncio.sleep(0.02)
    await eventually(lambda: _offered(running, 50), within_s=20)
    state = await running.state()
    offered = {
        event.contact_offered.contact: event.meta.recorded_at.ToMilliseconds()
        for event in await facts(running.tenant, state["version"])
        if event.WhichOneof("fact") == "contact_offered"
    }
    waits = sorted(offered[contact] - at for contact, at in queued.items())
    print(f"queued to offered: p50 {median(waits)} ms, p90 {waits[45]} ms, max {waits[-1]} ms")
    assert median(waits) < 100 * busy()


async def _agents(running: Running) -> bool:
    return bool((await running.state())["agents"])


async def _offered(running: Running, count: int) -> bool:
    return len((await running.state())["offers"]) == count
