"""Publishes what is stored, per stream in version order from the watermark on, at least once (kernel rules 8-13)."""

from __future__ import annotations

import asyncio
import random
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from aiokafka.errors import KafkaError

from switchlog.envelope import Row, StreamId
from switchlog.errors import NotNow
from switchlog.log import get_logger
from switchlog.outlet import Outlet
from switchlog.store import EventStore, Pending

PAGE: Final = 1000  # rows read at a time when the writer's own are not at hand
FIRST_PAUSE_S: Final = 0.05
LONGEST_PAUSE_S: Final = 2.0
# What a pass may end with and be tried again: the bus or the store is away. Anything else is a bug, logged as one.
LATER: Final = (KafkaError, OSError, NotNow, TimeoutError)

log = get_logger()


class NotContiguous(Exception):
    """A stream's next row is missing: nothing after the hole is published (rule 11)."""


@dataclass
class Counters:
    """What happened since the start; ``left_to_sweeper``: streams that did not fit in memory while the bus was away."""

    published: int = 0
    batches: int = 0
    rows_read: int = 0
    failed_passes: int = 0
    holes: int = 0
    left_to_sweeper: int = 0


@dataclass(slots=True, eq=False)
class Lane:
    """One stream's way out: ``done`` is published (None = ask the store), ``head`` is known to be stored.

    ``rows`` are contiguous rows that the writer has just stored, so that they need not be read again.
    """

    stream: StreamId
    key: bytes
    topic: str
    head: int = 0
    done: int | None = None
    rows: deque[Row] = field(default_factory=deque)
    look: bool = False
    busy: bool = False
    failures: int = 0
    watchers: list[asyncio.Future[None]] = field(default_factory=list)

    @property
    def behind(self) -> bool:
        return self.look or self.done is None or self.done < self.head


