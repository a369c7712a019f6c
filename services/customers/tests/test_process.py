"""The whole process over Kafka: its facts go out by topic, and an erasure reaches whoever keeps the key."""

from __future__ import annotations

import asyncio
import base64
import os
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import httpx2
import pytest

from contactcenter.customer.v1 import service_pb2 as pb
from contactcenter.customer.v1.service_pb2_grpc import CustomerServiceStub
from customers import wire, wiring
from customers.config import Settings
from switchlog.bus.erasures import forgetting
from switchlog.bus.tail import Tail
from switchlog.rpc import channel
from switchlog.seal import Erased, SubjectKey, SubjectKeys
from switchlog.store.settings import StoreSettings
from switchlog.testing import TestIssuer, eventually, free_port, own_store
from switchlog.testing import test_settings as settings_for_tests

pytestmark = pytest.mark.kafka

BOOTSTRAP = os.environ.get("KAFKA_BOOTSTRAP", "127.0.0.1:19092")


@dataclass
class Running:
    tenant: str
    http: httpx2.AsyncClient
    issuer: TestIssuer
    stub: CustomerServiceStub
    folder: Path

    async def key(self, tenant: str, ref: str) -> SubjectKey:
        """As other services fetch it."""
        answer = await self.stub.GetSubjectKey(pb.GetSubjectKeyRequest(tenant_id=tenant, customer_ref=ref))
        if answer.erased:
            raise Erased
        return SubjectKey(answer.key_id, answer.key)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[StoreSettings]:
    with own_store("customers", tmp_path) as settings:
        yield settings


@pytest.fixture
async def running(store: StoreSettings, tmp_path: Path) -> AsyncIterator[Running]:
    tenant = f"t{uuid.uuid4().hex[:12]}"
    issuer = TestIssuer(tenant=tenant)
    settings = settings_for_tests(
        "customers",
        store=store,
        kafka_bootstrap=BOOTSTRAP,
        http_port=free_port(),
        grpc_port=free_port(),
        master_key=base64.b64encode(os.urandom(32)).decode(),
    )
    stop = asyncio.Event()
    process = asyncio.create_task(wiring.run(Settings(settings), verifier=issuer.verifier, stop=stop))
    opened: grpc.aio.Channel = channel(f"127.0.0.1:{settings.grpc_port}", issuer)
    base = f"http://127.0.0.1:{settings.http_port}"
    async with httpx2.AsyncClient(base_url=base, trust_env=False) as http:

        async def serves() -> bool:
            assert not process.done(), process.exception()
            try:
                return (await http.get("/readyz")).status_code == 200
            except httpx2.TransportError:
                return False

        await eventually(serves, within_s=20)
        yield Running(tenant, http, issuer, CustomerServiceStub(opened), tmp_path)
    await opened.close()
    stop.set()
    await asyncio.wait_for(process, 15)


async def test_an_erasure_makes_every_cache_forget_at_once(running: Running) -> None:
    """PL-5, kernel rule 18: well before the 60 s that a cache may last."""
    keys = SubjectKeys(running.key)
    tail = Tail(BOOTSTRAP, [wire.TOPIC], forgetting(keys))
    watching = asyncio.create_task(tail.run())
    await asyncio.wait_for(tail.caught_up.wait(), 20)
    service = running.issuer.bearer("chat", ("service",))
    body = {"kind": "phone", "address": "+49 171 555"}
    ref = (await running.http.post("/v1/customers:resolve", json=body, headers=service)).json()["customer_ref"]
    sealed = await keys.seal(running.tenant, ref, "MessageReceived.body", b"hello")
    assert await keys.open(running.tenant, ref, "MessageReceived.body", sealed) == b"hello"

    for admin, word in (("root", "request-erasure"), ("boss", "approve-erasure")):
        headers = running.issuer.bearer(admin, ("admin",))
        assert (await running.http.post(f"/v1/customers/{ref}:{word}", headers=headers)).status_code == 200

    async def forgotten() -> bool:
        return await keys.open_text(running.tenant, ref, "MessageReceived.body", sealed) is None

    await eventually(forgotten, within_s=5)
    again = (await running.http.post("/v1/customers:resolve", json=body, headers=service)).json()
    assert again["created"]
    assert again["customer_ref"] != ref
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)


async def test_no_address_and_no_key_is_on_the_disk(running: Running) -> None:
    """PL-5"""
    service = running.issuer.bearer("chat", ("service",))
    body = {"kind": "email", "address": "very-personal@example.com"}
    ref = (await running.http.post("/v1/customers:resolve", json=body, headers=service)).json()["customer_ref"]
    key = await running.key(running.tenant, ref)
    for path in running.folder.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert b"very-personal" not in content
            assert key.secret not in content
