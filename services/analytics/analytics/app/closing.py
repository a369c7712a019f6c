"""Fed rows that become final by their source's time alone: those it has passed are published once more.

A pool says by a fact that a quarter hour is over, and the fact changes the row. Of a feed only the source's time moves,
for many rows at once, and moves on when nothing comes any more. So the fold notes, per source and partition, from where
on rows are open (``Mark``); rows are published from there to the source's time, and then the mark follows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from ..domain.feedboard import FOR_EVER
from ..domain.levels import COHORT, QUARTER_MS, CellKey, quarter

AT_ONCE = 2_000
"""About so many rows a source and second: a year of a queue is 35 000."""


class Mark(NamedTuple):
    """A source's rows that begin at or after ``start`` may be open, as its source partition ``where`` told it."""

    tenant: str
    source: str
    where: str
    start: int
    version: int


class Stored(Protocol):
    """The stored rows, as closing needs them."""

    async def fed_marks(self) -> list[Mark]:
        """Those behind which something is open."""
        ...

    async def fed_closed(self, mark: Mark, start: int) -> None:
        """Move a mark on, unless the fold has moved it meanwhile."""
        ...

    async def fed_until(self, tenant: str, source: str) -> tuple[int, int]:
        """(what happened before is told, the latest time told), epoch milliseconds."""
        ...

    async def fed_starts(self, tenant: str, source: str, begin: int, end: int) -> Sequence[tuple[str, int]]:
        """(queue, quarter hour) of the source's queues in which something counts."""
        ...

    async def fed_threshold_s(self, tenant: str, source: str) -> int:
        """The greatest target of the source's queues."""
        ...


@dataclass
class Closing:
    """``due`` once a second, then ``said`` when these have been sent. ``mine``: is a source partition read here."""

    stored: Stored
    mine: Callable[[str], bool]
    passed: list[tuple[Mark, int]] = field(default_factory=list)

    async def due(self) -> list[CellKey]:
        """Rows whose time has come; the marks move when they are ``said``."""
        self.passed, found = [], list[CellKey]()
        for (tenant, source), marks in _by_source(
            mark for mark in await self.stored.fed_marks() if self.mine(mark.where)
        ):
            begin = min(mark.start for mark in marks)
            keys, until = await self._passed(tenant, source, begin)
            self.passed += [(mark, until) for mark in marks if mark.start < until]
            found += keys
        return found

    async def said(self) -> None:
        """What was due is published."""
        for mark, until in self.passed:
            await self.stored.fed_closed(mark, until)
        self.passed = []

    async def _passed(self, tenant: str, source: str, begin: int) -> tuple[list[CellKey], int]:
        """Rows from ``begin`` on that are over, and the first quarter hour that is not looked at."""
        told, latest = await self.stored.fed_until(tenant, source)
        over = quarter(told - 1000 * await self.stored.fed_threshold_s(tenant, source))
        if over <= begin:
            return [], begin
        keys: list[CellKey] = []
        # nothing counts after the latest time told
        end = min(over, quarter(latest) + QUARTER_MS)
        while begin < end and len(keys) < AT_ONCE:
            upto = min(end, begin + 96 * QUARTER_MS)
            starts = await self.stored.fed_starts(tenant, source, begin, upto)
            keys += [(tenant, queue, start, COHORT) for queue, start in starts]
            begin = upto
        return keys, FOR_EVER if told == FOR_EVER and begin >= end else begin


def _by_source(marks: Iterable[Mark]) -> list[tuple[tuple[str, str], list[Mark]]]:
    found: dict[tuple[str, str], list[Mark]] = {}
    for mark in marks:
        found.setdefault((mark.tenant, mark.source), []).append(mark)
    return sorted(found.items())
