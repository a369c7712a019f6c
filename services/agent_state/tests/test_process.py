"""The whole process over Kafka: what routing and contacts say comes in by topic, what agents do goes out by topic."""

from __future__ import annotations

import asyncio
import json
import os
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import pytest
import websockets
from aiokafka import AIOKafkaConsumer
from google.protobuf.message import Message

from agent_state import wire, wiring
from agent_state.config import Settings
from contactcenter.agent.v1.events_pb2 import AgentEvent
from contactcenter.contact.v1 import events_pb2 as contact_pb
from contactcenter.contact.v1.types_pb2 import CHANNEL_CHAT
from contactcenter.routing.v1 import events_pb2 as routing_pb
from switchlog.bus import clients
from switchlog.envelope import Cause, Codec, StreamId, compose
from switchlog.outlet import KafkaOutlet
from switchlog.store.settings import StoreSettings
from switchlog.testing import TestIssuer, eventually, free_port, own_store
from switchlog.testing import test_settings as settings_for_tests

pytestmark = pytest.mark.kafka

BOOTSTRAP = os.environ.get("KAFKA_BOOTSTRAP", "127.0.0.1:19092")
ANN = {
    "name": "Ann",
    "team": "t1",
    "pool": "front",
    "capacity": [{"channel": "chat", "slots": 2}],
    "wrap_up_s": 1,
}


@dataclass
class Foreign:
    """Somebody else's streams: what they append goes onto their topic as their own service would put it there."""

    tenant: str
    outlet: KafkaOutlet
    versions: dict[str, int] = field(default_factory=dict)

    async def say(self, stream: str, message: Message, topic: str, service: str, repeat: int = 1) -> None:
        version = self.versions.get(stream, 0)
        codec: Codec[Message] = Codec(service, topic, type(message), lambda event: event, lambda event: event)
        cause = Cause(uuid.uuid4().hex, "", service)
        where = StreamId(self.tenant, stream)
        rows = compose(where, version, [(cause, [message])], codec, uuid.uuid4().hex, int(time.time() * 1000))
        self.versions[stream] = version + 1
        for _ in range(repeat):
            await self.outlet.publish(topic, where.key.encode(), rows)

    async def routing(self, repeat: int = 1, **fact: Message) -> None:
        event = routing_pb.RoutingEvent(**fact)
        await self.say("pool-front", event, "routing.events.v1", "routing", repeat)

    async def contact(self, contact: str, **fact: Message) -> None:
        event = contact_pb.ContactEvent(**fact)
        await self.say(f"contact-{contact}", event, "contact.events.v1", "ingress_chat")


@dataclass
class Running:
    """A process of the service, its tenant's admin and agent, and the world around it."""

    tenant: str
    http: httpx2.AsyncClient
    issuer: TestIssuer
    foreign: Foreign
    port: int

    @property
    def ann(self) -> dict[str, str]:
        return self.issuer.bearer("ann", ("agent",), ("t1",))

    async def me(self) -> dict:
        return (await self.http.get("/v1/agents/me", headers=self.ann)).json()

    async def state_is(self, state: str) -> dict:
        async def check() -> dict:
            me = await self.me()
            assert me["state"] == state, me
            return me

        return await eventually(check, within_s=10)

    async def desk(self) -> websockets.ClientConnection:
        ticket = (await self.http.post("/v1/tickets", headers=self.ann)).json()["ticket"]
        return await websockets.connect(f"ws://127.0.0.1:{self.port}/v1/agents/me/ws?ticket={ticket}")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[StoreSettings]:
    with own_store("agent_state", tmp_path) as settings:
        yield settings


@pytest.fixture
async def running(store: StoreSettings) -> AsyncIterator[Running]:
    tenant = f"t{uuid.uuid4().hex[:12]}"
    issuer = TestIssuer(tenant=tenant)
    settings = settings_for_tests(
        "agent_state",
        store=store,
        kafka_bootstrap=BOOTSTRAP,
        http_port=free_port(),
        grpc_port=free_port(),
    )
    stop = asyncio.Event()
    process = asyncio.create_task(wiring.run(Settings(settings), verifier=issuer.verifier, stop=stop))
    outlet = KafkaOutlet(lambda: clients.producer(BOOTSTRAP, "test"))
    base = f"http://127.0.0.1:{settings.http_port}"
    async with httpx2.AsyncClient(base_url=base, trust_env=False) as http:

        async def serves() -> bool:
            assert not process.done(), process.exception()
            try:
                return (await http.get("/readyz")).status_code == 200
            except httpx2.TransportError:
                return False

        await eventually(serves, within_s=20)
        service = Running(tenant, http, issuer, Foreign(tenant, outlet), settings.http_port)
        await http.put("/v1/agents/ann", json=ANN, headers=issuer.bearer("root", ("admin",)))
        for word in ("sign-in", "check-in", "ready"):
            assert (await http.post(f"/v1/agents/me:{word}", headers=service.ann)).status_code == 200
        yield service
    stop.set()
    await asyncio.wait_for(process, 15)
    await outlet.close()


