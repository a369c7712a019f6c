"""A partition's folding over a store that may crash between any two rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from analytics.adapters import routing_facts
from analytics.app.folding import Folding
from analytics.app.ports import Where
from analytics.projections.queue_rows import QueueRows
from analytics.projections.rows import StoredRows
from switchlog.errors import NotFound, Poison
from switchlog.store import ViewStore

from .scene import Log, Rec

WHERE = Where("routing.events.v1", 0)


class Crash(BaseException):
    """The process is gone."""


class TearingViews:
    """Views that write one row at a time, as Cassandra may leave them, and die after ``budget`` of them."""

    def __init__(self, views: ViewStore, budget: int | None = None) -> None:
        self._views, self.budget = views, budget
        self.written = 0

    async def put_many(self, view: str, rows: Sequence[tuple[str, str, bytes, int]]) -> None:
        for row in rows:
            await self.put(view, *row)

    async def put(self, view: str, partition: str, key: str, value: bytes, version: int) -> None:
        if self.budget is not None and self.written >= self.budget:
            raise Crash
        self.written += 1
        await self._views.put(view, partition, key, value, version)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._views, name)


class Owner:
    """The log of the pools' owner, for healing."""

    def __init__(self, log: Log) -> None:
        self.log = log
        self.asked: list[tuple[bytes, int]] = []

    async def missing(self, record: Rec, last: int) -> list[bytes]:
        upto = routing_facts.read(record.value).meta.version
        self.asked.append((record.key or b"", last))
        held = {}
        for kept in self.log.records:
            if kept.key == record.key:
                held[routing_facts.read(kept.value).meta.version] = kept.value
        if not all(version in held for version in range(last + 1, upto + 1)):
            raise Poison("NOT_IN_OWNERS_LOG")
        return [held[version] for version in range(last + 1, upto)]


async def opened(views: Any, log: Log, owner: Owner | None = None) -> tuple[Folding, list]:
    """A process that has just been given the partition; what it buried."""
    buried: list = []

    async def bury(record: Any, reason: str, detail: str) -> None:
        buried.append((record.offset, reason))

    rows = QueueRows(StoredRows(views, "s1", "g"))
    owner = owner or Owner(log)
    return Folding(WHERE, await rows.board(WHERE), rows, routing_facts, owner.missing, bury), buried


async def deliver(folding: Folding, records: Sequence[Rec], size: int = 1000) -> None:
    """From where its progress says, in batches."""
    records = [record for record in records if record.offset >= folding.board.next]
    for n in range(0, len(records), size):
        await folding.take(records[n : n + size])


async def stored_cells(views: Any, tenant: str, queues: Sequence[str], attribution: str = "cohort") -> list:
    rows = StoredRows(views, "s1", "g")
    return [cell for queue in queues async for cell in rows.cells(tenant, queue, 0, 1 << 45, attribution)]


__all__ = ["WHERE", "Crash", "NotFound", "Owner", "TearingViews", "deliver", "opened", "stored_cells"]
