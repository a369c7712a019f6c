"""From an address to a reference.

A reference is derived from the address's HMAC and a generation: whoever resolves the same address at the same time
meets in the same stream, where one conditional append makes the customer. When that reference was erased, the next
generation is the person's new one. So there is no index beside the streams that could disagree with them.
"""

from __future__ import annotations

from dataclasses import dataclass

from switchlog.envelope import Cause, StreamId
from switchlog.errors import NotFound
from switchlog.ids import checked_id, derived
from switchlog.writer import Answer, Writer

from .. import metrics
from ..domain.commands import CustomerCommand, KnowCustomer
from ..domain.events import CustomerEvent, Identity
from ..domain.state import CustomerState, Erased, Known, Unknown

MAX_HOPS = 100  # generations of one address, references given up in a row


def customer_stream(tenant: str, customer_ref: str) -> StreamId:
    """The stream of a reference; raises ``Rejected`` for what is no id."""
    return StreamId(tenant, f"customer-{checked_id(customer_ref, 'customer_ref')}")


def reference(tenant: str, identity: Identity, generation: int) -> str:
    """What an address is called after ``generation`` erasures."""
    return derived(tenant, "customer", identity.kind, identity.address_hmac, generation)


@dataclass(frozen=True, slots=True)
class Resolved:
    """``created``: nobody was known by this address, or the person was erased since."""

    customer_ref: str
    created: bool
    answer: Answer


@dataclass(frozen=True)
class References:
    """Each call raises ``Rejected``, ``NotFound`` or ``NotNow``."""

    writer: Writer[CustomerCommand, CustomerState, CustomerEvent]

    async def anonymous(self, tenant: str, cause: Cause) -> Resolved:
        """A new reference; the same again for the same command."""
        return await self._make(tenant, derived(cause.command_id), None, cause)

    async def of(self, tenant: str, identity: Identity, cause: Cause) -> Resolved:
        """The reference that stands for ``identity`` now, made if there is none."""
        for generation in range(MAX_HOPS):
            ref = reference(tenant, identity, generation)
            state, head = await self._state(tenant, ref)
            if isinstance(state, Unknown):
                return await self._make(tenant, ref, identity, cause)
            standing = await self._follow(tenant, state)
            if standing is not None:
                return Resolved(standing, False, Answer(customer_stream(tenant, ref), head))
        raise NotFound

    async def standing(self, tenant: str, customer_ref: str) -> str | None:
        """The reference that stands for ``customer_ref`` after merges; ``None`` when erased; raises ``NotFound``."""
        state, _ = await self.known(tenant, customer_ref)
        return await self._follow(tenant, state)

    async def known(self, tenant: str, customer_ref: str) -> tuple[Known | Erased, int]:
        """A reference and its version; raises ``NotFound`` for one that was never made."""
        state, head = await self._state(tenant, customer_ref)
        if isinstance(state, Unknown):
            raise NotFound(detail=customer_ref)
        return state, head

    async def _follow(self, tenant: str, state: CustomerState) -> str | None:
        for _ in range(MAX_HOPS):
            match state:
                case Known(ref, merged_into=""):
                    return ref
                case Known(merged_into=kept):
                    state, _head = await self._state(tenant, kept)
                case _:
                    return None
        return None

    async def _make(self, tenant: str, ref: str, identity: Identity | None, cause: Cause) -> Resolved:
        answer = await self.writer.execute(customer_stream(tenant, ref), KnowCustomer(ref, identity), cause)
        created = not answer.repeated
        metrics.resolved.add(1, {"new": created})
        return Resolved(ref, created, answer)

    async def _state(self, tenant: str, ref: str) -> tuple[CustomerState, int]:
        # fresh: another process may have erased it a moment ago
        folded = await self.writer.state(customer_stream(tenant, ref), fresh=True)
        return folded.state, folded.head
