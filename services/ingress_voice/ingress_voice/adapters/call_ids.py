"""Which contact a call of the switch is, both ways, in the view store."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from switchlog.errors import NotFound
from switchlog.store import ViewStore

from ..app.ports import Ring

CALLS = "contacts_of_calls"
CONTACTS = "calls_of_contacts"
RINGS = "rings"


@dataclass(frozen=True)
class StoredCallIds:
    views: ViewStore

    async def remember(self, call: str, tenant: str, contact: str, now: int) -> None:
        await self.views.put(CALLS, call, "", f"{tenant}/{contact}".encode(), now)
        await self.views.put(CONTACTS, tenant, contact, call.encode(), now)

    async def contact(self, call: str) -> tuple[str, str]:
        row = await self.views.get(CALLS, call, "")
        if row is None:
            raise NotFound(detail="call")
        tenant, _, contact = row.value.decode().partition("/")
        return tenant, contact

    async def rang(self, contact: str, offer_id: str, ring: Ring, now: int) -> None:
        await self.views.put(RINGS, contact, offer_id, msgspec.json.encode(ring), now)

    async def ring(self, contact: str, offer_id: str) -> Ring:
        row = await self.views.get(RINGS, contact, offer_id)
        if row is None:
            raise NotFound(detail="ring")
        return msgspec.json.decode(row.value, type=Ring)

    async def call(self, tenant: str, contact: str) -> str:
        row = await self.views.get(CONTACTS, tenant, contact)
        if row is None:
            raise NotFound(detail="contact")
        return row.value.decode()
