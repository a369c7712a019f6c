"""Service levels onto their compacted topic: live once a second while they change, final once the cohort has closed.

What is published is what is stored, so a crash can neither publish what is lost again nor lose what was published. A
row's parts come from several source partitions, whose owners all publish it: ``revision`` is the same for all of them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field

from switchlog.clock import Clock
from switchlog.errors import NotNow
from switchlog.log import get_logger
from switchlog.outlet import Record

from ..domain.board import Queue
from ..domain.fedfinal import flags, past
from ..domain.feedboard import POOL as FED
from ..domain.finality import Flags, durations_final, of_pools
from ..domain.formulas import thresholds_of
from ..domain.levels import COHORT, Cell, CellKey, Tally, merged, parted
from .closing import Closing
from .ports import Published

log = get_logger(__name__)

AGAIN_FINAL_S = 60.0
AGAIN_OPEN_S = 15.0
QUEUE_KNOWN_S = 5.0
"""A queue's definition is read anew when it was known for so long."""
CROSSINGS = 1 << 20
"""A row's revision is (sum of its parts' versions, thresholds that its waiting contacts have passed), as one number;
of a fed row what is final by its source's time counts beside the thresholds."""


@dataclass(frozen=True, slots=True)
class Standing:
    """One channel of a queue's quarter hour, summed over its source partitions, at ``now``."""

    key: CellKey
    channel: str
    pool: str
    tally: Tally
    waited_ms: list[int]
    final_ms: int
    flags: Flags
    revision: int
    queue: Queue
    now: int
    freshness_ms: int

    @property
    def will_pass(self) -> bool:
        """Somebody waits who has not yet waited longer than all thresholds."""
        return any(waited <= thresholds_of(self.queue)[-1] * 1000 for waited in self.waited_ms)


Write = Callable[[Standing], Record]
Send = Callable[[Sequence[Record]], Awaitable[None]]


@dataclass
class Publisher:
    """``tick`` once a second. ``mine``: is a source partition read here; ``done`` hears of cells that need no more.

    ``closing`` knows of the fed rows that became final though nothing changed them.
    """

    rows: Published
    clock: Clock
    write: Write
    send: Send
    done: Callable[[CellKey], None]
    mine: Callable[[str], bool] = lambda where: True
    closing: Closing | None = None
    changed: set[CellKey] = field(default_factory=set)
    waiting: dict[CellKey, int] = field(default_factory=dict)
    later: dict[CellKey, float] = field(default_factory=dict)
    closed: dict[CellKey, int] = field(default_factory=dict)
    queues: dict[tuple[str, str], tuple[float, Queue]] = field(default_factory=dict)
    freshness: dict[tuple[str, str], int] = field(default_factory=dict)
    clocks: dict[tuple[str, str], int] = field(default_factory=dict)

    def assigned(self, keys: Iterable[CellKey]) -> None:
        """Cells taken over: published now, and again when a former owner can't be writing any more."""
        for key in keys:
            self.changed.add(key)
            self.later[key] = self.clock.monotonic() + AGAIN_OPEN_S

    def revoked(self, keys: Iterable[CellKey]) -> None:
        """Cells that another process publishes from now on."""
        for key in keys:
            self.changed.discard(key)
            self.closed.pop(key, None)
            self.waiting.pop(key, None)
            self.later.pop(key, None)

    async def tick(self) -> int:
        """Publish what changed or is due again; the number of rows. What cannot be sent now is kept for the next."""
        due = {key for key, at in self.later.items() if at <= self.clock.monotonic()}
        keys = sorted(self.changed | due | self.waiting.keys())
        self.changed = set()
        self.freshness, self.clocks = {}, {}
        try:
            keys = sorted({*keys, *(await self._closing())})
            records = [record for key in keys for record in await self._records(key, key in due)]
            if records:
                await self.send(records)
            if self.closing:
                await self.closing.said()
        except NotNow as error:
            self.changed.update(keys)
            self.waiting = {}
            log.warning("levels_later", reason=error.reason, rows=len(keys))
            return 0
        for key in due:
            self._said_again(key)
        return len(records)

    async def _records(self, key: CellKey, due: bool) -> list[Record]:
        found = await self.rows.parts(key)
        if not found:
            return []
        parts = [cell for _, cell in found]
        now, queue = self.clock.now(), await self._queue(key, parts)
        verdict = await self._verdict(key, parts, queue)
        freshness_ms = await self._freshness_ms(key[0], queue.pool, now)
        standings = [_standing(parts, channel, queue, now, freshness_ms, verdict) for channel in _channels(parts)]
        revision = sum(standing.revision for standing in standings)
        if self.waiting.get(key) == revision and not due:
            return []
        self._remember(key, standings, revision, all(self.mine(where) for where, _ in found))
        return [self.write(standing) for standing in standings]

    async def _closing(self) -> list[CellKey]:
        return await self.closing.due() if self.closing else []

    async def _verdict(self, key: CellKey, parts: Sequence[Cell], queue: Queue) -> tuple[Flags, int]:
        """What is final, and the T up to which, milliseconds (-1: none): by a pool's fact or by a fed source's time."""
        if key[3] != COHORT:
            return Flags(), -1
        if not queue.pool.startswith(FED):
            return _of_pool(parts)
        told = await self._told(key[0], queue.pool)
        found = flags(parts, told, queue.threshold_s)
        return found, past(parts, told) if found.verdicts_final else -1

    async def _told(self, tenant: str, pool: str) -> int:
        """Asked for once a tick."""
        found = self.clocks.get((tenant, pool))
        if found is None:
            found = self.clocks[tenant, pool] = (await self.rows.pool_of(tenant, pool)).clock
        return found

    async def _freshness_ms(self, tenant: str, pool: str, now: int) -> int:
        """Asked for once a tick."""
        found = self.freshness.get((tenant, pool))
        if found is None:
            found = self.freshness[tenant, pool] = await self.rows.freshness_ms(tenant, pool, now)
        return found

    async def _queue(self, key: CellKey, parts: Sequence[Cell]) -> Queue:
        tenant, name, now = key[0], key[1], self.clock.monotonic()
        read_at, known = self.queues.get((tenant, name), (now - QUEUE_KNOWN_S, None))
        if known is None or now - read_at >= QUEUE_KNOWN_S:
            known = await self.rows.queue(tenant, name)
            if known is None:
                return Queue(name, max(cell.pool for cell in parts))
            self.queues[tenant, name] = (now, known)
        return known

    def _remember(self, key: CellKey, standings: Sequence[Standing], revision: int, alone: bool) -> None:
        self.waiting.pop(key, None)
        if any(standing.will_pass for standing in standings):
            self.waiting[key] = revision  # it changes by time alone: thresholds are passed
        stage = _stage(key, standings)
        if stage > self.closed.get(key, 0):
            self.later[key] = self.clock.monotonic() + AGAIN_FINAL_S
        elif not alone:
            # another owner of parts may have written at the same time, with less of them, after us
            self.later.setdefault(key, self.clock.monotonic() + AGAIN_OPEN_S)
        if stage:
            self.closed[key] = stage
        else:
            self.closed.pop(key, None)  # fed rows stay so for ever: a year of them is not to be remembered

    def _said_again(self, key: CellKey) -> None:
        if self.later[key] <= self.clock.monotonic():
            del self.later[key]
            if self.closed.pop(key, 0):
                self.done(key)


