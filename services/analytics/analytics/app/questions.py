"""Answers to what people ask of figures, from the stored rows alone: whoever folds may be another process."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from switchlog.clock import Clock
from switchlog.errors import NotFound

from ..domain import floor
from ..domain.asking import FiguresAsked, checked, checked_threshold, span_of
from ..domain.board import Pool, Queue
from ..domain.figures import Asked, Place, Row, Sheet
from ..domain.formulas import FORMULAS
from ..domain.intervals import Span, day_start, interval, previous, zone
from ..domain.levels import QUARTER_MS, Cell, quarter
from ..domain.targets import NO_TARGET, Target, Targets
from .history import History, Kept
from .rollups import Rollups

__all__ = ["Answer", "Figures", "FiguresAsked", "Now", "Questions", "Stored"]


class Stored(Kept, Protocol):
    """The stored rows, as questions need them."""

    def agents(self, tenant: str, pool: str) -> AsyncIterator[floor.Agent]: ...

    async def queues(self, tenant: str) -> list[Queue]: ...

    async def ticket_queues(self, tenant: str) -> list[str]:
        """The queues that tickets name; pools need not know them."""
        ...

    async def queue(self, tenant: str, queue: str) -> Queue | None: ...

    async def pool_of(self, tenant: str, pool: str) -> Pool: ...

    async def freshness_ms(self, tenant: str, pool: str, now: int) -> int:
        """Age of the newest fact of a pool, or of the moment when its partition was last read to the end."""
        ...


@dataclass(frozen=True, slots=True)
class Answer:
    """What is answered, before any row of it is read: ``span`` and ``earlier`` (where compared) are whole intervals."""

    history: History
    span: Span
    earlier: Span | None
    as_of: int

    @property
    def asked(self) -> Asked:
        return self.history.asked

    def rows(self) -> AsyncIterator[list[Row]]:
        """Some intervals at a time, by start, then group."""
        return self.history.rows(*self.span)

    def previous(self) -> AsyncIterator[list[Row]]:
        """Those of the earlier period; none where nothing is compared."""
        return self.history.rows(*(self.earlier or (0, 0)))


@dataclass(frozen=True, slots=True)
class Figures:
    """An answer whole, in memory."""

    answer: Answer
    rows: Sequence[Row]
    previous: Sequence[Row]


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
    """``time_zone`` is that of tenants whose pools have said none; without ``rollups`` all is added up each time."""

    stored: Stored
    clock: Clock
    time_zone: str
    rollups: Rollups | None = None

    async def now(self, tenant: str, queue: str) -> Now:
        """A queue at this moment; raises ``NotFound``."""
        found, now = await self._queue(tenant, queue), self.clock.now()
        pool, place = await self.stored.pool_of(tenant, found.pool), await self._place(tenant, found, now)
        tz = zone(pool.time_zone or self.time_zone)
        day = interval(now, "1d", tz)
        today = [cell async for cell in self.stored.cells(tenant, queue, *day)]
        open_cells = await self._open(tenant, found, today)
        queued_at = [said.queued_at for cell in open_cells for said in cell.waiting.values()]
        sheet = Sheet(Asked("1d", tz, found.threshold_s, tuple(FORMULAS)), [day], [place], now)
        sheet.take_cells(place, today)
        agents = [agent async for agent in self.stored.agents(tenant, found.pool)]
        return Now(
            queue=queue,
            at=now,
            waiting=len(queued_at),
            longest_wait_ms=max(0, now - min(queued_at, default=now)),
            agents=floor.census(a for a in agents if a.here and floor.serves(a, queue, found.required)),
            today=sheet.row(day, (queue,)),
            freshness_s=place.freshness_ms / 1000,
        )

    async def ask(self, tenant: str, given: FiguresAsked) -> Answer:
        """Figures by interval, to be read; raises ``Rejected`` (bad input) for what is unknown, ``NotFound``."""
        checked(given)
        now = self.clock.now()
        queues = await self._queues(tenant, given.queues)
        for queue in queues:
            checked_threshold(queue, given.threshold_s)
        tz = zone(given.tz or await self._zone_of(tenant, queues))
        span = span_of(given, tz, day_start(now, tz), now)
        earlier = previous(*span, given.step, tz) if given.compare else None
        return Answer(await self._history(tenant, given.asked(tz), queues, now), span, earlier, now)

    async def figures(self, tenant: str, given: FiguresAsked) -> Figures:
        """The same with all rows at once."""
        answer = await self.ask(tenant, given)
        return Figures(answer, await _all(answer.rows()), await _all(answer.previous()))

    async def over(self, tenant: str, given: FiguresAsked, begin: int, end: int) -> list[Row]:
        """Figures of one interval of whole quarter hours, of any step and threshold; raises as ``ask`` does."""
        checked(given)
        queues, now = await self._queues(tenant, given.queues), self.clock.now()
        tz = zone(given.tz or await self._zone_of(tenant, queues))
        return await (await self._history(tenant, given.asked(tz), queues, now)).over(begin, end)

    async def targets(self, tenant: str, queues: Iterable[str]) -> list[tuple[Target, tuple[str, ...]]]:
        """Which queues are meant to reach what now, of those that have a target; raises ``NotFound``."""
        found: dict[Target, tuple[str, ...]] = {}
        for queue in await self._queues(tenant, queues):
            target = (await self._targets(tenant, queue)).at(self.clock.now()) if queue.pool else NO_TARGET
            found[target] = (*found.get(target, ()), queue.queue)
        return [(target, named) for target, named in found.items() if target.share]

    async def waiting_since(self, tenant: str, queues: Iterable[str]) -> int:
        """The earliest quarter hour in which contacts still wait; this one, when nobody does."""
        now = quarter(self.clock.now())
        return min((start for queue in await self._queues(tenant, queues) for start in queue.open), default=now)

    async def day_begin(self, tenant: str) -> int:
        """The start of the tenant's local day."""
        return day_start(self.clock.now(), zone(await self._zone_of(tenant, await self.stored.queues(tenant))))

    async def _targets(self, tenant: str, queue: Queue) -> Targets:
        pool = await self.stored.pool_of(tenant, queue.pool)
        tz = zone(pool.zones.get(queue.hours) or pool.time_zone or self.time_zone)
        return Targets(Target(queue.threshold_s, queue.share), queue.targets, tz)

    async def _history(self, tenant: str, asked: Asked, queues: Sequence[Queue], now: int) -> History:
        places = [await self._place(tenant, queue, now) for queue in queues]
        return History(self.stored, tenant, asked, places, now, self.rollups)

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

    async def _queues(self, tenant: str, wanted: Iterable[str]) -> list[Queue]:
        """Those asked for; else all there are, and "", to which contacts count that were never queued."""
        known = {queue.queue: queue for queue in await self.stored.queues(tenant)}
        known |= {name: Queue(name, "") for name in await self.stored.ticket_queues(tenant) if name not in known}
        if missing := [name for name in wanted if name not in known]:
            raise NotFound("UNKNOWN_QUEUE", f"no queue {missing[0]!r}")
        return [known[name] for name in dict.fromkeys(wanted)] or [*known.values(), Queue("", "")]

    async def _queue(self, tenant: str, queue: str) -> Queue:
        found = await self.stored.queue(tenant, queue)
        if found is None:
            raise NotFound("UNKNOWN_QUEUE")
        return found

    async def _place(self, tenant: str, queue: Queue, now: int) -> Place:
        if not queue.pool:
            return Place(queue.queue)
        clock = (await self.stored.pool_of(tenant, queue.pool)).clock
        freshness = await self.stored.freshness_ms(tenant, queue.pool, now)
        targets = await self._targets(tenant, queue)
        return Place(queue.queue, queue.pool, queue.threshold_s, clock, freshness, targets)

    async def _zone_of(self, tenant: str, queues: Sequence[Queue]) -> str:
        """The tenant's zone is that of its pools."""
        for pool in dict.fromkeys(queue.pool for queue in queues if queue.pool):
            if said := (await self.stored.pool_of(tenant, pool)).time_zone:
                return said
        return self.time_zone


async def _all(found: AsyncIterator[list[Row]]) -> list[Row]:
    return [row async for some in found for row in some]