class Relay:
    """One pass a stream at a time, ``at_once`` streams together. ``notify`` never waits and never fails.

    While the bus is away at most ``lanes`` streams and ``buffer_bytes`` of rows are kept; the sweeper does the rest.
    Watermarks are written together every ``tick_s``: a crash in between costs repeats, never a hole.
    """

    def __init__(
        self,
        events: EventStore,
        outlet: Outlet,
        topic_of: Callable[[StreamId], str],
        *,
        at_once: int = 256,
        lanes: int = 20_000,
        buffer_bytes: int = 16 * 1024 * 1024,
        tick_s: float = 0.02,
        chance: random.Random | None = None,
    ) -> None:
        self._events = events
        self._outlet = outlet
        self._topic_of = topic_of
        self._at_once = at_once
        self._max_lanes = lanes
        self._room = buffer_bytes
        self._tick_s = tick_s
        self._chance = chance or random.Random()
        self._lanes: OrderedDict[StreamId, Lane] = OrderedDict()
        self._queue: deque[Lane] = deque()
        self._passes: set[asyncio.Task[None]] = set()
        self._unsaved: dict[StreamId, int] = {}
        self._saver: asyncio.Task[None] | None = None
        self._saving = asyncio.Lock()
        self._stopped = False
        self.counters = Counters()

    # -- being told ----------------------------------------------------------------------------------------------------

    def notify(self, stream: StreamId, head: int, rows: Sequence[Row] = ()) -> None:
        """The stream is stored up to ``head``; ``rows`` are the last of it, if the caller still has them."""
        lane = self._lane(stream)
        if lane is None:
            self.counters.left_to_sweeper += 1
            return
        lane.head = max([lane.head, head, *(row.version for row in rows[-1:])])
        self._hand_over(lane, rows)
        self._begin(lane)

    async def publish_pass(self, stream: StreamId) -> None:
        """Publish everything stored of ``stream`` after its watermark, and save how far; raises what ended the pass."""
        await self.save_watermarks()
        stored = await self._events.watermark(stream)
        lane = self._lane(stream)
        if lane is None:
            raise NotNow("RELAY_FULL")
        if not lane.busy and stream not in self._unsaved:
            lane.done = stored  # what we remember may be more than it: another has lowered it (rule 13)
        lane.look = True
        self._begin(lane)
        await self._watch(lane)
        await self.save_watermarks()

    async def publish_again(self, stream: StreamId, first: int) -> None:
        """Rule 13: what was published of ``stream`` from version ``first`` on appears on its topic once more.

        What was not is left to a pass, which also derives its timers. Raises what ends it; a sweeper will go on.
        """
        await self.save_watermarks()
        stood, done = await self._events.watermark(stream), first - 1
        await self._events.lower_watermark(stream, done)
        while done < stood:
            rows = await self._events.read(stream, done, min(PAGE, stood - done))
            if not rows:
                raise NotContiguous(f"{stream.key} should have {stood} rows")
            self._check(stream, rows, done)
            done += await self._outlet.publish(self._topic_of(stream), stream.key.encode(), rows)
        await self._events.published(stream, stood)

    def _watch(self, lane: Lane) -> asyncio.Future[None]:
        watcher: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        lane.watchers.append(watcher)
        return watcher

    async def drain(self, timeout_s: float = 5.0) -> bool:
        """Let the passes under way finish and save the watermarks; False when some did not make it in time."""
        end = asyncio.get_running_loop().time() + timeout_s
        while (busy := self._busy()) and asyncio.get_running_loop().time() < end:
            await asyncio.sleep(0.005)
        await self.save_watermarks()
        return not busy

    def _busy(self) -> bool:
        return any(lane.busy for lane in self._lanes.values())

    async def close(self, timeout_s: float = 5.0) -> None:
        """Drain, then close the outlet; what is left is found by the next process's sweeper."""
        try:
            await self.drain(timeout_s)
        except LATER as error:
            log.warning("watermarks_left", streams=len(self._unsaved), error=repr(error)[:200])
        self._stopped = True
        tasks = [*self._passes, *([self._saver] if self._saver else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._outlet.close()

    def _lane(self, stream: StreamId) -> Lane | None:
        lane = self._lanes.get(stream)
        if lane is None:
            if len(self._lanes) >= self._max_lanes and not self._forget_idle():
                return None
            lane = self._lanes[stream] = Lane(stream, stream.key.encode(), self._topic_of(stream))
        self._lanes.move_to_end(stream)
        return lane

    def _forget_idle(self) -> bool:
        oldest = next((lane for lane in self._lanes.values() if not lane.busy), None)
        if oldest is not None:
            self._room += sum(row.size for row in oldest.rows)
            del self._lanes[oldest.stream]
        return oldest is not None

    def _hand_over(self, lane: Lane, rows: Sequence[Row]) -> None:
        if not rows:
            return
        if rows[0].version == 1 and lane.done is None:
            lane.done = 0  # the stream is new: nothing of it can be published
        size = sum(row.size for row in rows)
        contiguous = not lane.rows or rows[0].version == lane.rows[-1].version + 1
        if contiguous and size <= self._room:
            self._room -= size
            lane.rows.extend(rows)

    # -- passes --------------------------------------------------------------------------------------------------------

    def _begin(self, lane: Lane) -> None:
        if not lane.busy and not self._stopped:
            lane.busy = True
            self._queue.append(lane)
            self._dispatch()

    def _dispatch(self) -> None:
        while self._queue and len(self._passes) < self._at_once and not self._stopped:
            task = asyncio.get_running_loop().create_task(self._run(self._queue.popleft()))
            self._passes.add(task)
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._passes.discard(task)
        self._dispatch()

    async def _run(self, lane: Lane) -> None:
        try:
            await self._pass(lane)
        except Exception as error:
            self._failed(lane, error)
        else:
            lane.busy, lane.failures = False, 0
            self._tell(lane, None)

    async def _pass(self, lane: Lane) -> None:
        """Rule 11: one batch, await it, then the next; the first error ends it."""
        if lane.done is None:
            lane.done = await self._events.watermark(lane.stream)
        while lane.behind:
            rows = await self._next_rows(lane, lane.done)
            if not rows:
                break
            sent = await self._outlet.publish(lane.topic, lane.key, rows)
            self._acknowledged(lane, rows[sent - 1].version, sent)

    async def _next_rows(self, lane: Lane, done: int) -> Sequence[Row]:
        self._drop_rows(lane, done)
        if lane.rows and lane.rows[0].version == done + 1:
            return list(lane.rows)
        lane.look = False
        rows = await self._events.read(lane.stream, done, PAGE)
        lane.look = lane.look or len(rows) == PAGE
        self.counters.rows_read += len(rows)
        if not rows and done < lane.head:
            raise NotNow("STORE_BEHIND", f"{lane.stream.key} should have {lane.head} rows")
        self._check(lane.stream, rows, done)
        lane.head = max([lane.head, *(row.version for row in rows[-1:])])
        return rows

    def _check(self, stream: StreamId, rows: Sequence[Row], done: int) -> None:
        if not contiguous(rows, done):
            self.counters.holes += 1
            raise NotContiguous(f"{stream.key} after {done}")

    def _acknowledged(self, lane: Lane, version: int, sent: int) -> None:
        lane.done, lane.failures = version, 0
        self._drop_rows(lane, version)
        self.counters.published += sent
        self.counters.batches += 1
        self._unsaved[lane.stream] = max(version, self._unsaved.get(lane.stream, 0))
        if self._saver is None:
            self._saver = asyncio.get_running_loop().create_task(self._save_ticking())

    def _drop_rows(self, lane: Lane, done: int) -> None:
        while lane.rows and lane.rows[0].version <= done:
            self._room += lane.rows.popleft().size

    def _failed(self, lane: Lane, error: Exception) -> None:
        self.counters.failed_passes += 1
        lane.failures += 1
        if isinstance(error, LATER):
            log.warning("publish_delayed", stream=lane.stream.key, done=lane.done, error=repr(error)[:200])
            pause = min(FIRST_PAUSE_S * 2 ** min(lane.failures, 10), LONGEST_PAUSE_S) * self._chance.uniform(0.5, 1.0)
            asyncio.get_running_loop().call_later(pause, self._again, lane)
        else:
            log.error("publish_stopped", stream=lane.stream.key, done=lane.done, error=repr(error)[:200])
            lane.busy = False
        self._tell(lane, error)

    def _again(self, lane: Lane) -> None:
        self._queue.append(lane)
        self._dispatch()

    def _tell(self, lane: Lane, error: Exception | None) -> None:
        watchers, lane.watchers = lane.watchers, []
        for watcher in watchers:
            if not watcher.done():
                watcher.set_result(None) if error is None else watcher.set_exception(error)

    # -- watermarks ----------------------------------------------------------------------------------------------------

    async def _save_ticking(self) -> None:
        pause = self._tick_s
        while self._unsaved:
            await asyncio.sleep(pause)
            try:
                await self.save_watermarks()
                pause = self._tick_s
            except LATER as error:
                log.warning("watermarks_delayed", streams=len(self._unsaved), error=repr(error)[:200])
                pause = min(2 * pause, LONGEST_PAUSE_S)
        self._saver = None

    async def save_watermarks(self) -> None:
        """Tell the store how far everything is published; raises the store's first error."""
        async with self._saving:
            saving = self._unsaved
            self._unsaved = {}
            calls = (self._events.published(stream, version) for stream, version in saving.items())
            results = await asyncio.gather(*calls, return_exceptions=True)
            failed = [(one, error) for one, error in zip(saving.items(), results, strict=True) if error is not None]
            for (stream, version), _ in failed:
                self._unsaved[stream] = max(version, self._unsaved.get(stream, 0))
        for _, error in failed:
            if error is not None:
                raise error


def contiguous(rows: Iterable[Row], done: int) -> bool:
    """Whether ``rows`` are versions ``done + 1``, ``done + 2`` and so on."""
    return all(row.version == expected for expected, row in enumerate(rows, start=done + 1))


# -- what a crash left -------------------------------------------------------------------------------------------------


async def sweep(relay: Relay, events: EventStore, *, every_s: float = 1.0, chance: random.Random | None = None) -> None:
    """The ``relay`` role, for ever: publish what other processes or an earlier one stored and did not publish."""
    chance = chance or random.Random()
    while True:
        try:
            await sweep_once(relay, events)
        except LATER as error:
            log.warning("sweep_delayed", error=repr(error)[:200])
        await asyncio.sleep(every_s * chance.uniform(0.5, 1.5))


async def sweep_once(relay: Relay, events: EventStore, *, at_once: int = 32) -> int:
    """One look at everything that may be unpublished; returns how many streams those were."""
    found = await events.pending()
    limit = asyncio.Semaphore(at_once)

    async def finish(pending: Pending) -> None:
        async with limit:
            try:
                await relay.publish_pass(pending.stream)
                await events.settle(pending)
            except (*LATER, NotContiguous) as error:
                log.warning("sweep_left", stream=pending.stream.key, error=repr(error)[:200])

    await asyncio.gather(*map(finish, found))
    return len(found)
