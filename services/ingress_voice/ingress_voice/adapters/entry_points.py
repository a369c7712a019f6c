"""Entry points in the view store, found by tenant and id or by number."""

from __future__ import annotations

import msgspec

from switchlog.decider import Rejected
from switchlog.errors import NotFound
from switchlog.store import ViewStore

from ..app.ports import EntryPoint

DOORS = "entry_points"
NUMBERS = "numbers"


class StoredEntryPoints:
    """Raises ``NotFound`` for what nobody has set up."""

    def __init__(self, views: ViewStore) -> None:
        self._views = views

    async def by_number(self, called: str) -> EntryPoint:
        row = await self._views.get(NUMBERS, called, "")
        if row is None:
            raise NotFound("NUMBER_UNKNOWN")
        tenant, _, id = row.value.decode().partition("/")
        door = await self.get(tenant, id)
        if door.called != called:  # replaced since
            raise NotFound("NUMBER_UNKNOWN")
        return door

    async def get(self, tenant: str, id: str) -> EntryPoint:
        row = await self._views.get(DOORS, tenant, id)
        if row is None:
            raise NotFound(detail=id)
        return _read(row.value)

    async def put(self, entry_point: EntryPoint, now: int) -> None:
        place = f"{entry_point.tenant}/{entry_point.id}".encode()
        taken = await self._views.get(NUMBERS, entry_point.called, "")
        if taken is not None and taken.value != place:
            raise Rejected("NUMBER_TAKEN")
        await self._views.put(NUMBERS, entry_point.called, "", place, now)
        await self._views.put(DOORS, entry_point.tenant, entry_point.id, msgspec.json.encode(entry_point), now)

    async def all(self, tenant: str) -> list[EntryPoint]:
        return [_read(row.value) for row in await self._views.scan(DOORS, tenant)]


def _read(value: bytes) -> EntryPoint:
    return msgspec.json.decode(value, type=EntryPoint)
