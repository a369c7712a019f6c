"""One assigned partition: records in, every stream in order, each record done, later or never, offsets out."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from switchlog.bus.apply import Applier
from switchlog.bus.patience import Leaving, patiently
from switchlog.bus.progress import Offsets
from switchlog.bus.quarantine import Quarantine
from switchlog.bus.record import Kept, Raw, Received, as_raw
from switchlog.errors import NotFound, Poison, Rejected

# Decided together: how many records share one look-up of `seen`, and one call of a batch handler.
SLICE = 1_000
MAX_OPEN = 1_000

Spawn = Callable[[Coroutine[Any, Any, None]], "asyncio.Task[None]"]


@dataclass(frozen=True, slots=True)
class Retry:
    """Try a parked stream again, in its place in the order."""

    key: str


Work = Received | Retry


class Partition:
    """Works off what it is given. ``batch`` hands whole runs over; ``concurrency`` > 1 lets streams pass each other."""

    def __init__(
        self,
        applier: Applier,
        quarantine: Quarantine,
        read: Callable[[Raw], Received],
        spawn: Spawn,
        moved: Callable[[], None],
        *,
        batch: bool = False,
        concurrency: int = 1,
    ) -> None:
        self.offsets = Offsets()
        self.backlog = 0
        self._applier, self._quarantine, self._read = applier, quarantine, read
        self._moved, self._spawn = moved, spawn
        self._batch, self._concurrency = batch, concurrency
        self._queue: deque[Raw | Retry] = deque()
        self._arrived, self._closing, self._freed = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._lanes: dict[str, deque[Work]] = {}
        self._slots = asyncio.Semaphore(concurrency)
        self._tasks = {spawn(self._run())}

    @property
    def applier(self) -> Applier:
        return self._applier

    def put(self, records: Sequence[Raw | Retry]) -> None:
        """More to do, in order."""
        self._queue.extend(records)
        self.backlog += len(records)
        self._arrived.set()

    async def close(self, grace_s: float) -> None:
        """Finish what is being handled, drop the rest; after ``grace_s`` seconds give it up, uncommitted."""
        for event in (self._closing, self._arrived, self._freed):
            event.set()
        _, pending = await asyncio.wait(self._tasks, timeout=grace_s)
        for task in pending:
            task.cancel()
        if pending:
            await asyncio.wait(pending)

    async def _run(self) -> None:
        work = self._many if self._batch else self._each
        try:
            while True:
                taken = await self._take()
                await work(taken)
                self.backlog -= len(taken)
                self._moved()
        except Leaving:
            return

    async def _take(self) -> list[Raw | Retry]:
        while not self._queue and not self._closing.is_set():
            self._arrived.clear()
            await self._arrived.wait()
        self._leave_if_closing()
        return [self._queue.popleft() for _ in range(min(SLICE, len(self._queue)))]

    def _leave_if_closing(self) -> None:
        if self._closing.is_set() or self._quarantine.halted:
            raise Leaving

    # --- one by one ----------------------------------------------------------------------------------------------

    async def _each(self, taken: list[Raw | Retry]) -> None:
        works = [self._decoded(raw) for raw in taken]
        await self._load(works)
        for raw, work in zip(taken, works, strict=True):
            self._leave_if_closing()
            if isinstance(work, Poison):
                self._begin(raw)  # type: ignore[arg-type]  # only a record can be undecodable
                self._convict(raw, None, work)  # type: ignore[arg-type]
            else:
                await self._dispatch(work)

    async def _load(self, works: Sequence[Work | Poison]) -> None:
        keys = {work.key for work in works if not isinstance(work, Poison)}
        await self._patiently(partial(self._applier.load, keys))

    def _decoded(self, raw: Raw | Retry) -> Work | Poison:
        if isinstance(raw, Retry):
            return raw
        try:
            return self._read(raw)
        except Poison as error:
            return error

    async def _dispatch(self, work: Work) -> None:
        if isinstance(work, Received):
            self._begin(work)
        if self._concurrency == 1:
            await self._work(work)
        else:
            await self._into_lane(work)

    async def _work(self, work: Work) -> None:
        if isinstance(work, Retry):
            await self._retry(work.key)
        else:
            await self._one(work)

    async def _one(self, received: Received) -> None:
        """One record to its end; its offset has begun."""
        try:
            await self._patiently(partial(self._attempt, received))
        except Poison as error:
            self._convict(as_raw(received), received, error)

    async def _attempt(self, received: Received) -> None:
        self._leave_if_closing()
        done = partial(self._done, received.offset)
        if self._quarantine.idle or not await self._laid_aside(received, done):
            if await self._applier.one(received):
                self._quarantine.success()
            done()

    async def _laid_aside(self, received: Received, done: Callable[[], None]) -> bool:
        await self._applier.load({received.key})
        if not self._quarantine.covers(received.key) or self._applier.standing(received) == "repeat":
            return False
        self._quarantine.follow(received, done)
        return True

    def _begin(self, raw: Raw | Received) -> None:
        self.offsets.begin(raw.offset)

    def _done(self, offset: int) -> None:
        self.offsets.done(offset)
        self._freed.set()
        self._moved()

    def _convict(self, raw: Raw, received: Received | None, error: Poison) -> None:
        self._quarantine.convict(raw, received, error, partial(self._done, raw.offset))

    async def _patiently(self, attempt: Callable[[], Awaitable[None]]) -> None:
        await patiently(attempt, self._closing, self._applier.tally)

    # --- streams side by side --------------------------------------------------------------------------------------

    async def _into_lane(self, work: Work) -> None:
        if work.key in self._lanes:
            self._lanes[work.key].append(work)
        else:
            await self._slots.acquire()
            self._leave_if_closing()
            # nobody else opens lanes, so there is still none for this stream
            self._lanes[work.key] = deque([work])
            task = self._spawn(self._lane(work.key))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        await self._room()

    async def _lane(self, key: str) -> None:
        lane = self._lanes[key]
        try:
            while lane and not self._closing.is_set():
                await self._work(lane[0])
                lane.popleft()
        except Leaving:
            return
        finally:
            del self._lanes[key]
            self._slots.release()

    async def _room(self) -> None:
        while len(self.offsets) >= MAX_OPEN:
            self._freed.clear()
            await self._freed.wait()
            self._leave_if_closing()

    # --- whole runs ------------------------------------------------------------------------------------------------

    async def _many(self, taken: list[Raw | Retry]) -> None:
        works = [self._decoded(raw) for raw in taken]
        await self._load(works)
        run: dict[str, int] = {}
        batch: list[Received] = []
        repeats = 0
        for raw, work in zip(taken, works, strict=True):
            place = self._place(work, run)
            if place == "next":
                run[work.key] = work.version  # type: ignore[union-attr]  # only a Received is next
                batch.append(work)  # type: ignore[arg-type]
            elif place == "repeat":
                repeats += 1
            else:
                await self._together(batch)
                run, batch = {}, []
                await self._odd(raw, work)
        await self._together(batch)
        self._applier.tally.add("repeat", repeats)
        self._passed(taken)

    def _place(self, work: Work | Poison, run: dict[str, int]) -> str:
        if not isinstance(work, Received):
            return "odd"
        place = self._applier.standing(work, run.get(work.key))
        aside = place == "next" and not self._quarantine.idle and self._quarantine.covers(work.key)
        return "odd" if aside else place

    def _passed(self, taken: Sequence[Raw | Retry]) -> None:
        last = next((raw.offset for raw in reversed(taken) if not isinstance(raw, Retry)), None)
        if last is not None:
            self.offsets.passed(last)

    async def _together(self, run: list[Received]) -> None:
        self._leave_if_closing()
        if not run:
            return
        try:
            await self._patiently(partial(self._applier.many, run))
        except (Poison, Rejected, NotFound):
            for received in run:  # whose fault it is shows one by one; handlers are idempotent
                await self._alone(received)
        else:
            self._quarantine.success()
            self.offsets.passed(run[-1].offset)

    async def _odd(self, raw: Raw | Retry, work: Work | Poison) -> None:
        if isinstance(work, Retry):
            await self._retry(work.key)
        elif isinstance(work, Received):
            await self._alone(work)
        else:
            self._begin(raw)  # type: ignore[arg-type]  # only a record can be undecodable
            self._convict(raw, None, work)  # type: ignore[arg-type]

    async def _alone(self, received: Received) -> None:
        self._begin(received)
        await self._one(received)

    # --- parked streams --------------------------------------------------------------------------------------------

    async def _retry(self, key: str) -> None:
        parking = self._quarantine.parking
        if parking is None or not parking.covers(key):
            return
        try:
            await self._patiently(partial(self._replay, key))
        except Poison as error:
            await self._patiently(partial(parking.still, key, error.reason, error.detail))

    async def _replay(self, key: str) -> None:
        parking, tally = self._quarantine.parking, self._applier.tally
        assert parking is not None
        while kept := await self._kept(key):
            for version, raw in kept:
                await self._applier.one(self._read(raw))
                await self._remember(key)
                await parking.forget(key, version)
                tally.add("retried")
        await parking.release(key)

    async def _kept(self, key: str) -> list[tuple[int, Kept]]:
        # nobody adds to it meanwhile: what follows in this stream waits behind us
        assert self._quarantine.parking is not None
        await self._quarantine.keep_held(key)
        return await self._quarantine.parking.kept(key)

    async def _remember(self, key: str) -> None:
        # durable before the record is forgotten: its offset was committed long ago
        if self._applier.seen is not None:
            await self._applier.seen.write(key)
