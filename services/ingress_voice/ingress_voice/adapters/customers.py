"""Customer references, asked of their owner by gRPC."""

from __future__ import annotations

from typing import TYPE_CHECKING

from contactcenter.bus.v1.command_pb2 import CommandContext
from contactcenter.customer.v1.events_pb2 import IDENTITY_KIND_ANONYMOUS, IDENTITY_KIND_PHONE
from contactcenter.customer.v1.service_pb2 import ResolveReferenceRequest

from ..app.ports import Caller

if TYPE_CHECKING:  # the asynchronous stub exists for the type checker only
    from contactcenter.customer.v1.service_pb2_grpc import CustomerServiceAsyncStub


class CustomersByRpc:
    def __init__(self, stub: CustomerServiceAsyncStub) -> None:
        self._stub = stub

    async def by_phone(self, tenant: str, number: str, cause: str) -> Caller:
        context = CommandContext(tenant_id=tenant, idempotency_key=cause)
        kind = IDENTITY_KIND_PHONE if number else IDENTITY_KIND_ANONYMOUS
        request = ResolveReferenceRequest(context=context, kind=kind, identity=number)
        found = await self._stub.ResolveReference(request)
        return Caller(found.customer_ref, found.last_agent.agent, found.last_agent.served_at.ToMilliseconds())
