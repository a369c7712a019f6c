"""The whole process over Kafka: a visitor's page and an agent outside, customers and routing beside it."""

from __future__ import annotations

import asyncio
import json
import os
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
import websockets
from aiokafka import AIOKafkaConsumer
from google.protobuf.message import Message

from contactcenter.contact.v1.events_pb2 import ContactEvent
from contactcenter.customer.v1 import service_pb2 as customers
from contactcenter.customer.v1.service_pb2_grpc import (
    CustomerServiceServicer,
    add_CustomerServiceServicer_to_server,
)
from contactcenter.routing.v1 import events_pb2 as routing_pb
from contactcenter.routing.v1.config_pb2 import QueueConfigRow
from ingress_chat import wire, wiring
from ingress_chat.config import Settings
from switchlog.auth.verifier import StaticKeys, Trust
from switchlog.bus import clients
from switchlog.envelope import Cause, Codec, StreamId, compose
from switchlog.outlet import KafkaOutlet, Record
from switchlog.rpc import create_server
from switchlog.store.settings import StoreSettings
from switchlog.testing import TestIssuer, eventually, free_port, own_store
from switchlog.testing import test_settings as settings_for_tests

pytestmark = pytest.mark.kafka

BOOTSTRAP = os.environ.get("KAFKA_BOOTSTRAP", "127.0.0.1:19092")


class Customers(CustomerServiceServicer):  # type: ignore[misc]
    """Who owns references and keys, as far as a conversation asks."""

    async def ResolveReference(self, request: customers.ResolveReferenceRequest, context: Any) -> Any:
        return customers.ResolveReferenceResponse(customer_ref=f"cust-{request.context.idempotency_key[:16]}")

    async def GetSubjectKey(self, request: customers.GetSubjectKeyRequest, context: Any) -> Any:
        return customers.GetSubjectKeyResponse(key_id=request.customer_ref, key=b"k" * 32)


@dataclass
class Running:
    tenant: str
    issuer: TestIssuer
    http: httpx2.AsyncClient
    outlet: KafkaOutlet
    port: int
    said: int = 0

    async def queue(self, queue: str, pool: str) -> None:
        row = QueueConfigRow(tenant_id=self.tenant, queue=queue, pool=pool, open=True, revision=1)
        key = f"{self.tenant}/{queue}".encode()
        await self.outlet.send("routing.config.v1", [Record(key, row.SerializeToString(), ())])

    async def routing(self, repeat: int = 1, **fact: Message) -> None:
        codec: Codec[Message] = Codec("routing", "routing.events.v1", routing_pb.RoutingEvent, lambda e: e, lambda e: e)
        stream, cause = StreamId(self.tenant, "pool-front"), Cause(uuid.uuid4().hex, "", "routing")
        event = routing_pb.RoutingEvent(**fact)
        rows = compose(stream, self.said, [(cause, [event])], codec, uuid.uuid4().hex, int(time.time() * 1000))
        self.said += 1
        for _ in range(repeat):
            await self.outlet.publish("routing.events.v1", stream.key.encode(), rows)

    async def socket(self, token: str, path: str = "/v1/ws") -> websockets.ClientConnection:
        headers = {"authorization": f"Bearer {token}"}
        ticket = (await self.http.post("/v1/tickets", headers=headers)).json()["ticket"]
        return await websockets.connect(f"ws://127.0.0.1:{self.port}{path}?ticket={ticket}")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[StoreSettings]:
    with own_store("ingress_chat", tmp_path) as settings:
        yield settings


@pytest.fixture
async def running(store: StoreSettings, tmp_path: Path) -> AsyncIterator[Running]:
    tenant, port, owner = f"t{uuid.uuid4().hex[:12]}", free_port(), free_port()
    issuer, stop = TestIssuer(tenant=tenant), asyncio.Event()
    beside = create_server(
        [(add_CustomerServiceServicer_to_server, Customers())],
        issuer.verifier,
        settings_for_tests("customers", grpc_port=owner),
    )
    await beside.start()
    token = tmp_path / "token"
    token.write_text(issuer.issue("ingress_chat", ("service",)))
    kernel = settings_for_tests(
        "ingress_chat",
        store=store,
        http_port=port,
        grpc_port=free_port(),
        kafka_bootstrap=BOOTSTRAP,
        service_token_file=str(token),
        owners={"customers": f"127.0.0.1:{owner}"},
    )
    told = Settings(kernel, "r1", tmp_path / "visitors.pem", "http://visitors.test", (tmp_path / "objects").as_uri())
    trust = Trust(issuer.signer.issuer, StaticKeys([issuer.signer.key]))
    process = asyncio.create_task(wiring.run(told, trust=trust, stop=stop))
    outlet = KafkaOutlet(lambda: clients.producer(BOOTSTRAP, "testing"))
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=10) as http:
        await eventually(lambda: _ready(http, process), within_s=30)
        yield Running(tenant, issuer, http, outlet, port)
    stop.set()
    await process
    await outlet.close()
    await beside.stop(None)


