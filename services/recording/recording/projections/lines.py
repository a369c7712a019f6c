"""The sealed messages of each contact, one row a fact, until their leg's transcript is made."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from switchlog.envelope import StreamId
from switchlog.errors import NotFound
from switchlog.store import ViewRow, ViewStore

from ..app.ports import Line

LINES = "lines"
CUSTOMERS = "customers_of_contacts"
LEGS = "legs"


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

    async def began(self, tenant: str, contact: str, leg: int, at_ms: int, version: int) -> None:
        await self.views.put(LEGS, _of(tenant, contact), f"{leg:06d}", str(at_ms).encode(), version)

    async def began_at(self, tenant: str, contact: str, leg: int) -> int | None:
        row = await self.views.get(LEGS, _of(tenant, contact), f"{leg:06d}")
        return None if row is None else int(row.value)

    async def of_leg(self, tenant: str, contact: str, leg: int) -> list[Line]:
        """In order; each line belongs to the first leg with an agent that is not before it, so to one leg only."""
        legs = [int(row.key) for row in await self.views.scan(LEGS, _of(tenant, contact))]
        before = max((one for one in legs if one < leg), default=-1)
        rows = await self._rows(LINES, _of(tenant, contact))
        lines = (msgspec.json.decode(row.value, type=Line) for row in rows)
        return [line for line in lines if before < line.leg <= leg]

    async def forget(self, contact: StreamId) -> None:
        """The contact is over and its transcripts are made: nothing of it need be kept here."""
        for view in (LINES, LEGS):
            for row in await self._rows(view, contact.key):
                await self.views.delete(view, contact.key, row.key, row.version)

    async def _rows(self, view: str, partition: str) -> list[ViewRow]:
        found: list[ViewRow] = []
        while rows := await self.views.scan(view, partition, found[-1].key if found else ""):
            found += rows
        return found


def _of(tenant: str, contact: str) -> str:
    return f"{tenant}/contact-{contact}"
