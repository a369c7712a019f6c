"""Whose a contact is and who had it: kept from the contacts' own facts, so that nobody need be asked."""

from __future__ import annotations

from dataclasses import dataclass, replace

import msgspec

from switchlog.envelope import StreamId
from switchlog.errors import NotFound
from switchlog.store import ViewStore

from ..app.ports import ContactRow

VIEW = "contacts"


@dataclass(frozen=True, slots=True)
class ContactSeen:
    """What one fact adds: nothing where a field is empty."""

    customer_ref: str = ""
    queue: str = ""
    agent: str = ""


@dataclass(frozen=True)
class ContactsView:
    views: ViewStore

    async def get(self, tenant: str, contact: str) -> ContactRow:
        row = await self.views.get(VIEW, tenant, contact)
        if row is None:
            raise NotFound(detail=f"contact-{contact}")
        return _read(row.value)

    async def fold(self, stream: StreamId, version: int, seen: ContactSeen) -> None:
        """Repeats and stragglers change nothing: the row's version guards it."""
        contact = stream.name.removeprefix("contact-")
        row = await self.views.get(VIEW, stream.tenant, contact)
        if row is not None and row.version >= version:
            return
        before = _read(row.value) if row is not None else ContactRow(contact, "")
        after = msgspec.json.encode(folded(before, seen))
        await self.views.put(VIEW, stream.tenant, contact, after, version)


def folded(row: ContactRow, seen: ContactSeen) -> ContactRow:
    """``row`` with what ``seen`` adds."""
    agents = row.agents if seen.agent in ("", *row.agents) else (*row.agents, seen.agent)
    return replace(
        row, customer_ref=seen.customer_ref or row.customer_ref, queue=seen.queue or row.queue, agents=agents
    )


def _read(value: bytes) -> ContactRow:
    return msgspec.json.decode(value, type=ContactRow)
