"""Opening hours in the view store, found by tenant and id."""

from __future__ import annotations

import msgspec

from switchlog.errors import NotFound
from switchlog.store import ViewStore

from ..app.ports import Hours

VIEW = "hours"


class StoredHours:
    """Raises ``NotFound`` for what nobody has set up."""

    def __init__(self, views: ViewStore) -> None:
        self._views = views

    async def get(self, tenant: str, id: str) -> Hours:
        row = await self._views.get(VIEW, tenant, id)
        if row is None:
            raise NotFound(detail=id)
        return msgspec.json.decode(row.value, type=Hours)

    async def put(self, hours: Hours, now: int) -> None:
        await self._views.put(VIEW, hours.tenant, hours.id, msgspec.json.encode(hours), now)

    async def all(self, tenant: str) -> list[Hours]:
        return [msgspec.json.decode(row.value, type=Hours) for row in await self._views.scan(VIEW, tenant)]
