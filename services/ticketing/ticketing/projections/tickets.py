"""The list of tickets: one row a ticket without any text, in the order of their ids."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import assert_never

import msgspec

from switchlog.envelope import StreamId
from switchlog.store import ViewStore

from ..app.ports import TicketRow
from ..domain.events import (
    Status,
    StatusChanged,
    TicketAssigned,
    TicketClosed,
    TicketCommented,
    TicketEvent,
    TicketOpened,
    TicketReopened,
    TicketResolved,
)

VIEW = "tickets"


@dataclass(frozen=True)
class TicketsView:
    views: ViewStore

    async def fold(self, stream: StreamId, version: int, recorded_at: int, event: TicketEvent) -> None:
        """Repeats and stragglers change nothing: the row's version guards it."""
        key = stream.name.removeprefix("ticket-")
        row = await self.views.get(VIEW, stream.tenant, key)
        if row is not None and row.version >= version:
            return
        before = _read(row.value) if row is not None else None
        after = folded(before, version, recorded_at, event)
        if after is not None:
            await self.views.put(VIEW, stream.tenant, key, msgspec.json.encode(after), version)

    async def page(self, tenant: str, after: str, limit: int) -> list[TicketRow]:
        return [_read(row.value) for row in await self.views.scan(VIEW, tenant, after, limit)]


def folded(row: TicketRow | None, version: int, at: int, event: TicketEvent) -> TicketRow | None:
    """The row after ``event``; ``None`` for a fact of a ticket whose opening was never seen."""
    if isinstance(event, TicketOpened):
        return _opened(event, version, at)
    return None if row is None else replace(_changed(row, event), version=version, changed_at=at)


def _opened(event: TicketOpened, version: int, at: int) -> TicketRow:
    return TicketRow(
        event.ticket,
        version,
        Status.OPEN,
        event.kind.value,
        event.priority,
        event.contact,
        event.customer_ref,
        event.queue,
        event.opened_by,
        at,
        at,
    )


def _changed(row: TicketRow, event: TicketEvent) -> TicketRow:
    match event:
        case TicketAssigned(_, agent, team):
            return replace(row, agent=agent, team=team)
        case TicketCommented():
            return replace(row, comments=row.comments + 1)
        case StatusChanged(to_status=status):
            return replace(row, status=status)
        case TicketResolved():
            return replace(row, status=Status.RESOLVED)
        case TicketReopened():
            return replace(row, status=Status.OPEN)
        case TicketClosed():
            return replace(row, status=Status.CLOSED)
        case TicketOpened():
            return row
        case _:
            assert_never(event)


def _read(value: bytes) -> TicketRow:
    return msgspec.json.decode(value, type=TicketRow)
