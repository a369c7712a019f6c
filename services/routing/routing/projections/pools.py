"""Which pools there are: an owner must find those of its partitions before anybody speaks to them."""

from __future__ import annotations

from dataclasses import dataclass

from switchlog.envelope import StreamId
from switchlog.store import ViewStore

VIEW = "pools"
ALL = "all"


@dataclass(frozen=True)
class Pools:
    views: ViewStore

    async def put(self, pool: StreamId) -> None:
        """Before its first fact is appended, so that no pool is ever missed."""
        await self.views.put(VIEW, ALL, pool.key, b"", 1)

    async def all(self) -> list[StreamId]:
        found: list[StreamId] = []
        while rows := await self.views.scan(VIEW, ALL, found[-1].key if found else ""):
            found += [StreamId.parse(row.key) for row in rows]
        return found
