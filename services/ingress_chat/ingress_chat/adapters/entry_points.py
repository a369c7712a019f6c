"""Entry points in the view store, found by tenant and id or by site key."""

from __future__ import annotations

import msgspec

from switchlog.decider import Rejected
from switchlog.errors import NotFound
from switchlog.store import ViewStore

from ..app.ports import EntryPoint

DOORS = "entry_points"
SITE_KEYS = "site_keys"
ORIGINS = "site_origins"


class StoredEntryPoints:
    """Raises ``NotFound`` for what nobody has set up."""

    def __init__(self, views: ViewStore) -> None:
        self._views = views

    async def by_site_key(self, site_key: str) -> EntryPoint:
        row = await self._views.get(SITE_KEYS, site_key, "")
        if row is None:
            raise NotFound("SITE_KEY_UNKNOWN")
        tenant, _, id = row.value.decode().partition("/")
        door = await self.get(tenant, id)
        if door.site_key != site_key:  # replaced since
            raise NotFound("SITE_KEY_UNKNOWN")
        return door

    async def get(self, tenant: str, id: str) -> EntryPoint:
        row = await self._views.get(DOORS, tenant, id)
        if row is None:
            raise NotFound(detail=id)
        return _read(row.value)

    async def put(self, entry_point: EntryPoint, now: int) -> None:
        place = f"{entry_point.tenant}/{entry_point.id}"
        if await self._taken(entry_point.site_key, place):
            raise Rejected("SITE_KEY_TAKEN")
        before = await self._views.get(DOORS, entry_point.tenant, entry_point.id)
        await self._views.put(SITE_KEYS, entry_point.site_key, "", place.encode(), now)
        await self._views.put_many(ORIGINS, [(origin, place, b"", now) for origin in entry_point.allowed_origins])
        await self._views.put(DOORS, entry_point.tenant, entry_point.id, msgspec.json.encode(entry_point), now)
        for origin in set(_read(before.value).allowed_origins if before else ()) - {*entry_point.allowed_origins}:
            await self._views.delete(ORIGINS, origin, place, now)

    async def names(self, origin: str) -> bool:
        """Whether any entry point allows pages of ``origin``."""
        return bool(await self._views.scan(ORIGINS, origin, limit=1))

    async def _taken(self, site_key: str, place: str) -> bool:
        """By another entry point that still has it."""
        row = await self._views.get(SITE_KEYS, site_key, "")
        if row is None or row.value.decode() == place:
            return False
        tenant, _, id = row.value.decode().partition("/")
        other = await self._views.get(DOORS, tenant, id)
        return other is not None and _read(other.value).site_key == site_key

    async def all(self, tenant: str) -> list[EntryPoint]:
        return [_read(row.value) for row in await self._views.scan(DOORS, tenant)]


def _read(value: bytes) -> EntryPoint:
    return msgspec.json.decode(value, type=EntryPoint)
