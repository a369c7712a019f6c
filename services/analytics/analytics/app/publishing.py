"""Service levels onto their compacted topic: live once a second while they change, final once the cohort has closed.

What is published is what is stored, so a crash can neither publish what is lost again nor lose what was published.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field

from switchlog.clock import Clock
from switchlog.errors import NotNow
from switchlog.log import get_logger
from switchlog.outlet import Record

from ..domain.board import Queue
from ..domain.formulas import thresholds_of
from ..domain.levels import Cell, CellKey, Tally, merged
from .ports import Rows

log = get_logger(__name__)

AGAIN_FINAL_S = 60.0
AGAIN_OPEN_S = 15.0
CROSSINGS = 1 << 20
"""A row's revision is (sum of its parts' versions, thresholds that its waiting contacts have passed), as one number."""


@dataclass(frozen=True, slots=True)
class Standing:
    """One channel of a queue's quarter hour, summed over its source partitions, at ``now``."""

    key: CellKey
    channel: str
    pool: str
    tally: Tally
    waited_ms: list[int]
    final_ms: int
    final: bool
    revision: int
    queue: Queue
    now: int


Write = Callable[[Standing], Record]
Send = Callable[[Sequence[Record]], Awaitable[None]]


@dataclass
class Publisher:
    """``tick`` once a second. ``queue_of`` finds a queue's definition; ``done`` hears of cells that need no more."""

    rows: Rows
    clock: Clock
    write: Write
    send: Send
    queue_of: Callable[[str, str], Queue | None]
    done: Callable[[CellKey], None]
    changed: set[CellKey] = field(default_factory=set)
    waiting: dict[CellKey, int] = field(default_factory=dict)
    later: dict[CellKey, float] = field(default_factory=dict)
    closed: set[CellKey] = field(default_factory=set)

    def assigned(self, keys: Iterable[CellKey]) -> None:
        """Cells taken over: published now, and again when a former owner can't be writing any more."""
        for key in keys:
            self.changed.add(key)
            self.later[key] = self.clock.monotonic() + AGAIN_OPEN_S

    def revoked(self, keys: Iterable[CellKey]) -> None:
        """Cells that another process publishes from now on."""
        for key in keys:
            self.changed.discard(key)
            self.closed.discard(key)
            self.waiting.pop(key, None)
            self.later.pop(key, None)

    async def tick(self) -> int:
        """Publish what changed or is due again; the number of rows. What cannot be sent now is kept for the next."""
        due = {key for key, at in self.later.items() if at <= self.clock.monotonic()}
        keys = sorted(self.changed | due | self.waiting.keys())
        self.changed = set()
        try:
            records = [record for key in keys for record in await self._records(key, key in due)]
            if records:
                await self.send(records)
        except NotNow as error:
            self.changed.update(keys)
            self.waiting = {}
            log.warning("levels_later", reason=error.reason, rows=len(keys))
            return 0
        for key in due:
            self._said_again(key)
        return len(records)

    async def _records(self, key: CellKey, due: bool) -> list[Record]:
        parts = await self.rows.parts(key)
        if not parts:
            return []
        now, queue = self.clock.now(), self.queue_of(key[0], key[1]) or Queue(key[1], parts[0].pool)
        standings = [_standing(parts, channel, queue, now) for channel in _channels(parts)]
        revision = sum(standing.revision for standing in standings)
        if self.waiting.get(key) == revision and not due:
            return []
        self._remember(key, parts, revision)
        return [self.write(standing) for standing in standings]

    def _remember(self, key: CellKey, parts: list[Cell], revision: int) -> None:
        self.waiting.pop(key, None)
        if any(cell.waiting for cell in parts):
            self.waiting[key] = revision  # it changes by time alone: thresholds are passed
        if not all(cell.final for cell in parts):
            self.closed.discard(key)
        elif key not in self.closed:
            self.closed.add(key)
            self.later[key] = self.clock.monotonic() + AGAIN_FINAL_S

    def _said_again(self, key: CellKey) -> None:
        if self.later[key] <= self.clock.monotonic():
            del self.later[key]
            if key in self.closed:
                self.closed.discard(key)
                self.done(key)


def _channels(parts: Iterable[Cell]) -> list[str]:
    return sorted({channel for cell in parts for channel in cell.channels})


def _standing(parts: list[Cell], channel: str, queue: Queue, now: int) -> Standing:
    newest = max(parts, key=lambda cell: cell.version)
    waited = waits_so_far(parts, now, channel)
    return Standing(
        key=newest.key,
        channel=channel,
        pool=newest.pool,
        tally=merged([cell.channels[channel] for cell in parts if channel in cell.channels]),
        waited_ms=waited,
        final_ms=max(cell.final_ms for cell in parts),
        final=all(cell.final for cell in parts),
        revision=sum(cell.version for cell in parts) * CROSSINGS + min(_crossings(waited, queue), CROSSINGS - 1),
        queue=queue,
        now=now,
    )


def waits_so_far(parts: Iterable[Cell], now: int, channel: str = "") -> list[int]:
    """How long those have waited who still do, milliseconds; of one channel or of all."""
    waiting = [entry for cell in parts for entry in cell.waiting.values()]
    return [max(0, now - queued_at) for of, queued_at in waiting if channel in ("", of)]


def _crossings(waited_ms: Iterable[int], queue: Queue) -> int:
    return sum(waited > threshold * 1000 for waited in waited_ms for threshold in thresholds_of(queue))
