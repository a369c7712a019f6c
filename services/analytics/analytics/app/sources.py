"""How a fed source stands: its lines and time, what is final, and what made no sense in a span of time."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from switchlog.decider import Rejected
from switchlog.envelope import timestamp
from switchlog.errors import NotFound

from ..domain.feed import STREAMS
from ..domain.feedboard import FOR_EVER, FedStream
from ..domain.levels import DAY_MS, EVENT, Cell, quarter
from .shown import Json

MOST_DAYS = 31
DIRT = "dirt_"


class Stored(Protocol):
    """The stored rows, as this question needs them."""

    async def fed_streams(self, tenant: str, source: str) -> list[FedStream]: ...

    async def fed_queues(self, tenant: str, source: str) -> set[str]: ...

    def cells(self, tenant: str, queue: str, begin: int, end: int, attribution: str) -> AsyncIterator[Cell]: ...


@dataclass(frozen=True)
class Sources:
    stored: Stored

    async def standing(self, tenant: str, source: str, begin: int | None, end: int | None) -> Json:
        """The answer of ``GET /v1/feed/{source}``, by default of the source's last day; raises ``NotFound``."""
        streams = await self.stored.fed_streams(tenant, source)
        if not streams:
            raise NotFound("UNKNOWN_SOURCE")
        clock = max(stream.clock for stream in streams)
        until = clock + 1 if end is None else end
        since = until - DAY_MS if begin is None else begin
        if not 0 <= until - since <= MOST_DAYS * DAY_MS:
            raise Rejected("BAD_RANGE", f"from lies before to, by at most {MOST_DAYS} days", invalid=True)
        final = min(stream.final_until for stream in streams) if len(streams) == STREAMS else 0
        return {
            "source": source,
            "lines": sum(stream.lines for stream in streams),
            "time": timestamp(clock),
            "ended": all(stream.ended for stream in streams),
            "final_until": timestamp(min(final, clock)) if final else None,
            "all_final": final == FOR_EVER,
            "heard_at": timestamp(max(stream.heard_at for stream in streams)),
            "from": timestamp(quarter(since)),
            "to": timestamp(until),
            "dirt": dict(sorted((await self._dirt(tenant, source, quarter(since), until)).items())),
        }

    async def _dirt(self, tenant: str, source: str, begin: int, end: int) -> Counter[str]:
        """By what it is, of all queues that the source tells of; of calls without a queue too."""
        found: Counter[str] = Counter()
        for queue in sorted({"", *await self.stored.fed_queues(tenant, source)}):
            async for cell in self.stored.cells(tenant, queue, begin, end, EVENT):
                for tally in cell.groups.values():
                    counts = tally.counts.items()
                    found.update({name.removeprefix(DIRT): count for name, count in counts if name.startswith(DIRT)})
        return +found
