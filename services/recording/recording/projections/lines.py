"""The sealed messages of each contact, one row a fact, until their leg's transcript is made."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from switchlog.envelope import StreamId
from switchlog.errors import NotFound
from switchlog.store import ViewStore

from ..app.ports import Line

LINES = "lines"
CUSTOMERS = "customers_of_contacts"


@dataclass(frozen=True)
class LinesView:
    views: ViewStore

    async def started(self, contact: StreamId, version: int, customer_ref: str) -> None:
        """Whose contact it is."""
        key = contact.name.removeprefix("contact-")
        await self.views.put(CUSTOMERS, contact.tenant, key, customer_ref.encode(), version)

    async def said(self, contact: StreamId, line: Line) -> None:
        """One message; its row is its version in the contact's stream, so a repeat writes the same row."""
        await self.views.put(LINES, contact.key, f"{line.version:012d}", msgspec.json.encode(line), line.version)

    async def customer(self, tenant: str, contact: str) -> str:
        row = await self.views.get(CUSTOMERS, tenant, contact)
        if row is None:
            raise NotFound(detail=f"contact-{contact}")
        return row.value.decode()

    async def of_leg(self, tenant: str, contact: str, leg: int) -> list[Line]:
        """In order; what was said before the first leg belongs to it."""
        found: list[Line] = []
        after = ""
        while rows := await self.views.scan(LINES, f"{tenant}/contact-{contact}", after):
            found += [msgspec.json.decode(row.value, type=Line) for row in rows]
            after = rows[-1].key
        return [line for line in found if max(line.leg, 1) == leg]