async def _ready(http: httpx2.AsyncClient, process: asyncio.Task[None]) -> bool:
    if process.done():
        process.result()
    try:
        answered = await http.get("/readyz")
        return answered.status_code == 200
    except httpx2.TransportError:
        return False


async def until(client: websockets.ClientConnection, **wanted: Any) -> dict[str, Any]:
    """The first frame whose members or data are as ``wanted``."""
    async with asyncio.timeout(20):
        while True:
            frame = json.loads(await client.recv())
            if wanted.items() <= (frame | frame.get("data", {})).items():
                return frame  # type: ignore[no-any-return]


async def published(contact: str, tenant: str, count: int) -> list[ContactEvent]:
    """The first ``count`` facts of ``contact`` on the topic, repeats dropped."""
    consumer: AIOKafkaConsumer = clients.consumer(BOOTSTRAP, None, [wire.TOPIC])
    await consumer.start()
    found: dict[int, ContactEvent] = {}
    try:
        async with asyncio.timeout(30):
            while len(found) < count:
                for records in (await consumer.getmany(timeout_ms=200)).values():
                    for record in records:
                        if record.key == f"{tenant}/contact-{contact}".encode():
                            event = ContactEvent.FromString(record.value)
                            found.setdefault(event.meta.version, event)
    finally:
        await consumer.stop()
    return [found[version] for version in sorted(found)]


async def test_a_conversation_from_the_first_word_to_the_end(running: Running) -> None:
    """CH-1, CH-6"""
    admin, ann = running.issuer.bearer("root", ("admin",)), running.issuer.bearer("ann", ("agent",))
    door = {"site_key": f"site-{running.tenant}", "queue": "sales"}
    assert (await running.http.put("/v1/entry-points/web", json=door, headers=admin)).status_code == 200
    await running.queue("sales", "front")
    told = (await running.http.post("/v1/visitors", json={"site_key": door["site_key"]})).json()
    contact = told["contact_id"]
    visitor, desk = await running.socket(told["token"]), None

    hello = json.dumps({"type": "message", "id": "m1", "data": {"text": "你好"}})
    for _ in range(50):  # the queue's row is on its way
        began = time.monotonic()
        await visitor.send(hello)
        answer = await until(visitor, id="m1")
        if answer["type"] != "error":
            break
        await asyncio.sleep(0.1)
    print(f"the first message was acknowledged after {1000 * (time.monotonic() - began):.1f} ms")
    await until(visitor, state="waiting")
    desk = await running.socket(running.issuer.issue("ann", ("agent",)), "/v1/agents/me/ws")

    given = routing_pb.ContactAssigned(contact=contact, leg=1, queue="sales", agent="ann", team="t1", offer_id="o1")
    await running.routing(contact_assigned=given, repeat=2)
    await until(visitor, state="connected", agent="ann")
    await until(desk, type="message", text="你好")
    path = f"/v1/contacts/{contact}"
    for _ in range(2):
        reply = {"message_id": "a1", "text": "how can I help?"}
        sent = await running.http.post(f"{path}/messages", json=reply, headers=ann | {"idempotency-key": "k"})
        assert sent.json()["version"] == 5
    await until(visitor, text="how can I help?")
    await until(desk, text="how can I help?")

    await visitor.close()
    visitor = await running.socket(told["token"])
    await visitor.send(json.dumps({"type": "resume", "id": "r", "data": {"after_seq": 4}}))
    assert (await until(visitor, type="message"))["seq"] == 5
    assert (await running.http.post(f"{path}:end", headers=ann)).json()["version"] == 7
    await until(visitor, state="ended")

    facts = await published(contact, running.tenant, 7)
    assert [fact.WhichOneof("fact") for fact in facts] == [
        "contact_started",
        "message_received",
        "contact_queued",
        "agent_connected",
        "message_sent",
        "agent_disconnected",
        "contact_ended",
    ]
    assert not any("你好".encode() in fact.SerializeToString() for fact in facts)
    await visitor.close()
    await desk.close()
