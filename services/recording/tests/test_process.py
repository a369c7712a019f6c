"""The whole process over Kafka: a conversation comes in by topic, its transcript is read by HTTP."""

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

from contactcenter.bus.v1.envelope_pb2 import Sealed
from contactcenter.contact.v1 import events_pb2 as pb
from contactcenter.contact.v1.types_pb2 import CHANNEL_CHAT
from contactcenter.customer.v1 import service_pb2 as customers
from contactcenter.customer.v1.service_pb2_grpc import CustomerServiceServicer
from contactcenter.customer.v1.service_pb2_grpc import add_CustomerServiceServicer_to_server as add_to_server
from contactcenter.recording.v1.events_pb2 import RecordingEvent
from recording import wire, wiring
from recording.config import Settings
from switchlog.bus import clients
from switchlog.envelope import Cause, Codec, StreamId, compose
from switchlog.outlet import KafkaOutlet
from switchlog.rpc import create_server
from switchlog.seal import SubjectKey, seal
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
    with own_store("recording", tmp_path) as settings:
        yield settings


@pytest.fixture
async def running(store: StoreSettings, tmp_path: Path) -> AsyncIterator[Running]:
    tenant, port, owner = f"t{uuid.uuid4().hex[:12]}", free_port(), free_port()
    issuer, stop, token = TestIssuer(tenant=tenant), asyncio.Event(), tmp_path / "token"
    token.write_text(issuer.issue("recording", ("service",)))
    servicer, beside_settings = (add_to_server, Customers()), settings_for_tests("customers", grpc_port=owner)
    beside = create_server([servicer], issuer.verifier, beside_settings)
    await beside.start()
    kernel = settings_for_tests(
        "recording",
        store=store,
        http_port=port,
        grpc_port=free_port(),
        kafka_bootstrap=BOOTSTRAP,
        service_token_file=str(token),
        owners={"customers": f"127.0.0.1:{owner}"},
    )
    told = Settings(kernel, (tmp_path / "objects").as_uri())
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


def said(tenant: str, id: str, text: str) -> pb.ContactEvent:
    place = {"tenant": tenant, "customer_ref": "cust-1", "field": "MessageReceived.body"}
    sealed = seal(SubjectKey("cust-1", KEY), text.encode(), **place)
    body = Sealed(key_id=sealed.key_id, nonce=sealed.nonce, ciphertext=sealed.ciphertext)
    return pb.ContactEvent(message_received=pb.MessageReceived(message_id=id, kind=pb.MESSAGE_KIND_TEXT, body=body))


async def test_a_conversation_becomes_a_transcript_once(running: Running) -> None:
    """VO-6, RC-1"""
    side = {"leg": 1, "queue": "sales", "agent": "ann", "team": "t1", "channel": CHANNEL_CHAT}
    for fact in (
        pb.ContactEvent(contact_started=pb.ContactStarted(customer_ref="cust-1", channel=CHANNEL_CHAT)),
        said(running.tenant, "m1", "你好"),
        pb.ContactEvent(agent_connected=pb.AgentConnected(**side)),
        said(running.tenant, "m2", "bye"),
        pb.ContactEvent(agent_disconnected=pb.AgentDisconnected(**side)),
        pb.ContactEvent(contact_ended=pb.ContactEnded(leg=1, channel=CHANNEL_CHAT)),
    ):
        await running.tell("contact-c1", "contact.events.v1", "ingress_chat", fact, repeat=2)
    ann = running.issuer.bearer("ann", ("agent",))

    async def found() -> list[str]:
        return list((await running.http.get("/v1/recordings?contact=c1", headers=ann)).json()["recordings"])

    (id,) = await eventually(found, within_s=20)

    async def stored() -> bool:
        return (await running.http.get(f"/v1/recordings/{id}", headers=ann)).json()["state"] == "stored"

    await eventually(stored, within_s=20)
    played = await running.http.post(f"/v1/recordings/{id}:play", json={}, headers=ann)
    assert [one["text"] for one in played.json()["messages"]] == ["你好", "bye"]
    kinds = await published(wire.TOPIC, f"{running.tenant}/recording-{id}", RecordingEvent, 3)
    assert kinds == ["recording_started", "recording_stored", "recording_played"]
