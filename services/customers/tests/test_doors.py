"""Customers over gRPC and HTTP: who may do what, and what is answered."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from types import SimpleNamespace

import grpc
import httpx2
import pytest

from contactcenter.bus.v1.command_pb2 import CommandContext
from contactcenter.customer.v1 import events_pb2 as events
from contactcenter.customer.v1 import service_pb2 as pb
from contactcenter.customer.v1.service_pb2_grpc import CustomerServiceStub
from customers import wiring
from switchlog.errors import Forbidden, NotFound, Rejected
from switchlog.rpc import channel, create_server
from switchlog.testing import TestIssuer, free_port
from switchlog.testing import test_settings as settings_for_tests

from .scene import PHONE, TENANT, Scene


@dataclass(frozen=True)
class Token:
    text: str

    async def token(self) -> str:
        return self.text


As = Callable[..., CustomerServiceStub]


@pytest.fixture
def scene() -> Scene:
    return Scene()


@pytest.fixture
def issuer() -> TestIssuer:
    return TestIssuer(tenant=TENANT)


@pytest.fixture
async def acting(scene: Scene, issuer: TestIssuer) -> AsyncIterator[As]:
    """``acting("chat", "service")`` is a client of that name and role."""
    port = free_port()
    settings = settings_for_tests("customers", grpc_port=port)
    server = create_server([wiring.servicer(scene.service)], issuer.verifier, settings)
    await server.start()
    opened: list[grpc.aio.Channel] = []

    def client(subject: str, *roles: str, tenant: str = TENANT) -> CustomerServiceStub:
        opened.append(channel(f"127.0.0.1:{port}", Token(issuer.issue(subject, roles, (), tenant))))
        return CustomerServiceStub(opened[-1])

    yield client
    for one in opened:
        await one.close()
    await server.stop(None)


@pytest.fixture
async def http(scene: Scene, issuer: TestIssuer) -> AsyncIterator[httpx2.AsyncClient]:
    async def ready() -> dict[str, bool]:
        return {"store": True}

    kernel = SimpleNamespace(settings=settings_for_tests("customers"), clock=scene.clock, ready=ready)
    app = wiring.app(scene.service, kernel, issuer.verifier)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://test") as client:
        yield client


async def refused(call: Awaitable[object], kind: type[Exception]) -> str:
    with pytest.raises(kind) as error:
        await call
    return error.value.reason  # type: ignore[attr-defined,no-any-return]


def by_phone(tenant: str = "", key: str = "") -> pb.ResolveReferenceRequest:
    context = CommandContext(tenant_id=tenant, idempotency_key=key)
    return pb.ResolveReferenceRequest(context=context, kind=events.IDENTITY_KIND_PHONE, identity=PHONE)


async def test_a_service_resolves_and_gets_the_key(acting: As) -> None:
    chat = acting("ingress_chat", "service", tenant="platform")
    found = await chat.ResolveReference(by_phone(TENANT))
    again = await chat.ResolveReference(by_phone(TENANT))
    assert (found.created, again.created, again.customer_ref) == (True, False, found.customer_ref)
    ask = pb.GetSubjectKeyRequest(tenant_id=TENANT, customer_ref=found.customer_ref)
    key, same = await chat.GetSubjectKey(ask), await chat.GetSubjectKey(ask)
    assert (len(key.key), key.key, key.key_id) == (32, same.key, found.customer_ref)
    await refused(
        chat.GetSubjectKey(pb.GetSubjectKeyRequest(tenant_id="other", customer_ref=ask.customer_ref)), NotFound
    )


async def test_an_anonymous_visitor_is_the_same_on_a_retry(acting: As) -> None:
    chat = acting("ingress_chat", "service")
    context = CommandContext(tenant_id=TENANT, idempotency_key="visit-1")
    request = pb.ResolveReferenceRequest(context=context, kind=events.IDENTITY_KIND_ANONYMOUS)
    first, again = await chat.ResolveReference(request), await chat.ResolveReference(request)
    assert first.customer_ref == again.customer_ref
    context.idempotency_key = "visit-2"
    other = pb.ResolveReferenceRequest(context=context, kind=events.IDENTITY_KIND_ANONYMOUS)
    assert (await chat.ResolveReference(other)).customer_ref != first.customer_ref


@pytest.mark.parametrize("role", ["agent", "supervisor", "admin", "analyst", "visitor"])
async def test_only_services_get_references_and_keys(acting: As, scene: Scene, role: str) -> None:
    ref = (await scene.resolve()).customer_ref
    person = acting("x", role)
    await refused(person.ResolveReference(by_phone()), Forbidden)
    await refused(person.GetSubjectKey(pb.GetSubjectKeyRequest(customer_ref=ref)), Forbidden)


async def test_a_kind_that_is_not_stated_is_refused(acting: As) -> None:
    chat = acting("chat", "service")
    assert await refused(chat.ResolveReference(pb.ResolveReferenceRequest(identity="x")), Rejected) == "BAD_KIND"


async def test_two_admins_erase_and_the_key_says_so(acting: As, scene: Scene) -> None:
    """PL-5 P9"""
    ref = (await scene.resolve()).customer_ref
    root, boss, chat = acting("root", "admin"), acting("boss", "admin"), acting("chat", "service")
    asked = await root.RequestErasure(pb.RequestErasureRequest(customer_ref=ref, reason="gdpr"))
    approve = pb.EraseCustomerRequest(customer_ref=ref, request_id=asked.request_id)
    assert await refused(root.EraseCustomer(approve), Rejected) == "SECOND_ADMIN_NEEDED"
    await boss.EraseCustomer(approve)
    key = await chat.GetSubjectKey(pb.GetSubjectKeyRequest(customer_ref=ref))
    assert (key.erased, key.key) == (True, b"")
    assert (await root.GetCustomer(pb.GetCustomerRequest(customer_ref=ref))).customer.erased
    assert (await chat.ResolveReference(by_phone())).customer_ref != ref


@pytest.mark.parametrize("role", ["agent", "supervisor", "service", "analyst"])
async def test_nobody_but_admins_erases(acting: As, scene: Scene, role: str) -> None:
    ref = (await scene.resolve()).customer_ref
    await refused(acting("x", role).RequestErasure(pb.RequestErasureRequest(customer_ref=ref)), Forbidden)


async def test_links_and_merges_over_grpc(acting: As, scene: Scene) -> None:
    kept, merged = (await scene.resolve()).customer_ref, (await scene.resolve("+1 555")).customer_ref
    lea = acting("lea", "supervisor")
    await lea.MergeCustomers(pb.MergeCustomersRequest(customer_ref=kept, merged_ref=merged))
    link = pb.LinkIdentityRequest(customer_ref=kept, kind=events.IDENTITY_KIND_EMAIL, identity="a@b.c")
    await lea.LinkIdentity(link)
    view = (await lea.GetCustomer(pb.GetCustomerRequest(customer_ref=kept))).customer
    assert list(view.identities) == [events.IDENTITY_KIND_PHONE, events.IDENTITY_KIND_EMAIL]
    assert (await lea.GetCustomer(pb.GetCustomerRequest(customer_ref=merged))).customer.merged_into == kept


# -- the same over HTTP ----------------------------------------------------------------------------------------------


async def test_the_life_of_a_customer_over_http(http: httpx2.AsyncClient, issuer: TestIssuer) -> None:
    """PL-2 PL-5"""
    service = issuer.bearer("chat", ("service",))
    root, boss = issuer.bearer("root", ("admin",)), issuer.bearer("boss", ("admin",))
    found = (await http.post("/v1/customers:resolve", json={"kind": "phone", "address": PHONE}, headers=service)).json()
    ref = found["customer_ref"]
    assert (found["created"], found["stream"], found["version"]) == (True, f"customer-{ref}", 2)
    linked = await http.post(f"/v1/customers/{ref}:link", json={"kind": "qq", "address": "12"}, headers=root)
    assert linked.status_code == 200
    shown = (await http.get(f"/v1/customers/{ref}", headers=issuer.bearer("ann", ("agent",)))).json()
    assert (shown["identities"], shown["erased"]) == (["phone", "qq"], False)
    asked = await http.post(f"/v1/customers/{ref}:request-erasure", json={"reason": "gdpr"}, headers=root)
    assert asked.status_code == 200
    alone = await http.post(f"/v1/customers/{ref}:approve-erasure", headers=root)
    assert (alone.status_code, alone.json()["reason"]) == (409, "SECOND_ADMIN_NEEDED")
    assert (await http.post(f"/v1/customers/{ref}:approve-erasure", headers=boss)).status_code == 200
    assert (await http.get(f"/v1/customers/{ref}", headers=root)).json()["erased"]


async def test_an_anonymous_person_over_http(http: httpx2.AsyncClient, issuer: TestIssuer) -> None:
    service = issuer.bearer("chat", ("service",))
    refs = {
        (await http.post("/v1/customers:resolve", json={}, headers=service)).json()["customer_ref"] for _ in range(2)
    }
    assert len(refs) == 2


async def test_foreign_and_unknown_references_are_answered_alike(http, issuer, scene) -> None:
    """PL-1"""
    ref = (await scene.resolve()).customer_ref
    foreign = issuer.bearer("root", ("admin",), tenant="other")
    answers = [
        await http.get(f"/v1/customers/{ref}", headers=foreign),
        await http.get("/v1/customers/nobody", headers=foreign),
        await http.post(f"/v1/customers/{ref}:request-erasure", headers=foreign),
    ]
    assert {answer.status_code for answer in answers} == {404}
    assert len({str({**answer.json(), "correlation_id": ""}) for answer in answers}) == 1


@pytest.mark.parametrize("role, word", [("agent", "link"), ("agent", "merge"), ("supervisor", "request-erasure")])
async def test_roles_end_where_they_should(http, issuer, scene, role: str, word: str) -> None:
    ref = (await scene.resolve()).customer_ref
    body = {"link": {"kind": "qq", "address": "1"}, "merge": {"merged_ref": "x"}}.get(word)
    answered = await http.post(f"/v1/customers/{ref}:{word}", json=body, headers=issuer.bearer("x", (role,)))
    assert answered.status_code == 403


async def test_an_address_is_in_no_refusal(http, issuer) -> None:
    service = issuer.bearer("chat", ("service",))
    refused = await http.post("/v1/customers:resolve", json={"kind": "pigeon", "address": PHONE}, headers=service)
    assert refused.status_code == 422
    assert "171" not in str({**refused.json(), "correlation_id": ""})  # a random id may hold any three digits
