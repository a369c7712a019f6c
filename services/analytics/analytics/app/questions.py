"""Answers to what people ask of figures, from the stored rows alone: whoever folds may be another process."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Protocol
from zoneinfo import ZoneInfo

from switchlog.clock import Clock
from switchlog.decider import Rejected
from switchlog.errors import NotFound

from ..domain import figures, floor
from ..domain.board import Pool, Queue
from ..domain.figures import Asked, Row
from ..domain.formulas import FORMULAS, thresholds_of
from ..domain.intervals import STEPS, day_start, zone
from ..domain.levels import QUARTER_MS, Cell, quarter

MOST_DAYS = 400
DAY_MS = 24 * 3600 * 1000


class Stored(Protocol):
    """The stored rows, as questions need them."""

    def cells(self, tenant: str, queue: str, begin: int, end: int) -> AsyncIterator[Cell]: ...

    def agents(self, tenant: str, pool: str) -> AsyncIterator[floor.Agent]: ...

    async def queues(self, tenant: str) -> list[Queue]: ...

    async def queue(self, tenant: str, queue: str) -> Queue | None: ...

    async def pool_of(self, tenant: str, pool: str) -> Pool: ...

    async def caught_up_at(self, topic: str, tenant: str, pool: str) -> int: ...


@dataclass(frozen=True, slots=True)
class FiguresAsked:
    """A question for figures by interval; 0 and empty mean the default."""

    queues: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    begin: int | None = None
    end: int | None = None
    step: str = "30m"
    tz: str = ""
    attribution: str = "cohort"
    threshold_s: int = 20
    formulas: tuple[str, ...] = ()
    group_by: tuple[str, ...] = ("queue",)


@dataclass(frozen=True, slots=True)
class Figures:
    """The answer: every row with how old its newest input is, seconds."""

    tz: str
    step: str
    threshold_s: int
    as_of: int
    rows: Sequence[tuple[Row, float]]


@dataclass(frozen=True, slots=True)
class Now:
    """The wallboard's row; ``today`` is the local day so far."""

    queue: str
    at: int
    waiting: int
    longest_wait_ms: int
    agents: dict[str, int]
    today: Row
    freshness_s: float


