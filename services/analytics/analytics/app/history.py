"""Rows of any time from what is stored, a local day or one longer interval at a time: no more of it is in memory.

Of few queues it is a week at a time.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from ..domain.counters import Day
from ..domain.figures import FCR, Asked, Place, Row, Sheet
from ..domain.intervals import Span, intervals
from ..domain.levels import COHORT, DAY_MS, EVENT, Cell
from ..domain.tickets import Ticket, repeated

AT_ONCE = 16
"""So many queues are read at the same time."""
FEW = 8


class Kept(Protocol):
    """The stored rows that figures by interval are made of; spans are of starts, ``begin <= start < end``."""

    def cells(self, tenant: str, queue: str, begin: int, end: int, attribution: str = COHORT) -> AsyncIterator[Cell]:
        """By start; one of each source partition that has some."""
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
    """A question to be answered for any span: whose, what, of which queues, and the instant it is asked at."""

    kept: Kept
    tenant: str
    asked: Asked
    places: Sequence[Place]
    now: int

    async def rows(self, begin: int, end: int) -> AsyncIterator[list[Row]]:
        """Rows of every interval that the span touches, whole, some intervals at a time; by start, then group."""
        for spans in _chunks(begin, end, self.asked, self._stride):
            sheet = Sheet(self.asked, spans, self.places, self.now)
            await self._fill(sheet, spans[0][0], spans[-1][1])
            yield sheet.rows()

    async def over(self, begin: int, end: int) -> list[Row]:
        """Rows of one interval, from quarter hour to quarter hour."""
        sheet = Sheet(self.asked, [(begin, end)], self.places, self.now)
        await self._fill(sheet, begin, end)
        return sheet.rows()

    @property
    def _stride(self) -> int:
        return DAY_MS if len(self.places) > FEW else 7 * DAY_MS

    async def _fill(self, sheet: Sheet, begin: int, end: int) -> None:
        for at in range(begin, end, self._stride):
            for n in range(0, len(self.places), AT_ONCE):
                until = min(end, at + self._stride)
                await asyncio.gather(*(self._cells(sheet, one, at, until) for one in self.places[n : n + AT_ONCE]))
        if self.asked.of_agents:
            await self._agents(sheet, begin, end)
        if FCR & set(self.asked.formulas):
            await self._tickets(sheet, begin, end)

    async def _cells(self, sheet: Sheet, place: Place, begin: int, end: int) -> None:
        of = self.tenant, place.queue, begin, end
        sheet.take_cells(place, [cell async for cell in self.kept.cells(*of, self.asked.attribution)])
        if self.asked.attribution == COHORT and not self.asked.of_agents:
            sheet.take_work(place, [cell async for cell in self.kept.cells(*of, EVENT)])

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
