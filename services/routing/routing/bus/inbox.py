"""The decide role: whoever holds a partition of the inbox owns the pools in it (kernel rules 19-22)."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from aiokafka import ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError

from switchlog.bus import clients
from switchlog.bus.progress import Offsets
from switchlog.bus.record import Raw
from switchlog.envelope import StreamId
from switchlog.errors import NotNow, Poison
from switchlog.log import get_logger
from switchlog.outlet import hashed

from .. import metrics
from ..app.log import patiently
from ..app.owner import Owner, Tools
from ..app.ports import Arrived, Fenced
from ..projections.pools import Pools

GROUP = "routing-decide"
SAVE_EVERY_S = 0.5
STOP_WITHIN_S = 1.5
POLL_MS = 1_000
# A killed owner's pools wait this long for their next one: trust wants a decision within 5 s.
SESSION_TIMEOUT_MS = 3_500
MOST_WAITING = 20_000
TRY_AGAIN_S = 0.5

log = get_logger(__name__)

Take = Callable[[Raw], Arrived | None]


@dataclass(eq=False)
class Seat:
    """A pool that this process owns, and the task that works on it."""

    owner: Owner
    where: TopicPartition
    task: asyncio.Task[None] | None = None


@dataclass(eq=False)
class Held:
    """A partition that this process holds."""

    offsets: Offsets = field(default_factory=Offsets)
    seats: dict[StreamId, Seat] = field(default_factory=dict)


class Inbox:
    """``await run()`` until cancelled; a graceful end finishes the batches in hand and commits."""

    def __init__(self, bootstrap: str, topic: str, take: Take, tools: Tools, pools: Pools) -> None:
        self._bootstrap, self._topic, self._take, self._tools, self._pools = bootstrap, topic, take, tools, pools
        self._held: dict[TopicPartition, Held] = {}
        self._moved = asyncio.Event()
        self._assigned = asyncio.Event()
        self._paused: set[TopicPartition] = set()
        self._generation = 0

    @property
    def owned(self) -> list[StreamId]:
        """The pools owned now."""
        return [stream for held in self._held.values() for stream in held.seats]

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            await self._connect()
            saving = tasks.create_task(self._save_forever())
            try:
                await self._pump()
            finally:
                await self._revoke(list(self._held))
                saving.cancel()
                await self._client.stop()

    async def _connect(self) -> None:
        while True:
            self._client = self._consumer()  # known before it starts: partitions may be assigned while it does
            try:
                await self._client.start()
                return
            except KafkaError as error:
                log.info("inbox_waits_for_broker", error=type(error).__name__)
                await self._client.stop()
                await asyncio.sleep(TRY_AGAIN_S)

    def _consumer(self) -> Any:
        listener = _Listener(self)
        return clients.consumer(
            self._bootstrap, GROUP, [self._topic], listener, client_id=GROUP, session_timeout_ms=SESSION_TIMEOUT_MS
        )

    async def _pump(self) -> None:
        while True:
            found = await self._client.getmany(timeout_ms=POLL_MS)
            generation = self._generation
            await self._assigned.wait()
            if generation == self._generation:
                for where, records in found.items():
                    self._deal(where, records)

    def _deal(self, where: TopicPartition, records: Sequence[Raw]) -> None:
        held = self._held[where]
        for raw in records:
            held.offsets.begin(raw.offset)
            arrived = self._read(raw)
            if arrived is None:
                held.offsets.done(raw.offset)
                self._moved.set()
            else:
                self._seat(where, held, arrived.pool).owner.put(arrived)
        if len(held.offsets) > MOST_WAITING and where not in self._paused:
            self._paused.add(where)
            self._client.pause(where)

    def _read(self, raw: Raw) -> Arrived | None:
        """Only we write this topic: what we cannot read is a bug of ours, counted and left where it lies."""
        try:
            return self._take(raw)
        except Poison as error:
            metrics.unreadable.add(1)
            log.error("inbox_record_unreadable", offset=raw.offset, reason=error.reason)
            return None

    # -- seats ---------------------------------------------------------------------------------------------------------

    def _seat(self, where: TopicPartition, held: Held, pool: StreamId) -> Seat:
        seat = held.seats.get(pool)
        if seat is None:
            seat = held.seats[pool] = Seat(Owner(pool, self._tools, partial(self._done, held)), where)
            seat.task = self._tasks.create_task(self._work(held, seat), name=pool.key)
        return seat

    def _done(self, held: Held, offset: int) -> None:
        held.offsets.done(offset)
        self._moved.set()

    async def _work(self, held: Held, seat: Seat) -> None:
        pool = seat.owner.stream
        await patiently(partial(self._pools.put, pool))
        while True:
            try:
                await seat.owner.run()
                return
            except Fenced:
                metrics.fenced.add(1)
            if not await self._still_mine(seat.where):
                log.info("pool_left", pool=pool.key)
                held.seats.pop(pool, None)
                return
            await asyncio.sleep(random.uniform(0, 0.05))
            seat.owner = seat.owner.successor()

    async def _still_mine(self, where: TopicPartition) -> bool:
        """A commit is refused to all but the partition's member: whoever was frozen learns here that it is not."""
        while self._held.get(where) is not None:
            try:
                committed = await self._client.committed(where)
                await self._client.commit({where: committed or 0})
                return where in self._client.assignment()
            except (CommitFailedError, IllegalStateError):
                return False
            except KafkaError:
                await asyncio.sleep(TRY_AGAIN_S)
        return False

    # -- membership ----------------------------------------------------------------------------------------------------

    async def _assign(self, assigned: Collection[TopicPartition]) -> None:
        for where in assigned:
            self._held[where] = Held()
        count = len(self._client.partitions_for_topic(self._topic) or ())
        for pool in await patiently(self._pools.all):
            where = TopicPartition(self._topic, (hashed(pool.key.encode()) & 0x7FFFFFFF) % max(count, 1))
            if where in self._held:
                self._seat(where, self._held[where], pool)
        self._assigned.set()
        log.info("inbox_assigned", partitions=len(assigned), pools=len(self.owned))

    async def _revoke(self, revoked: Collection[TopicPartition]) -> None:
        self._generation += 1
        self._assigned.clear()
        leaving = {where: self._held.pop(where) for where in revoked if where in self._held}
        self._paused -= leaving.keys()
        tasks = [seat.task for held in leaving.values() for seat in held.seats.values() if seat.task]
        for held in leaving.values():
            for seat in held.seats.values():
                seat.owner.stop()
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=STOP_WITHIN_S)
            for task in late:
                task.cancel()  # its append stands or not: the next owner reads which
        await self._save(leaving)

    # -- progress ------------------------------------------------------------------------------------------------------

    async def _save_forever(self) -> None:
        while True:
            await self._moved.wait()
            self._moved.clear()
            await self._save(dict(self._held))
            self._let_go()
            await asyncio.sleep(SAVE_EVERY_S)

    async def _save(self, held: Mapping[TopicPartition, Held]) -> None:
        due = {where: offset for where, one in held.items() if (offset := one.offsets.unsaved) is not None}
        if not due:
            return
        try:
            async with asyncio.timeout(STOP_WITHIN_S):
                await self._client.commit(due)
        except (KafkaError, TimeoutError, NotNow) as error:
            log.info("inbox_commit_refused", error=type(error).__name__)  # repeated by whoever reads them next
            return
        for where, offset in due.items():
            held[where].offsets.saved(offset)

    def _let_go(self) -> None:
        for where in list(self._paused):
            held = self._held.get(where)
            if held is None or len(held.offsets) < MOST_WAITING // 2:
                self._paused.discard(where)
                if held is not None:
                    self._client.resume(where)

    async def _heard(self, change: Any) -> None:
        try:
            await change
        except Exception as error:  # aiokafka would only log it, and we would stand still for ever
            self._tasks.create_task(_raise(error))


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox

    async def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        await self._inbox._heard(self._inbox._revoke(revoked))

    async def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        await self._inbox._heard(self._inbox._assign(assigned))


async def _raise(error: Exception) -> None:
    raise error
