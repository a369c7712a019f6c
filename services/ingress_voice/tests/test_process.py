"""The whole process over Kafka: a scripted switch brings calls, routing answers by topic."""

from __future__ import annotations

import asyncio
import os
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest
from aiokafka import AIOKafkaConsumer
from google.protobuf.message import Message

from contactcenter.contact.v1.events_pb2 import ContactEvent
from contactcenter.customer.v1 import service_pb2 as customers
from contactcenter.customer.v1.service_pb2_grpc import CustomerServiceServicer
from contactcenter.customer.v1.service_pb2_grpc import add_CustomerServiceServicer_to_server as add_to_server
from contactcenter.routing.v1 import events_pb2 as routing_pb
from contactcenter.routing.v1.config_pb2 import QueueConfigRow
from ingress_voice import wire, wiring
from ingress_voice.config import Settings
from switchlog.bus import clients
from switchlog.envelope import Cause, Codec, StreamId, compose
from switchlog.ids import derived
from switchlog.outlet import KafkaOutlet, Record
from switchlog.rpc import create_server
from switchlog.store.settings import StoreSettings
from switchlog.testing import TestIssuer, eventually, free_port, own_store
from switchlog.testing import test_settings as settings_for_tests

pytestmark = pytest.mark.kafka

KEY = b"k" * 32
BOOTSTRAP = os.environ.get("KAFKA_BOOTSTRAP", "127.0.0.1:19092")


class Customers(CustomerServiceServicer):  # type: ignore[misc]
    """Who owns references and keys, as far as this service asks."""

    async def ResolveReference(self, request: customers.ResolveReferenceRequest, context: Any) -> Any:
        return customers.ResolveReferenceResponse(customer_ref=f"cust-{request.context.idempotency_key[:16]}")

    async def GetSubjectKey(self, request: customers.GetSubjectKeyRequest, context: Any) -> Any:
        return customers.GetSubjectKeyResponse(key_id=request.customer_ref, key=KEY)


@dataclass
class Running:
    tenant: str
    issuer: TestIssuer
    http: httpx2.AsyncClient
    outlet: KafkaOutlet
    said: dict[str, int] = field(default_factory=dict)

    async def tell(self, stream: str, topic: str, service: str, event: Message, repeat: int = 1) -> None:
        """A fact of somebody else's stream, as its owner would publish it."""
        where, version = StreamId(self.tenant, stream), self.said.get(stream, 0)
        codec: Codec[Message] = Codec(service, topic, type(event), lambda one: one, lambda one: one)
        cause = Cause(uuid.uuid4().hex, "", service)
        rows = compose(where, version, [(cause, [event])], codec, uuid.uuid4().hex, int(time.time() * 1000))
        self.said[stream] = version + 1
        for _ in range(repeat):
            await self.outlet.publish(topic, where.key.encode(), rows)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[StoreSettings]:
    with own_store("ingress_voice", tmp_path) as settings:
        yield settings


@pytest.fixture
async def running(store: StoreSettings, tmp_path: Path) -> AsyncIterator[Running]:
    tenant, port, owner = f"t{uuid.uuid4().hex[:12]}", free_port(), free_port()
    issuer, stop, token = TestIssuer(tenant=tenant), asyncio.Event(), tmp_path / "token"
    token.write_text(issuer.issue("ingress_voice", ("service",)))
    servicer, beside_settings = (add_to_server, Customers()), settings_for_tests("customers", grpc_port=owner)
    beside = create_server([servicer], issuer.verifier, beside_settings)
    await beside.start()
    kernel = settings_for_tests(
        "ingress_voice",
        store=store,
        http_port=port,
        grpc_port=free_port(),
        kafka_bootstrap=BOOTSTRAP,
        service_token_file=str(token),
        owners={"customers": f"127.0.0.1:{owner}"},
    )
    script = tmp_path / "calls.jsonl"
    script.write_text('{"at_s": 3, "do": "arrive", "call": "c1", "called": "4001", "caller": "+86139", "trunk": "t"}')
    told = Settings(kernel, script)
    process = asyncio.create_task(wiring.run(told, verifier=issuer.verifier, stop=stop))
    outlet = KafkaOutlet(lambda: clients.producer(BOOTSTRAP, "testing"))
    try:
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=10) as http:
            await eventually(lambda: _ready(http, process), within_s=30)
            yield Running(tenant, issuer, http, outlet)
    finally:
        stop.set()
        await process
        await outlet.close()
        await beside.stop(None)


async def _ready(http: httpx2.AsyncClient, process: asyncio.Task[None]) -> bool:
    if process.done():
        process.result()
    try:
        return (await http.get("/readyz")).status_code == 200
    except httpx2.TransportError:
        return False


async def published(topic: str, key: str, message: Any, count: int) -> list[str | None]:
    """The kinds of the first ``count`` facts of a stream on its topic, repeats dropped; ``key`` may be a beginning."""
    consumer: AIOKafkaConsumer = clients.consumer(BOOTSTRAP, None, [topic])
    await consumer.start()
    found: dict[int, str | None] = {}
    try:
        async with asyncio.timeout(30):
            while len(found) < count:
                for records in (await consumer.getmany(timeout_ms=200)).values():
                    for record in records:
                        if record.key.decode().startswith(key):
                            event = message.FromString(record.value)
                            found.setdefault(event.meta.version, event.WhichOneof("fact"))
    finally:
        await consumer.stop()
    return [found[version] for version in sorted(found)]


async def test_a_call_from_the_ring_to_the_end(running: Running) -> None:
    """CH-1, VO-1"""
    admin, ann = running.issuer.bearer("root", ("admin",)), running.issuer.bearer("ann", ("agent",))
    row = QueueConfigRow(tenant_id=running.tenant, queue="sales", pool="front", open=True, revision=1)
    key = f"{running.tenant}/sales".encode()
    await running.outlet.send("routing.config.v1", [Record(key, row.SerializeToString(), ())])
    door = {"called": "4001", "queue": "sales"}
    assert (await running.http.put("/v1/entry-points/hotline", json=door, headers=admin)).status_code == 200
    contact = derived(running.tenant, "call", "c1")

    async def is_in(state: str) -> bool:
        answered = await running.http.get(f"/v1/contacts/{contact}", headers=ann)
        return answered.status_code == 200 and answered.json()["state"] == state

    await eventually(lambda: is_in("waiting"), within_s=20)
    given = routing_pb.ContactAssigned(contact=contact, leg=1, queue="sales", agent="ann", team="t1", offer_id="o1")
    event = routing_pb.RoutingEvent(contact_assigned=given)
    await running.tell("pool-front", "routing.events.v1", "routing", event, repeat=2)
    await eventually(lambda: is_in("talking"), within_s=20)
    assert (await running.http.post(f"/v1/contacts/{contact}:hold", headers=ann)).status_code == 200
    assert (await running.http.post(f"/v1/contacts/{contact}:end", headers=ann)).status_code == 200
    await eventually(lambda: is_in("ended"), within_s=20)
    kinds = await published(wire.TOPIC, f"{running.tenant}/contact-{contact}", ContactEvent, 10)
    assert kinds == [
        "contact_started",
        "trunk_seized",
        "system_connected",
        "contact_queued",
        "agent_connected",
        "contact_held",
        "agent_disconnected",
        "customer_disconnected",
        "trunk_released",
        "contact_ended",
    ]
