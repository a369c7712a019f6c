"""The same attacks by gRPC: no token, a forged one, another tenant's, a tenant that is only named."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from importlib import import_module
from typing import Any, NamedTuple
from uuid import uuid4

import grpc

from .centre import STORY
from .centre.centre import Centre
from .centre.forgery import forged
from .centre.plan import HOST, SERVICES
from .centre.tenant import Tenant
from .test_bad_tokens import lived

pytestmark = STORY

Code = grpc.StatusCode


class Rpc(NamedTuple):
    """A method of the ``context``'s service, asked of ``service`` with ``id`` in ``field``."""

    service: str
    context: str
    method: str
    field: str
    id: str
    for_services_only: bool = False


RPCS = (
    Rpc("ingress_chat", "contact", "GetContact", "contact", "contact"),
    Rpc("ingress_chat", "contact", "ListMessages", "contact", "contact"),
    Rpc("ingress_chat", "contact", "EndContact", "contact", "contact"),
    Rpc("routing", "routing", "AcceptOffer", "offer_id", "offer"),
    Rpc("routing", "routing", "DeclineOffer", "offer_id", "offer"),
    Rpc("agent_state", "agent", "GetAgent", "agent", "agent"),
    Rpc("ticketing", "ticket", "GetTicket", "ticket", "ticket"),
    Rpc("recording", "recording", "GetRecording", "recording", "recording"),
    Rpc("recording", "recording", "DeleteRecording", "recording", "recording"),
    Rpc("customers", "customer", "GetCustomer", "customer_ref", "customer"),
    Rpc("customers", "customer", "RequestErasure", "customer_ref", "customer"),
    Rpc("customers", "customer", "GetSubjectKey", "customer_ref", "customer", for_services_only=True),
    Rpc("analytics", "analytics", "GetQueueNow", "queue", "queue"),
)
LOGS = tuple(Rpc(service, "bus", "ReadStream", "stream", "stream", for_services_only=True) for service in SERVICES)


async def test_a_wrong_token_opens_no_rpc_of_any_service(centre: Centre, tenant: Tenant) -> None:
    """trust, Attacks"""
    _, _, ids = await lived(tenant)
    before = await tenant.log.settled(tenant.id)
    ids["stream"] = "pool-front"
    tokens = forged(centre.issuer, tenant.id, "ann", f"http://{HOST}:1")
    async with channels(centre) as to:
        for attack, token in tokens.items():
            for rpc in (*RPCS, *LOGS):
                code = await ask(to, rpc, token, ids)
                assert code is Code.UNAUTHENTICATED, f"{attack}: {rpc}: {code}"
    assert await tenant.log.settled(tenant.id) == before


async def test_another_tenants_things_are_not_there_by_rpc_either(centre: Centre, tenant: Tenant) -> None:
    """PL-1: not found by id, refused by name; another stream's bytes are for services only"""
    _, _, ids = await lived(tenant)
    before = await tenant.log.settled(tenant.id)
    eve = centre.tenant().api("ann", ("agent", "supervisor", "admin", "analyst"), ["team-1"]).token
    nowhere = {name: uuid4().hex for name in ids}
    async with channels(centre) as to:
        for rpc in RPCS:
            expected = Code.PERMISSION_DENIED if rpc.for_services_only else Code.NOT_FOUND
            for asked in (ids, nowhere):
                assert await ask(to, rpc, eve, asked) is expected, rpc
            assert await ask(to, rpc, eve, ids, tenant.id) is Code.PERMISSION_DENIED, rpc
        for rpc in LOGS:
            for token in (eve, tenant.admin.token, tenant.supervisor.token):
                code = await ask(to, rpc, token, {"stream": "pool-front"}, tenant.id)
                assert code is Code.PERMISSION_DENIED, rpc
    assert await tenant.log.settled(tenant.id) == before


@asynccontextmanager
async def channels(centre: Centre) -> AsyncIterator[dict[str, grpc.aio.Channel]]:
    """One to each service, without any of our own client's help."""
    async with AsyncExitStack() as stack:
        yield {
            service: await stack.enter_async_context(grpc.aio.insecure_channel(f"{HOST}:{port}"))
            for service, port in centre.plan.grpc_ports.items()
        }


async def ask(
    to: dict[str, grpc.aio.Channel], rpc: Rpc, token: str, ids: dict[str, str], tenant: str = ""
) -> grpc.StatusCode:
    """How the call ended. Commands name their tenant in their context, queries in a field of their own."""
    file = f"contactcenter.{rpc.context}.v1.{'event_log' if rpc.context == 'bus' else 'service'}"
    messages, stubs = import_module(f"{file}_pb2"), import_module(f"{file}_pb2_grpc")
    request = getattr(messages, f"{rpc.method}Request")(**{rpc.field: ids[rpc.id]})
    if tenant:
        holder = request.context if "context" in request.DESCRIPTOR.fields_by_name else request
        holder.tenant_id = tenant
    stub: Any = next(getattr(stubs, name) for name in dir(stubs) if name.endswith("ServiceStub"))(to[rpc.service])
    call = getattr(stub, rpc.method)(request, timeout=10, metadata=[("authorization", f"Bearer {token}")])
    code: grpc.StatusCode = await call.code()
    return code
