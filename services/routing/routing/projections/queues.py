"""The queues of a tenant, and the pool each is in: one row a queue, kept by the version of its pool's stream."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from switchlog.envelope import StreamId
from switchlog.store import ViewStore

from ..adapters.defined import definition_of
from ..app.ports import QueueRow
from ..domain.events import QueueDefined

VIEW = "queues"


@dataclass(frozen=True)
class Queues:
    views: ViewStore

    async def fold(self, pool: StreamId, version: int, event: QueueDefined) -> None:
        whole = definition_of(event.queue).SerializeToString(deterministic=True)
        row = QueueRow(event.queue.id, pool.name.removeprefix("pool-"), version, whole)
        if event.removed:
            await self.views.delete(VIEW, pool.tenant, row.queue, version)
        else:
            await self.views.put(VIEW, pool.tenant, row.queue, msgspec.json.encode(row), version)

    async def get(self, tenant: str, queue: str) -> QueueRow | None:
        row = await self.views.get(VIEW, tenant, queue)
        return msgspec.json.decode(row.value, type=QueueRow) if row else None

    async def all(self, tenant: str, after: str = "", limit: int = 100) -> list[QueueRow]:
        rows = await self.views.scan(VIEW, tenant, after, limit)
        return [msgspec.json.decode(row.value, type=QueueRow) for row in rows]
