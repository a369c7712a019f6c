"""Where each local day of a pool begins in its stream: for folds, replay and what-if (kernel rule 19)."""

from __future__ import annotations

from dataclasses import dataclass

from switchlog.envelope import StreamId
from switchlog.store import ViewStore

VIEW = "pool_days"


@dataclass(frozen=True)
class Days:
    views: ViewStore

    async def put(self, pool: StreamId, date: str, version: int) -> None:
        """``date`` (YYYY-MM-DD) begins with the complete chapter at ``version``."""
        await self.views.put(VIEW, pool.key, date, b"", version)

    async def of(self, pool: StreamId) -> list[tuple[str, int]]:
        """All days, earliest first."""
        days: list[tuple[str, int]] = []
        while rows := await self.views.scan(VIEW, pool.key, days[-1][0] if days else ""):
            days += [(row.key, row.version) for row in rows]
        return days

    async def latest(self, pool: StreamId) -> int:
        """The version at which the last day begins; 0 when none is known."""
        return max((version for _, version in await self.of(pool)), default=0)
