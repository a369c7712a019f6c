"""A pool's stream: read whole or from a day's beginning, appended to surely or not at all (kernel rules 5, 19, 20)."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from switchlog.envelope import Codec, Row, StreamId
from switchlog.errors import NotNow, OutcomeUnknown, VersionConflict
from switchlog.store import EventStore

from ..domain import carry
from ..domain.events import Event, Observed, PoolCarried, PoolDayStarted, PoolOpened
from ..domain.evolve import evolve
from ..domain.state import Board

T = TypeVar("T")

PAGE = 5000
RECENT = 5000
POOL = "pool-"


def pool_id(stream: StreamId) -> str:
    return stream.name.removeprefix(POOL)


@dataclass(slots=True)
class Opened:
    """A board and how far it is read; ``recent`` are the last rows, with what they say.

    An owner writes ``seen`` and ``answers`` after each append of at most 200 inputs and before the next: more than the
    recent rows can never lack them.
    """

    board: Board
    head: int = 0
    recorded_at: int = 0
    recent: deque[tuple[Event, Row]] = field(default_factory=lambda: deque(maxlen=RECENT))

    @property
    def observed(self) -> dict[str, int]:
        """The last versions seen, by stream."""
        return {event.source: event.version for event, _ in self.recent if isinstance(event, Observed)}

    def take(self, event: Event | None, row: Row) -> None:
        if event is not None:
            evolve(self.board, event, row.recorded_at)
            self.recent.append((event, row))
        self.head, self.recorded_at = row.version, row.recorded_at


async def open_board(events: EventStore, codec: Codec[Event], stream: StreamId, chapter: int = 0) -> Opened:
    """The board at the head of the log; folded from the chapter at version ``chapter`` if its carry is sound."""
    if chapter > 1:
        opened = await _from_chapter(events, codec, stream, chapter)
        if opened is not None:
            return opened
    opened = Opened(Board(stream.tenant, pool_id(stream)))
    await catch_up(events, codec, stream, opened)
    return opened


async def catch_up(events: EventStore, codec: Codec[Event], stream: StreamId, opened: Opened) -> None:
    """Fold what was appended since."""
    async for event, row in read_events(events, codec, stream, opened.head):
        opened.take(event, row)


async def read_events(
    events: EventStore, codec: Codec[Event], stream: StreamId, after: int, page: int = PAGE
) -> AsyncIterator[tuple[Event | None, Row]]:
    """Rows after version ``after`` with what they say (``None``: not known here), ``page`` of them a read."""
    while rows := await events.read(stream, after, page):
        for row in rows:
            yield codec.read(codec.parse(row.value)), row
        after = rows[-1].version
        if len(rows) < page:
            return


async def _from_chapter(events: EventStore, codec: Codec[Event], stream: StreamId, chapter: int) -> Opened | None:
    opened = await open_chapter(events, codec, stream, chapter)
    if opened is not None:
        await catch_up(events, codec, stream, opened)
    return opened


async def open_chapter(events: EventStore, codec: Codec[Event], stream: StreamId, chapter: int) -> Opened | None:
    """The board with which the day at version ``chapter`` begins; ``None`` unless its carry is whole and sound."""
    pieces: list[PoolCarried] = []
    async for event, row in read_events(events, codec, stream, chapter - 1):
        if isinstance(event, PoolCarried):
            pieces.append(event)
        elif isinstance(event, PoolOpened):
            board = carry.joined(stream.tenant, pool_id(stream), pieces, event)
            return None if board is None else Opened(board, row.version, row.recorded_at)
        elif not isinstance(event, PoolDayStarted):
            return None
    return None


async def append_surely(
    events: EventStore, stream: StreamId, expected: int, batch_id: str, rows: Sequence[Row]
) -> None:
    """Until it stands (rule 5): an unknown outcome is found out, a store that is away is waited for.

    Raises ``VersionConflict`` when another batch stands at ``expected + 1``.
    """
    pause, unknown = 0.005, False
    while True:
        try:
            if not (unknown and await _stands(events, stream, expected, batch_id)):
                await events.append(stream, expected, batch_id, rows)
            return
        except NotNow as error:
            unknown = unknown or isinstance(error, OutcomeUnknown)
            await asyncio.sleep(pause)
            pause = min(2 * pause, 0.25)


async def _stands(events: EventStore, stream: StreamId, expected: int, batch_id: str) -> bool:
    row = await events.read_serial(stream, expected + 1)
    if row is not None and row.batch_id != batch_id:
        raise VersionConflict(row.version)
    return row is not None


async def patiently(call: Callable[[], Awaitable[T]]) -> T:
    """``call`` again and again until the store answers: for what may be repeated."""
    pause = 0.01
    while True:
        try:
            return await call()
        except NotNow:
            await asyncio.sleep(pause)
            pause = min(2 * pause, 0.5)
