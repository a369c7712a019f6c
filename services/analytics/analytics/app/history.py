"""Rows of any time from what is stored, a local day or one longer interval at a time: no more of it is in memory.

Of few queues it is a week at a time; of days that are rolled up it is more of them at a time.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Protocol

from ..domain.counters import Day
from ..domain.figures import FCR, Asked, Place, Row, Sheet
from ..domain.intervals import CALENDAR, Span, intervals
from ..domain.levels import COHORT, DAY_MS, Cell
from ..domain.rollups import Worked
from ..domain.tickets import Ticket, repeated
from .rollups import CLOSED_MS, Of, Rollups, read

AT_ONCE = 16
"""So many queues are read at the same time."""
FEW = 8
CUSTOMERS = 20_000
"""So many customers' tickets are in memory."""
ROLLED_AT_ONCE, ROLLED_DAYS, AGENTS_DAYS = 2_000, 98, 14
"""So many days of all queues, and of one queue without and with agents, are in memory as roll-ups."""


class Kept(Protocol):
    """The stored rows that figures by interval are made of; spans are of starts, ``begin <= start < end``."""

    def cells(self, tenant: str, queue: str, begin: int, end: int, attribution: str = COHORT) -> AsyncIterator[Cell]:
        """By start; one of each source partition that has some."""
        ...

    def work(self, tenant: str, queue: str, begin: int, end: int) -> AsyncIterator[Worked]:
        """Agents' time in event cells."""
        ...

    def days(self, tenant: str, start: int) -> AsyncIterator[Day]:
        """All agents' UTC days that begin at ``start``."""
        ...

    async def days_of(self, tenant: str, agent: str, begin: int, end: int) -> list[tuple[str, Day]]:
        """One agent's UTC days of that time, each with the source partition that told it."""
        ...

    def resolved(self, tenant: str, queue: str, begin: int, end: int) -> AsyncIterator[Ticket]:
        """Tickets first resolved in these quarter hours."""
        ...

    async def cases(self, tenant: str, customer: str) -> list[Ticket]: ...


@dataclass(frozen=True)
class History:
    """A question to be answered for any span: whose, what, of which queues, and the instant it is asked at.

    With ``rollups`` days and what is longer are answered from these, where days are long over.
    """

    kept: Kept
    tenant: str
    asked: Asked
    places: Sequence[Place]
    now: int
    rollups: Rollups | None = None

    async def rows(self, begin: int, end: int) -> AsyncIterator[list[Row]]:
        """Rows of every interval that the span touches, whole, some intervals at a time; by start, then group."""
        stride = max(self._stride, self._rolled_days * DAY_MS if self._rolls else 0)
        for spans in _chunks(begin, end, self.asked, stride):
            sheet = Sheet(self.asked, spans, self.places, self.now)
            span = spans[0][0], spans[-1][1]
            await self._fill(sheet, *span, await self._closed(sheet, *span))
            yield sheet.rows()

    async def over(self, begin: int, end: int) -> list[Row]:
        """Rows of one interval, from quarter hour to quarter hour."""
        sheet = Sheet(self.asked, [(begin, end)], self.places, self.now)
        await self._fill(sheet, begin, end, begin)
        return sheet.rows()

    @property
    def _stride(self) -> int:
        return DAY_MS if len(self.places) > FEW else 7 * DAY_MS

    @property
    def _rolls(self) -> bool:
        return self.rollups is not None and self.asked.step in CALENDAR

    @property
    def _rolled_days(self) -> int:
        most = AGENTS_DAYS if self.asked.by_agent else ROLLED_DAYS
        return max(1, min(most, ROLLED_AT_ONCE // max(1, len(self.places))))

    async def _closed(self, sheet: Sheet, begin: int, end: int) -> int:
        """Take the local days that are long over; where the others begin."""
        if not self._rolls or begin + DAY_MS > self.now - CLOSED_MS:
            return begin
        days = intervals(begin, end, "1d", self.asked.tz)
        closed = list(takewhile(lambda day: day[1] <= self.now - CLOSED_MS, days))
        for at in range(0, len(closed), self._rolled_days):
            some = closed[at : at + self._rolled_days]
            for places in self._places:
                await asyncio.gather(*(self._days_of(sheet, place, some) for place in places))
        return closed[-1][1] if closed else begin

    async def _days_of(self, sheet: Sheet, place: Place, days: Sequence[Span]) -> None:
        assert self.rollups is not None  # ``_rolls``
        of = Of(self.tenant, place.queue, self.asked.attribution, self.asked.by_agent, self.asked.tz.key)
        async for day, rollup in read(self.kept, self.rollups, of, days, self._stride):
            sheet.take_rollup(place, day[0], rollup)

    async def _fill(self, sheet: Sheet, begin: int, end: int, begin_of_cells: int) -> None:
        for at in range(begin_of_cells, end, self._stride):
            for places in self._places:
                until = min(end, at + self._stride)
                await asyncio.gather(*(self._cells(sheet, one, at, until) for one in places))
        if self.asked.of_agents:
            await self._agents(sheet, begin, end)
        if FCR & set(self.asked.formulas):
            await self._tickets(sheet, begin, end)

    @property
    def _places(self) -> list[Sequence[Place]]:
        """As they are read at the same time."""
        return [self.places[n : n + AT_ONCE] for n in range(0, len(self.places), AT_ONCE)]

    async def _cells(self, sheet: Sheet, place: Place, begin: int, end: int) -> None:
        of = self.tenant, place.queue, begin, end
        sheet.take_cells(place, [cell async for cell in self.kept.cells(*of, self.asked.attribution)])
        if self.asked.attribution == COHORT and not self.asked.of_agents:
            sheet.take_work(place, [found async for found in self.kept.work(*of)])

    async def _agents(self, sheet: Sheet, begin: int, end: int) -> None:
        for start in range(begin - begin % DAY_MS, end, DAY_MS):
            async for day in self._days(start):
                sheet.take_day(day)

    async def _days(self, start: int) -> AsyncIterator[Day]:
        if not self.asked.agents:
            async for day in self.kept.days(self.tenant, start):
                yield day
        for agent in sorted(self.asked.agents):
            for _, day in await self.kept.days_of(self.tenant, agent, start, start + DAY_MS):
                yield day

    async def _tickets(self, sheet: Sheet, begin: int, end: int) -> None:
        known: dict[str, list[Ticket]] = {}
        for place in self.places:
            async for ticket in self.kept.resolved(self.tenant, place.queue, begin, end):
                if len(known) > CUSTOMERS:
                    known.clear()
                if ticket.customer not in known:
                    known[ticket.customer] = await self.kept.cases(self.tenant, ticket.customer)
                sheet.take_ticket(ticket, repeated(ticket, known[ticket.customer]))


def _chunks(begin: int, end: int, asked: Asked, stride: int) -> Iterator[list[Span]]:
    """The intervals, so many at a time that they are ``stride`` long at most, or one."""
    found: list[Span] = []
    for span in intervals(begin, end, asked.step, asked.tz):
        if found and span[1] - found[0][0] > stride:
            yield found
            found = []
        found.append(span)
    if found:
        yield found
