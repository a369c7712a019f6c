"""The whole process over Kafka: contacts come in by topic, tickets by HTTP go out."""

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

from contactcenter.contact.v1 import events_pb2 as contact_pb
from contactcenter.customer.v1 import service_pb2 as customers
from contactcenter.customer.v1.service_pb2_grpc import CustomerServiceServicer
from contactcenter.customer.v1.service_pb2_grpc import add_CustomerServiceServicer_to_server as add_to_server
from contactcenter.ticket.v1.events_pb2 import TicketEvent
from switchlog.bus import clients
from switchlog.envelope import Cause, Codec, StreamId, compose
from switchlog.outlet import KafkaOutlet
from switchlog.rpc import create_server
from switchlog.store.settings import StoreSettings
from switchlog.testing import TestIssuer, eventually, free_port, own_store
from switchlog.testing import test_settings as settings_for_tests
from ticketing import wire, wiring
from ticketing.config import Settings

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
    with own_store("ticketing", tmp_path) as settings:
        yield settings


@pytest.fixture
async def running(store: StoreSettings, tmp_path: Path) -> AsyncIterator[Running]:
    tenant, port, owner = f"t{uuid.uuid4().hex[:12]}", free_port(), free_port()
    issuer, stop, token = TestIssuer(tenant=tenant), asyncio.Event(), tmp_path / "token"
    token.write_text(issuer.issue("ticketing", ("service",)))
    servicer, beside_settings = (add_to_server, Customers()), settings_for_tests("customers", grpc_port=owner)
    beside = create_server([servicer], issuer.verifier, beside_settings)
    await beside.start()
    kernel = settings_for_tests(
        "ticketing",
        store=store,
        http_port=port,
        grpc_port=free_port(),
        kafka_bootstrap=BOOTSTRAP,
        service_token_file=str(token),
        owners={"customers": f"127.0.0.1:{owner}"},
    )
    told = Settings(kernel)
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


async def test_a_ticket_from_a_contact_to_its_end(running: Running) -> None:
    """TK-1"""
    for fact in (
        contact_pb.ContactEvent(contact_started=contact_pb.ContactStarted(customer_ref="cust-1")),
        contact_pb.ContactEvent(contact_queued=contact_pb.ContactQueued(leg=1, queue="sales")),
        contact_pb.ContactEvent(agent_connected=contact_pb.AgentConnected(leg=1, agent="ann")),
    ):
        await running.tell("contact-c1", "contact.events.v1", "ingress_chat", fact, repeat=2)
    ann = running.issuer.bearer("ann", ("agent",))
    ticket = {"subject": "no dial tone", "contact": "c1"}

    async def opened() -> str:
        answered = await running.http.post("/v1/tickets", json=ticket, headers=ann | {"idempotency-key": "k1"})
        return str(answered.json()["stream"]) if answered.status_code == 200 else ""

    stream = str(await eventually(opened, within_s=20))
    assert await opened() == stream
    path = f"/v1/tickets/{stream.removeprefix('ticket-')}"
    for n, status in enumerate(("in_progress", "resolved"), 2):
        moved = await running.http.post(f"{path}:status", json={"status": status}, headers=ann)
        assert moved.json()["version"] == n

    async def listed() -> bool:
        rows = (await running.http.get("/v1/tickets", headers=ann)).json()["tickets"]
        return [(one["status"], one["queue"], one["version"]) for one in rows] == [("resolved", "sales", 3)]

    await eventually(listed, within_s=20)
    assert (await running.http.get(path, headers=ann)).json()["subject"] == "no dial tone"
    kinds = await published(wire.TOPIC, f"{running.tenant}/{stream}", TicketEvent, 3)
    assert kinds == ["ticket_opened", "status_changed", "ticket_resolved"]
