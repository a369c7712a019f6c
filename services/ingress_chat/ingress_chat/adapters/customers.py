"""Customer references and subject keys, asked of their owner by gRPC."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from contactcenter.bus.v1.command_pb2 import CommandContext
from contactcenter.customer.v1.events_pb2 import IDENTITY_KIND_ANONYMOUS, IDENTITY_KIND_COOKIE
from contactcenter.customer.v1.service_pb2 import GetCustomerRequest, GetSubjectKeyRequest, ResolveReferenceRequest
from switchlog.seal import Erased, SubjectKey, SubjectKeys

from ..app.ports import LastAgent
from ..domain.events import SealedText

if TYPE_CHECKING:  # the asynchronous stub exists for the type checker only
    from contactcenter.customer.v1.service_pb2_grpc import CustomerServiceAsyncStub


class CustomersByRpc:
    def __init__(self, stub: CustomerServiceAsyncStub) -> None:
        self._stub = stub

    async def by_browser(self, tenant: str, secret: str, cause: str) -> str:
        context = CommandContext(tenant_id=tenant, idempotency_key=cause)
        kind = IDENTITY_KIND_COOKIE if secret else IDENTITY_KIND_ANONYMOUS
        request = ResolveReferenceRequest(context=context, kind=kind, identity=secret)
        return (await self._stub.ResolveReference(request)).customer_ref

    async def last_agent(self, tenant: str, customer_ref: str) -> LastAgent | None:
        request = GetCustomerRequest(tenant_id=tenant, customer_ref=customer_ref)
        found = (await self._stub.GetCustomer(request)).customer.last_agent
        return LastAgent(found.agent, found.served_at.ToMilliseconds()) if found.agent else None

    async def key(self, tenant: str, customer_ref: str) -> SubjectKey:
        """Raises ``Erased``."""
        request = GetSubjectKeyRequest(tenant_id=tenant, customer_ref=customer_ref)
        answer = await self._stub.GetSubjectKey(request)
        if answer.erased:
            raise Erased
        return SubjectKey(answer.key_id, answer.key)


class SealerOf:
    """Seals for the wire under keys fetched and cached by ``switchlog.seal``."""

    def __init__(self, keys: SubjectKeys) -> None:
        self._keys = keys

    def expect(self, tenant: str, customer_ref: str) -> None:
        coming = asyncio.ensure_future(self._keys.get(tenant, customer_ref))
        coming.add_done_callback(_heard)  # whoever needs the key asks again and hears the refusal

    async def seal(self, tenant: str, customer_ref: str, field: str, text: bytes) -> SealedText:
        sealed = await self._keys.seal(tenant, customer_ref, field, text)
        return SealedText(sealed.key_id, sealed.nonce, sealed.ciphertext)

    async def open(self, tenant: str, customer_ref: str, field: str, sealed: SealedText) -> bytes:
        return await self._keys.open(tenant, customer_ref, field, sealed)


def _heard(coming: asyncio.Future[SubjectKey]) -> None:
    if not coming.cancelled():
        coming.exception()