@dataclass(frozen=True)
class Questions:
    """``topic`` is where the facts come from; ``time_zone`` is that of tenants whose pools have said none."""

    stored: Stored
    clock: Clock
    topic: str
    time_zone: str

    async def now(self, tenant: str, queue: str) -> Now:
        """A queue at this moment; raises ``NotFound``."""
        found, now = await self._queue(tenant, queue), self.clock.now()
        pool = await self.stored.pool_of(tenant, found.pool)
        tz = zone(pool.time_zone or self.time_zone)
        begin = day_start(now, tz)
        today = [cell async for cell in self.stored.cells(tenant, queue, begin, begin + 2 * DAY_MS)]
        open_cells = await self._open(tenant, found, today)
        queued_at = [said.queued_at for cell in open_cells for said in cell.waiting.values()]
        asked = Asked("1d", tz, found.threshold_s, found.threshold_s, tuple(FORMULAS))
        agents = [agent async for agent in self.stored.agents(tenant, found.pool)]
        return Now(
            queue=queue,
            at=now,
            waiting=len(queued_at),
            longest_wait_ms=max(0, now - min(queued_at, default=now)),
            agents=floor.census(a for a in agents if a.here and floor.serves(a, queue, found.required)),
            today=figures.row(queue, (begin, begin + DAY_MS), today, asked, pool.clock, now),
            freshness_s=await self._freshness(tenant, pool, now),
        )

    async def figures(self, tenant: str, asked: FiguresAsked) -> Figures:
        """Figures by interval; raises ``Rejected`` (bad input) for what is unknown or not there yet."""
        check(asked)
        now = self.clock.now()
        queues = [await self._queue(tenant, queue) for queue in asked.queues] or await self.stored.queues(tenant)
        tz = zone(asked.tz or await self._zone_of(tenant, queues))
        begin = day_start(now, tz) if asked.begin is None else asked.begin
        end = now if asked.end is None else asked.end
        if not 0 <= end - begin <= MOST_DAYS * DAY_MS:
            raise Rejected("BAD_RANGE", f"from lies before to, by at most {MOST_DAYS} days", invalid=True)
        rows = [row for queue in queues for row in await self._rows(tenant, queue, asked, tz, (begin, end), now)]
        rows.sort(key=lambda found: (found[0].start, found[0].queue))
        return Figures(tz.key, asked.step, asked.threshold_s, now, rows)

    async def _rows(
        self, tenant: str, queue: Queue, asked: FiguresAsked, tz: ZoneInfo, span: tuple[int, int], now: int
    ) -> list[tuple[Row, float]]:
        if asked.threshold_s not in thresholds_of(queue):
            kept = ", ".join(map(str, thresholds_of(queue)))
            raise Rejected("UNKNOWN_THRESHOLD", f"figures of {queue.queue} are kept for {kept} s", invalid=True)
        pool = await self.stored.pool_of(tenant, queue.pool)
        cells = [cell async for cell in self.stored.cells(tenant, queue.queue, quarter(span[0]), span[1])]
        fixed = Asked(
            asked.step,
            tz,
            asked.threshold_s,
            queue.threshold_s,
            asked.formulas or tuple(FORMULAS),
            frozenset(asked.channels),
        )
        freshness = await self._freshness(tenant, pool, now)
        return [(row, freshness) for row in figures.rows(queue.queue, cells, fixed, pool.clock, now)]

    async def _open(self, tenant: str, queue: Queue, known: list[Cell]) -> list[Cell]:
        """``known`` and the earlier cells in which contacts still wait."""
        earliest = min((cell.start for cell in known), default=1 << 62)
        older = [
            cell
            for start in queue.open
            if start < earliest
            async for cell in self.stored.cells(tenant, queue.queue, start, start + QUARTER_MS)
        ]
        return [*older, *known]

    async def _queue(self, tenant: str, queue: str) -> Queue:
        found = await self.stored.queue(tenant, queue)
        if found is None:
            raise NotFound("UNKNOWN_QUEUE")
        return found

    async def _zone_of(self, tenant: str, queues: Sequence[Queue]) -> str:
        """The tenant's zone is that of its pools."""
        for queue in queues:
            if said := (await self.stored.pool_of(tenant, queue.pool)).time_zone:
                return said
        return self.time_zone

    async def _freshness(self, tenant: str, pool: Pool, now: int) -> float:
        """Seconds since the newest input, or since its partition was last read to the end."""
        caught_up = await self.stored.caught_up_at(self.topic, tenant, pool.pool)
        return max(0, now - max(pool.clock, caught_up)) / 1000


def check(asked: FiguresAsked) -> None:
    """Raises ``Rejected`` (bad input) for what is unknown, and for what is defined but not there yet."""
    if asked.step not in STEPS:
        later = asked.step in ("1w", "1mo")
        raise Rejected("NOT_YET" if later else "UNKNOWN_STEP", f"step is one of {', '.join(STEPS)}", invalid=True)
    if asked.attribution != "cohort":
        later = asked.attribution == "event"
        raise Rejected("NOT_YET" if later else "UNKNOWN_ATTRIBUTION", "attribution is cohort", invalid=True)
    if asked.group_by != ("queue",):
        later = set(asked.group_by) <= {"queue", "channel", "agent", "team"}
        raise Rejected("NOT_YET" if later else "UNKNOWN_GROUP", "group_by is queue", invalid=True)
    for name in asked.formulas:
        if name not in FORMULAS:
            raise Rejected("UNKNOWN_FORMULA", f"{name[:40]!r} is none of {', '.join(FORMULAS)}", invalid=True)