def _stage(key: CellKey, standings: Sequence[Standing]) -> int:
    """0: it changes, 1: its counts are final or it is an event row (each change may be its last), 2: all of it is."""
    if key[3] != COHORT:
        return 1
    said = standings[0].flags if standings else Flags()
    return 2 if said.durations_final else int(said.final)


def _of_pool(parts: Sequence[Cell]) -> tuple[Flags, int]:
    told = of_pools(parts)
    final_ms = max((cell.final_ms for cell in told), default=-1)
    return Flags(final_ms >= 0, bool(told) and all(cell.final for cell in told), durations_final(parts)), final_ms


def _channels(parts: Iterable[Cell]) -> list[str]:
    return sorted({parted(key)[0] for cell in parts for key in cell.groups})


def _standing(
    parts: list[Cell], channel: str, queue: Queue, now: int, freshness_ms: int, verdict: tuple[Flags, int]
) -> Standing:
    told = of_pools(parts)
    waited = waits_so_far(parts, now, channel)
    # a fed row becomes final by time alone too
    passed = _crossings(waited, queue) + (_steps(verdict[0]) if queue.pool.startswith(FED) else 0)
    tallies = [tally for cell in parts for key, tally in cell.groups.items() if parted(key)[0] == channel]
    return Standing(
        key=parts[0].key,
        channel=channel,
        pool=max(told, key=lambda cell: cell.version).pool if told else queue.pool,
        tally=merged(tallies),
        waited_ms=waited,
        final_ms=verdict[1],
        flags=verdict[0],
        revision=sum(cell.version for cell in parts) * CROSSINGS + min(passed, CROSSINGS - 1),
        queue=queue,
        now=now,
        freshness_ms=freshness_ms,
    )


def waits_so_far(parts: Iterable[Cell], now: int, channel: str = "") -> list[int]:
    """How long those have waited who still do, milliseconds; of one channel or of all."""
    waiting = [said for cell in parts for said in cell.waiting.values()]
    return [max(0, now - said.queued_at) for said in waiting if channel in ("", said.channel)]


def _steps(said: Flags) -> int:
    return said.verdicts_final + said.final + said.durations_final


def _crossings(waited_ms: Iterable[int], queue: Queue) -> int:
    return sum(waited > threshold * 1000 for waited in waited_ms for threshold in thresholds_of(queue))
