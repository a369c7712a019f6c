"""Carrying an erasure out: the key goes, and with it those of every reference that was given up for this one."""

from __future__ import annotations

from dataclasses import dataclass

from switchlog.envelope import Cause
from switchlog.ids import derived
from switchlog.writer import Writer

from ..domain.commands import CustomerCommand, EraseAlong
from ..domain.events import CustomerEvent
from ..domain.state import CustomerState, Erased
from .ports import LastAgents
from .references import References, customer_stream
from .secrets import Secrets


@dataclass(frozen=True)
class Erasure:
    writer: Writer[CustomerCommand, CustomerState, CustomerEvent]
    references: References
    secrets: Secrets
    last_agents: LastAgents

    async def carry_out(self, tenant: str, customer_ref: str) -> None:
        """After ``CustomerErased`` of the reference; may be called any number of times."""
        waiting, done = [customer_ref], set[str]()
        while waiting:
            ref = waiting.pop()
            state = (await self.writer.state(customer_stream(tenant, ref), fresh=True)).state
            if not isinstance(state, Erased) or ref in done:
                continue
            done.add(ref)
            await self.secrets.erase(tenant, ref)
            await self.last_agents.forget(tenant, ref)
            for absorbed in state.absorbed:
                await self._along(tenant, absorbed, state)
                waiting.append(absorbed)

    async def _along(self, tenant: str, absorbed: str, kept: Erased) -> None:
        stream = customer_stream(tenant, absorbed)
        if (await self.writer.state(stream)).head == 0:  # its link was cut short: there is nothing to erase
            return
        command = EraseAlong(kept.customer_ref, kept.request.id, kept.request.by, kept.approved_by)
        cause = Cause(derived(stream.key, "erase-along", kept.customer_ref), "", self.writer.service)
        await self.writer.execute(stream, command, cause)
