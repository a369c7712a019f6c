"""What can be asked of customers: links, merges, and erasure by two admins."""

from __future__ import annotations

from dataclasses import dataclass, replace

from switchlog.decider import Rejected
from switchlog.envelope import Cause
from switchlog.ids import derived
from switchlog.writer import Answer, Writer

from ..domain.commands import (
    Absorb,
    ApproveErasure,
    CustomerCommand,
    LinkIdentity,
    MergeInto,
    RequestErasure,
)
from ..domain.events import CustomerEvent, Identity
from ..domain.state import CustomerState, Known
from .erasure import Erasure
from .references import References, customer_stream


@dataclass(frozen=True)
class Customers:
    """Each call raises ``Rejected``, ``NotFound`` or ``NotNow``; what was cut short is finished by its repetition."""

    writer: Writer[CustomerCommand, CustomerState, CustomerEvent]
    references: References
    erasure: Erasure

    async def link(self, tenant: str, ref: str, identity: Identity, cause: Cause) -> Answer:
        """``identity`` leads to ``ref`` from now on; who was known by nothing else is merged into it.

        Raises ``Rejected("IDENTITY_OF_ANOTHER")`` when the address leads to somebody who is known by more.
        """
        await self.references.known(tenant, ref)
        found = await self.references.of(tenant, identity, _step(cause, "alias"))
        if found.customer_ref != ref:
            if not found.created and not await self._is_bare(tenant, found.customer_ref, identity):
                raise Rejected("IDENTITY_OF_ANOTHER", "this address leads to another customer: merge the two")
            await self._merge(tenant, ref, found.customer_ref, cause)
        return await self._give(tenant, ref, LinkIdentity(identity), cause)

    async def merge(self, tenant: str, kept: str, merged: str, cause: Cause) -> Answer:
        """``kept`` stands for both from now on."""
        for ref in (kept, merged):
            await self.references.known(tenant, ref)
        await self._merge(tenant, kept, merged, cause)
        return await self._give(tenant, kept, Absorb(merged), cause)

    async def request_erasure(self, tenant: str, ref: str, reason: str, cause: Cause) -> Answer:
        """The first of two admins."""
        await self.references.known(tenant, ref)
        return await self._give(tenant, ref, RequestErasure(cause.command_id, cause.actor, reason), cause)

    async def approve_erasure(self, tenant: str, ref: str, cause: Cause, request_id: str = "") -> Answer:
        """The second: the fact first, then the key at once. A crash in between is finished by the fact's reader.

        Raises ``Rejected("OTHER_REQUEST")`` when ``request_id`` is given and is not what waits.
        """
        state, _ = await self.references.known(tenant, ref)
        if request_id and isinstance(state, Known) and (state.erasure is None or state.erasure.id != request_id):
            raise Rejected("OTHER_REQUEST")
        done = await self._give(tenant, ref, ApproveErasure(cause.actor), cause)
        await self.erasure.carry_out(tenant, ref)
        return done

    async def show(self, tenant: str, ref: str) -> tuple[CustomerState, int]:
        """Raises ``NotFound``."""
        return await self.references.known(tenant, ref)

    async def _merge(self, tenant: str, kept: str, merged: str, cause: Cause) -> None:
        # the kept one first: an erasure that comes between must know of both
        await self._give(tenant, kept, Absorb(merged), _step(cause, "absorb"))
        await self._give(tenant, merged, MergeInto(kept), _step(cause, "merge"))

    async def _is_bare(self, tenant: str, ref: str, identity: Identity) -> bool:
        """Whether nothing but this address is behind ``ref``."""
        state, _ = await self.references.known(tenant, ref)
        return isinstance(state, Known) and state.identities == {identity} and not state.absorbed

    async def _give(self, tenant: str, ref: str, command: CustomerCommand, cause: Cause) -> Answer:
        return await self.writer.execute(customer_stream(tenant, ref), command, cause)


def _step(cause: Cause, name: str) -> Cause:
    """The same cause for another command that it takes: a stream knows commands by their ids."""
    return replace(cause, command_id=derived(cause.command_id, name))