async def frames_until(desk: websockets.ClientConnection, kind: str) -> list[dict]:
    found: list[dict] = []
    async with asyncio.timeout(10):
        while not found or found[-1]["type"] != kind:
            found.append(json.loads(await desk.recv()))
    return found


def offered(offer_id: str, contact: str) -> routing_pb.ContactOffered:
    offer = routing_pb.ContactOffered(
        leg=1, queue="sales", contact=contact, agent="ann", offer_id=offer_id, channel=CHANNEL_CHAT
    )
    offer.expires_at.FromMilliseconds(int(time.time() * 1000) + 15_000)
    return offer


async def test_an_agents_day_comes_in_and_goes_out_by_topic(running: Running) -> None:
    """AG-1 AG-2 RT-2, P1 P2: offered, assigned, talking, wrapping up, ready again by itself."""
    desk = await running.desk()
    snapshot = (await frames_until(desk, "snapshot"))[-1]
    assert snapshot["data"]["state"] == "ready"
    # the reader of pushes begins at the end of the topic: the first offer may be told by the slower reader
    await running.foreign.routing(contact_offered=offered("o0", "c0"))
    await frames_until(desk, "offer")
    began = time.monotonic()
    await running.foreign.routing(contact_offered=offered("o1", "c1"), repeat=2)
    shown = (await frames_until(desk, "offer"))[-1]
    print(f"an offer was seen {1000 * (time.monotonic() - began):.1f} ms after it was sent")
    assert shown["data"]["offer_id"] == "o1"

    accepted = routing_pb.OfferAccepted(agent="ann", offer_id="o1", contact="c1", leg=1)
    assigned = routing_pb.ContactAssigned(
        agent="ann", offer_id="o1", contact="c1", leg=1, queue="sales", channel=CHANNEL_CHAT
    )
    await running.foreign.routing(offer_accepted=accepted)
    await running.foreign.routing(contact_assigned=assigned, repeat=3)
    busy = await running.state_is("busy")
    assert [(one["contact"], one["leg"], one["queue"]) for one in busy["contacts"]] == [("c1", 1, "sales")]

    left = contact_pb.AgentDisconnected(leg=1, queue="sales", agent="ann", channel=CHANNEL_CHAT)
    await running.foreign.contact("c1", agent_disconnected=left)
    await running.state_is("wrap_up")
    back = await running.state_is("ready")
    assert back["contacts"] == []
    told = [frame async for frame in _rest(desk)]
    changes = [frame["data"]["state"] for frame in told if frame["type"] == "contact"]
    assert changes == ["assigned", "wrap_up", "ended"]

    facts = await published(running.tenant, back["version"])
    assert [meta.version for meta, _ in facts] == list(range(1, back["version"] + 1))
    assert [kind for _, kind in facts[-4:]] == ["work_started", "work_ended", "wrap_up_started", "wrap_up_ended"]
    await desk.close()


async def test_a_missed_offer_makes_the_agent_not_ready(running: Running) -> None:
    """RT-2"""
    expired = routing_pb.OfferExpired(agent="ann", offer_id="o1", contact="c1", leg=1, not_ready=True)
    await running.foreign.routing(offer_expired=expired)
    assert (await running.state_is("not_ready"))["reason"] == "no_answer"


async def test_the_roster_and_the_stored_offers_follow(running: Running) -> None:
    """A socket that opens late sees the offer; a supervisor sees the state."""
    await running.foreign.routing(contact_offered=offered("o1", "c1"))

    async def stands() -> bool:
        async with await running.desk() as desk:
            return [one["offer_id"] for one in json.loads(await desk.recv())["data"]["offers"]] == ["o1"]

    await eventually(stands, within_s=10)
    lea = running.issuer.bearer("lea", ("supervisor",), ("t1",))

    async def listed() -> bool:
        agents = (await running.http.get("/v1/agents", headers=lea)).json()["agents"]
        return [(agent["agent"], agent["state"]) for agent in agents] == [("ann", "ready")]

    await eventually(listed, within_s=10)


async def _rest(desk: websockets.ClientConnection) -> AsyncIterator[dict]:
    while True:
        try:
            yield json.loads(await asyncio.wait_for(desk.recv(), 1.0))
        except TimeoutError:
            return


async def published(tenant: str, count: int) -> list[tuple]:
    """The first ``count`` facts of Ann on the topic, repeats dropped."""
    consumer: AIOKafkaConsumer = clients.consumer(BOOTSTRAP, None, [wire.TOPIC])
    await consumer.start()
    found: dict[int, tuple] = {}
    try:
        async with asyncio.timeout(15):
            while len(found) < count:
                for records in (await consumer.getmany(timeout_ms=200)).values():
                    for record in records:
                        if record.key == f"{tenant}/agent-ann".encode():
                            event = AgentEvent.FromString(record.value)
                            found.setdefault(event.meta.version, (event.meta, event.WhichOneof("fact")))
    finally:
        await consumer.stop()
    return [found[version] for version in sorted(found)]
