"""A pool's log read back: by local day and turn by turn, in bounded memory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from switchlog.envelope import Codec, Row, StreamId
from switchlog.errors import NotFound
from switchlog.store import EventStore, SeenStore, ViewStore

from ..domain.events import Event
from ..domain.expressions import NO_EXPRESSIONS, Expressions
from ..domain.replay import opens
from ..domain.state import Board
from .log import Opened, open_chapter, pool_id, read_events


class DayStarts(Protocol):
    """Where the days of a pool begin."""

    async def of(self, pool: StreamId) -> list[tuple[str, int]]:
        """(date, version) of all known days, earliest first."""
        ...


class PoolNames(Protocol):
    """Which pools there are."""

    async def all(self) -> list[StreamId]: ...


class Reading(Protocol):
    """A store to look at; nothing is written by those who have only this."""

    @property
    def events(self) -> EventStore: ...
    @property
    def views(self) -> ViewStore: ...
    @property
    def seen(self) -> SeenStore: ...


@dataclass(frozen=True, slots=True)
class Day:
    """The versions from ``first`` to ``last`` (0: it goes on); ``date`` is empty for what came before the first day."""

    date: str
    first: int
    last: int = 0

    def holds(self, version: int) -> bool:
        return self.first <= version and (not self.last or version <= self.last)


@dataclass(frozen=True, slots=True)
class Turn:
    """The facts of one input with their versions, recorded together at ``at`` (epoch milliseconds).

    ``unknown`` counts facts among them that this version of the service cannot read.
    """

    events: tuple[Event, ...]
    versions: tuple[int, ...]
    at: int
    unknown: int = 0


@dataclass(frozen=True)
class History:
    """All pools of a store. ``page`` is how many rows are read and understood at a stretch."""

    events: EventStore
    days: DayStarts
    pools: PoolNames
    seen: SeenStore
    codec: Codec[Event]
    expressions: Expressions = NO_EXPRESSIONS
    page: int = 500

    async def days_of(self, pool: StreamId) -> list[Day]:
        """All days, earliest first; raises ``NotFound`` for an unknown pool."""
        if not await self.events.head(pool):
            raise NotFound(detail=pool.name)
        starts = [("", 1), *await self.days.of(pool)]
        ends = [version - 1 for _, version in starts[1:]]
        days = [Day(date, first, last) for (date, first), last in zip(starts, [*ends, 0], strict=True)]
        return [day for day in days if not day.last or day.last >= day.first]

    async def day(self, pool: StreamId, date: str) -> Day:
        """The local day ``date`` (YYYY-MM-DD); raises ``NotFound`` when the pool has none such."""
        known = await self.days_of(pool)
        for day in known:
            if day.date == date:
                return day
        dates = ", ".join(day.date for day in known if day.date) or "none"
        raise NotFound(detail=f"{pool.name} has no day {date}; it has {dates}")

    async def opened(self, pool: StreamId, day: Day) -> Opened | None:
        """The board with which ``day`` begins; ``None`` when its carry is not sound."""
        if day.first == 1:
            opened: Opened | None = Opened(Board(pool.tenant, pool_id(pool)))
        else:
            opened = await open_chapter(self.events, self.codec, pool, day.first)
        if opened is not None:
            opened.board.use(self.expressions)
        return opened

    async def opened_soundly(self, pool: StreamId, day: Day) -> Opened:
        """The same; where a carry is not sound, from an earlier day on: the first always begins with nothing."""
        opened = await self.opened(pool, day)
        earlier = [one for one in await self.days_of(pool) if one.first < day.first]
        while opened is None:
            opened = await self.opened(pool, earlier.pop())
        return opened

    async def turns(self, pool: StreamId, after: int, upto: int = 0) -> AsyncIterator[Turn]:
        """Whole turns that begin after version ``after``, and not after ``upto`` unless that is 0."""
        open_turn = _Open()
        async for event, row in read_events(self.events, self.codec, pool, after, self.page):
            if event is None:
                open_turn.unknown += 1
                continue
            if open_turn.facts and opens(event):
                yield open_turn.closed()
                open_turn = _Open()
            if upto and not open_turn.facts and row.version > upto:
                return
            open_turn.add(event, row)
        if open_turn.facts:
            yield open_turn.closed()


class _Open:
    """A turn being read."""

    def __init__(self) -> None:
        self.facts: list[Event] = []
        self.versions: list[int] = []
        self.at = self.unknown = 0

    def add(self, event: Event, row: Row) -> None:
        self.at = self.at or row.recorded_at
        self.facts.append(event)
        self.versions.append(row.version)

    def closed(self) -> Turn:
        return Turn(tuple(self.facts), tuple(self.versions), self.at, self.unknown)
