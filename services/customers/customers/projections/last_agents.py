"""Who served each customer last, folded from the facts of contacts of every channel."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from switchlog.envelope import StreamId
from switchlog.store import ViewStore

from ..app.ports import LastAgent

LAST_AGENTS = "last_agents"
CONTACTS = "customers_of_contacts"
FOR_EVER = (1 << 63) - 1


@dataclass(frozen=True)
class LastAgentsView:
    """A contact's reference is kept from its start to its end; a customer's row is that of the latest connection."""

    views: ViewStore

    async def get(self, tenant: str, customer_ref: str) -> LastAgent | None:
        row = await self.views.get(LAST_AGENTS, tenant, customer_ref)
        return msgspec.json.decode(row.value, type=LastAgent) if row else None

    async def forget(self, tenant: str, customer_ref: str) -> None:
        await self.views.delete(LAST_AGENTS, tenant, customer_ref, FOR_EVER)

    async def started(self, contact: StreamId, version: int, customer_ref: str) -> None:
        await self.views.put(CONTACTS, contact.tenant, contact.name, customer_ref.encode(), version)

    async def served(self, contact: StreamId, by: LastAgent) -> None:
        row = await self.views.get(CONTACTS, contact.tenant, contact.name)
        if row is not None:
            value = msgspec.json.encode(by)
            await self.views.put(LAST_AGENTS, contact.tenant, row.value.decode(), value, by.served_at)

    async def ended(self, contact: StreamId, version: int) -> None:
        await self.views.delete(CONTACTS, contact.tenant, contact.name, version)
