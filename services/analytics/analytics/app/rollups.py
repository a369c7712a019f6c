"""A queue's local days that are long over: each is added up once, kept, and added up anew after late facts."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import NamedTuple, Protocol, TypeVar

from ..domain.intervals import Span
from ..domain.levels import COHORT, DAY_MS, Cell
from ..domain.rollups import Rollup, Worked, rolled

T = TypeVar("T")
CLOSED_MS = 2 * DAY_MS
"""Days that ended longer ago are rolled up: twice as old as cells are that change unnoted."""

Late = Mapping[str, int]
"""What was noted of changes of old cells: (UTC day and source partition as text) -> up to which offset."""


class Of(NamedTuple):
    """Whose days: a queue's, of an attribution, in a zone; with what each agent did or by channel alone."""

    tenant: str
    queue: str
    attribution: str
    by_agent: bool
    tz: str


class Standing(NamedTuple):
    """Roll-ups that reflect all changes noted; for the other days the changes that one made now reflects, or ``None``
    where some are noted and may not be stored yet."""

    rollups: Mapping[Span, Rollup]
    missing: Mapping[Span, Late | None]


class Rollups(Protocol):
    """The stored roll-ups."""

    async def standing(self, of: Of, days: Sequence[Span]) -> Standing:
        """Of days in a row; to be called before the cells of those that are missing are read."""
        ...

    async def keep(self, of: Of, made: Iterable[tuple[Span, Late, Rollup]]) -> None: ...


class Cells(Protocol):
    """The stored cells that roll-ups are made of; ``begin <= start < end``."""

    def cells(self, tenant: str, queue: str, begin: int, end: int, attribution: str = COHORT) -> AsyncIterator[Cell]:
        """By start; one of each source partition that has some."""
        ...

    def work(self, tenant: str, queue: str, begin: int, end: int) -> AsyncIterator[Worked]:
        """Agents' time in event cells."""
        ...


async def read(
    kept: Cells, rollups: Rollups, of: Of, days: Sequence[Span], stride: int
) -> AsyncIterator[tuple[Span, Rollup]]:
    """``days`` in a row, in any order; of those to be added up ``stride`` milliseconds at a time are in memory."""
    standing = await rollups.standing(of, days)
    for day, rollup in standing.rollups.items():
        yield day, rollup
    made: dict[Span, Rollup] = {}
    for run in _runs(standing.missing, stride):
        found = await _made(kept, of, run)
        for one in found.items():
            yield one
        made |= found
    await rollups.keep(of, [(day, late, made[day]) for day, late in standing.missing.items() if late is not None])


async def _made(kept: Cells, of: Of, run: Sequence[Span]) -> dict[Span, Rollup]:
    """Days in a row."""
    place = of.tenant, of.queue, run[0][0], run[-1][1]
    cells = [cell async for cell in kept.cells(*place, of.attribution)]
    work = [one async for one in kept.work(*place)] if of.attribution == COHORT else []
    return {
        day: rolled(of.queue, _within(cells, day, _start), _within(work, day, itemgetter(0)), of.by_agent)
        for day in run
    }


def _within(found: list[T], day: Span, start: Callable[[T], int]) -> list[T]:
    """Those that begin in ``day``, of what is in order."""
    return found[bisect_left(found, day[0], key=start) : bisect_left(found, day[1], key=start)]


def _start(cell: Cell) -> int:
    return cell.start


def _runs(days: Iterable[Span], stride: int) -> Iterator[list[Span]]:
    """Days in a row, ``stride`` long at most, or one."""
    run: list[Span] = []
    for day in days:
        if run and (day[0] != run[-1][1] or day[1] - run[0][0] > stride):
            yield run
            run = []
        run.append(day)
    if run:
        yield run
