"""Subject keys, asked of their owner by gRPC, and text sealed under them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from contactcenter.customer.v1.service_pb2 import GetSubjectKeyRequest
from switchlog.seal import Erased, SubjectKey, SubjectKeys

from ..app.ports import SealedText

if TYPE_CHECKING:  # the asynchronous stub exists for the type checker only
    from contactcenter.customer.v1.service_pb2_grpc import CustomerServiceAsyncStub


def subject_keys(stub: CustomerServiceAsyncStub) -> SubjectKeys:
    """Keys as their owner tells them, kept at most 60 s."""

    async def fetch(tenant: str, customer_ref: str) -> SubjectKey:
        answer = await stub.GetSubjectKey(GetSubjectKeyRequest(tenant_id=tenant, customer_ref=customer_ref))
        if answer.erased:
            raise Erased
        return SubjectKey(answer.key_id, answer.key)

    return SubjectKeys(fetch)


class SealerOf:
    """Seals into the words of this service's facts."""

    def __init__(self, keys: SubjectKeys) -> None:
        self._keys = keys

    async def seal(self, tenant: str, customer_ref: str, field: str, text: bytes) -> SealedText:
        sealed = await self._keys.seal(tenant, customer_ref, field, text)
        return SealedText(sealed.key_id, sealed.nonce, sealed.ciphertext)

    async def open(self, tenant: str, customer_ref: str, field: str, sealed: SealedText) -> bytes:
        return await self._keys.open(tenant, customer_ref, field, sealed)
