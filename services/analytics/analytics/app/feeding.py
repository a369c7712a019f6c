"""Lines into the durable streams of their sources: each once, whoever sends them again and wherever it broke off."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol, TypeVar
from weakref import WeakValueDictionary

from switchlog.bus.patience import pauses
from switchlog.clock import Clock
from switchlog.envelope import Cause, StreamId
from switchlog.errors import NotNow, Rejected, VersionConflict
from switchlog.folds import Folded
from switchlog.ids import checked_id, new_id
from switchlog.writer import Answer

from ..domain.feed import (
    DUPLICATE,
    LINES,
    AdvanceFeed,
    EndFeed,
    Feed,
    FeedCommand,
    FeedLines,
    Line,
    OpenFeed,
    Terms,
    sort_out,
    stream_of,
    streams_of,
)
from .feedlines import Accepted, Refused

T = TypeVar("T")

MOST_SOURCES = 100
MOST_TOLD = 1_000
TRIES = 5
PATIENCE_S = 20.0

LATE = Refused("TOO_LATE", "later than the lateness that was stated; a file that is given whole may be in any order")


class Log(Protocol):
    """The one writer of feeds in this process."""

    async def execute(
        self, stream: StreamId, command: FeedCommand, cause: Cause, *, expect: int | None = None
    ) -> Answer: ...

    async def state(self, stream: StreamId, *, fresh: bool = False) -> Folded[Feed]: ...


Note = Callable[[StreamId, int], Awaitable[None]]
"""A stream stands at that version: time for a snapshot, perhaps."""


@dataclass(frozen=True, slots=True)
class Rejection:
    """``line`` counts from 1."""

    line: int
    reason: str
    detail: str


@dataclass
class Tally:
    """What became of the lines of one request; ``left_out`` are attributes that nobody declared."""

    accepted: int = 0
    duplicates: int = 0
    rejected: int = 0
    left_out: int = 0
    rejections: list[Rejection] = field(default_factory=list)
    reasons: Counter[str] = field(default_factory=Counter)

    def refuse(self, number: int, why: Refused) -> None:
        self.rejected += 1
        self.reasons[why.reason] += 1
        if len(self.rejections) < MOST_TOLD:
            self.rejections.append(Rejection(number, why.reason, why.detail))


@dataclass
class Feeding:
    """What this process needs to take feeds; ``one`` request or file is a ``Giving``."""

    log: Log
    note: Note
    clock: Clock
    locks: WeakValueDictionary[StreamId, asyncio.Lock] = field(default_factory=WeakValueDictionary)

    def one(self, tenant: str, actor: str, terms: Terms) -> Giving:
        return Giving(self, tenant, actor, terms)

    def lock(self, stream: StreamId) -> asyncio.Lock:
        return self.locks.setdefault(stream, asyncio.Lock())


@dataclass
class Giving:
    """``give`` lines, then ``end``. Raises ``NotNow`` when the store stays away: then send the same again."""

    feeding: Feeding
    tenant: str
    actor: str
    terms: Terms
    tally: Tally = field(default_factory=Tally)
    sources: set[str] = field(default_factory=set)

    async def give(self, lines: Iterable[tuple[int, Accepted]]) -> None:
        """Lines with their numbers; when this returns they are durable."""
        streams: dict[tuple[str, str], list[tuple[int, Line]]] = {}
        for number, (source, line, left_out) in lines:
            if source not in self.sources and len(self.sources) >= MOST_SOURCES:
                self.tally.refuse(number, Refused("TOO_MANY_SOURCES", f"at most {MOST_SOURCES} in one request"))
                continue
            self.sources.add(source)
            self.tally.left_out += left_out
            streams.setdefault((source, stream_of(source, line)), []).append((number, line))
        told = (self._tell(StreamId(self.tenant, name), source, found) for (source, name), found in streams.items())
        await asyncio.gather(*told)

    async def end(self, more: bool = False, ends: Sequence[str] = ()) -> Tally:
        """The request is over; unless there is ``more`` of an any-order file, what it told of becomes final.

        ``ends`` are sources that the file told of in requests before.
        """
        for source in sorted({*self.sources, *(checked_id(name, "source") for name in ends)}):
            await self._settle(source, more)
        self.tally.rejections.sort(key=lambda one: one.line)
        return self.tally

    # --- one stream --------------------------------------------------------------------------------------------------

    async def _tell(self, stream: StreamId, source: str, lines: Sequence[tuple[int, Line]]) -> None:
        async with self.feeding.lock(stream):
            for begin in range(0, len(lines), LINES):
                await self._append(stream, source, lines[begin : begin + LINES])

    async def _append(self, stream: StreamId, source: str, lines: Sequence[tuple[int, Line]]) -> None:
        """As sorted out on the very version that it follows; whoever wrote in between makes it sorted out again."""
        for _ in range(TRIES):
            seen = await self._state(stream)
            found = sort_out(seen.state, self.terms, [line for _, line in lines])
            try:
                if found.new:
                    await self._do(stream, FeedLines(source, self.terms, tuple(found.new)), seen.head)
            except VersionConflict:
                continue
            except Rejected as refusal:
                if refusal.reason != "TOO_LARGE" or len(lines) == 1:
                    raise
                half = len(lines) // 2
                await self._append(stream, source, lines[:half])
                await self._append(stream, source, lines[half:])
                return
            self._count(lines, len(found.new), found.refused)
            return
        raise NotNow("BUSY", f"others write to {stream.name}")

    def _count(self, lines: Sequence[tuple[int, Line]], new: int, refused: Sequence[tuple[int, str]]) -> None:
        self.tally.accepted += new
        for place, why in refused:
            if why == DUPLICATE:
                self.tally.duplicates += 1
            else:
                self.tally.refuse(lines[place][0], LATE)

    # --- a source: all its streams are open, or none -----------------------------------------------------------------

    async def _settle(self, source: str, more: bool) -> None:
        streams = [StreamId(self.tenant, name) for name in streams_of(source)]
        feeds = [(await self._state(stream)).state for stream in streams]
        if not any(feed.open for feed in feeds):
            return  # nothing was new
        for stream, feed in zip(streams, feeds, strict=True):
            if not feed.open or (self.tally.accepted and feed.terms != self.terms):
                await self._do(stream, OpenFeed(source, self.terms))
        latest = max(feed.clock for feed in feeds)
        if not self.terms.any_order:
            await self._each(streams, AdvanceFeed(source, latest))
        elif not more:
            await self._each(streams, EndFeed(source))

    async def _each(self, streams: Sequence[StreamId], command: FeedCommand) -> None:
        await asyncio.gather(*(self._do(stream, command) for stream in streams))

    # --- patience ----------------------------------------------------------------------------------------------------

    async def _state(self, stream: StreamId) -> Folded[Feed]:
        return await _patient(lambda: self.feeding.log.state(stream))

    async def _do(self, stream: StreamId, command: FeedCommand, expect: int | None = None) -> None:
        """The same command until it is known to stand: of an unknown outcome its id tells (kernel rule 5)."""
        cause = Cause(new_id(), "", self.actor)
        answer = await _patient(lambda: self.feeding.log.execute(stream, command, cause, expect=expect))
        with suppress(NotNow):  # a snapshot that is not written now is written after the next append
            await self.feeding.note(stream, answer.version)


async def _patient(attempt: Callable[[], Awaitable[T]]) -> T:
    waited = 0.0
    for pause in pauses():
        try:
            return await attempt()
        except NotNow:
            waited += pause
            if waited > PATIENCE_S:
                raise
        await asyncio.sleep(pause)
    raise AssertionError("pauses are endless")
