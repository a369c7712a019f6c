"""A group member: partitions side by side, each stream in order, the commit after the effect (kernel rules 14, 15)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Coroutine, Mapping, Sequence
from typing import Any, Literal, Protocol

from aiokafka import ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError

from switchlog.bus import clients
from switchlog.bus.apply import Applier, BatchHandler, Bootstrap
from switchlog.bus.dead import DeadLetters, KafkaDeadLetters
from switchlog.bus.healing import Healer
from switchlog.bus.parking import Parking
from switchlog.bus.partition import Partition, Retry
from switchlog.bus.patience import Leaving, patiently
from switchlog.bus.progress import Seen, SeenVersions
from switchlog.bus.quarantine import HALT_AFTER, SETTLE_AFTER_S, Quarantine
from switchlog.bus.record import Raw, Received, read_event
from switchlog.bus.tally import Tally
from switchlog.errors import NotNow
from switchlog.log import get_logger
from switchlog.store import ViewStore

log = get_logger(__name__)

Handler = Callable[[Received], Awaitable[None]]
Failing = Literal["park", "halt"]

POLL_MS = 1_000
# few enough to be worked off while they are warm: with 2 000 the same work costs half as much again
POLL_RECORDS = 200
SAVE_EVERY_S = 0.5  # what a crash repeats, to no effect; a commit costs as much as handling a few records
# together well below the 10 s that a process has to stop
GRACE_S = 4.0
LAST_SAVE_S = 2.0
LEAVE_S = 2.0
LOOK_FOR_RETRIES_S = 1.0
# records waiting in memory, over all partitions
BACKLOG = 20_000


class Client(Protocol):
    """What is used of ``AIOKafkaConsumer``."""

    async def start(self) -> None: ...
    async def stop(self) -> None: ...
    async def getmany(self, *, timeout_ms: int, max_records: int) -> Mapping[TopicPartition, Sequence[Raw]]: ...
    async def commit(self, offsets: Mapping[TopicPartition, int]) -> None: ...
    def pause(self, partition: TopicPartition) -> None: ...
    def resume(self, partition: TopicPartition) -> None: ...


Connect = Callable[[ConsumerRebalanceListener], Client]


def one_by_one(handle: Handler) -> BatchHandler:
    """A batch handler that hands the records to ``handle`` in order."""

    async def each(batch: Sequence[Received]) -> None:
        for received in batch:
            await handle(received)

    return each


class Consumer:
    """``await run()`` consumes until cancelled, and then finishes what is in flight.

    ``handle`` takes one record (or ``handle_batch`` the longest run of records that simply follow): it returns = done,
    raises ``NotNow`` = the same again later, ``Rejected`` or ``NotFound`` = refused, done, ``Poison`` = the record goes
    to the dead-letter topic or its stream is parked (``failing="halt"``: stop), anything else stops the process.
    ``seen`` is where versions are durable (``None``: the handler drops repeats itself), ``healer`` fills gaps
    (``None``: the sequence is filtered, any higher version is next). A stream never seen starts at whatever comes
    first, or with ``bootstrap_streams="full"`` is read from its owner once. ``concurrency`` streams of a partition may
    be handled at once. ``react=False`` is for rebuilds: records count as replayed and reactions do not run.
    """

    def __init__(
        self,
        bootstrap: str,
        group: str,
        topics: Sequence[str],
        handle: Handler | None = None,
        *,
        handle_batch: BatchHandler | None = None,
        seen: Seen | None = None,
        healer: Healer | None = None,
        parked: ViewStore | None = None,
        dead: DeadLetters | None = None,
        bootstrap_streams: Bootstrap = "first",
        react: bool = True,
        failing: Failing = "park",
        concurrency: int = 1,
        read: Callable[[Raw], Received] = read_event,
        connect: Connect | None = None,
        halt_after: int = HALT_AFTER,
        settle_after_s: float = SETTLE_AFTER_S,
        grace_s: float = GRACE_S,
    ) -> None:
        if (handle is None) == (handle_batch is None):
            raise TypeError("give either handle or handle_batch")
        self.group, self.topics = group, tuple(topics)
        self.tally = Tally(group)
        self.partitions: dict[TopicPartition, Partition] = {}
        self.assigned = asyncio.Event()
        self._handle = handle_batch or one_by_one(handle)  # type: ignore[arg-type]  # one of the two is given
        self._batch, self._concurrency, self._grace_s = handle_batch is not None, concurrency, grace_s
        self._seen, self._healer, self._bootstrap_streams = seen, healer, bootstrap_streams
        self._read = read if react else _as_replayed(read)
        self._connect = connect or _kafka(bootstrap, group, topics)
        self._dead = dead or KafkaDeadLetters(bootstrap, group)
        self._parking = Parking(parked, group) if parked is not None and failing == "park" else None
        self._quarantine = Quarantine(
            self._dead, self._parking, self.tally, halt_after=halt_after, settle_after_s=settle_after_s
        )
        self._moved, self._closing, self._saving = asyncio.Event(), asyncio.Event(), asyncio.Lock()
        self._paused: set[TopicPartition] = set()
        self._generation = 0

    async def run(self) -> None:
        """Consume until cancelled. Raises ``Halted`` (ten poison records in a row) and whatever a handler let out."""
        self._client = self._connect(_Listener(self))
        try:
            async with asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                await self._work()
        except BaseExceptionGroup as group:
            raise _first(group) from group
        finally:
            await self._dead.close()

    def retry(self, stream: str) -> None:
        """Try a parked stream (``<tenant>/<stream>``) of this member again, in order."""
        parked = self._parking.streams.get(stream) if self._parking else None
        partition = self.partitions.get(TopicPartition(parked.topic, parked.partition)) if parked else None
        if partition is not None:
            partition.put([Retry(stream)])

    async def _work(self) -> None:
        try:
            await patiently(self._start, self._closing, self.tally)
            background = [self._tasks.create_task(task()) for task in (self._save_forever, self._settle, self._watch)]
            try:
                await self._pump()
            finally:
                self._closing.set()
                await self._revoke(list(self.partitions))
                for task in background:
                    task.cancel()
        finally:
            await self._leave()

    async def _leave(self) -> None:
        try:
            await asyncio.wait_for(self._client.stop(), LEAVE_S)
        except TimeoutError:
            log.warning("left_without_goodbye", group=self.group)

    async def _start(self) -> None:
        try:
            await self._client.start()
        except KafkaError as error:
            await self._client.stop()
            self._client = self._connect(_Listener(self))
            raise NotNow("KAFKA_AWAY", type(error).__name__) from error

    async def _pump(self) -> None:
        while True:
            found = await self._client.getmany(timeout_ms=POLL_MS, max_records=POLL_RECORDS)
            generation = self._generation
            # records may come before our listener has heard of their partitions, and grow stale while we wait
            await self.assigned.wait()
            if generation == self._generation:
                self._deal(found)
            # getmany does not suspend while it has records: work them off while they are warm
            await asyncio.sleep(0)

    def _deal(self, found: Mapping[TopicPartition, Sequence[Raw]]) -> None:
        for where, records in found.items():
            partition = self.partitions[where]
            partition.put(records)
            self._hold_back(where, partition)

    # --- back-pressure: a partition that waits must not stop the others ---------------------------------------------

    def _hold_back(self, where: TopicPartition, partition: Partition) -> None:
        if partition.backlog > self._most() and where not in self._paused:
            self._paused.add(where)
            self._client.pause(where)

    def _let_go(self) -> None:
        for where in list(self._paused):
            partition = self.partitions.get(where)
            if partition is None:
                self._paused.discard(where)
            elif partition.backlog < self._most() // 2:
                self._paused.discard(where)
                self._client.resume(where)

    def _most(self) -> int:
        return max(2_000, BACKLOG // max(1, len(self.partitions)))

    # --- progress: effect, then `seen`, then the offset --------------------------------------------------------------

    def _has_moved(self) -> None:
        self._moved.set()
        if self._paused:
            self._let_go()

    async def _save_forever(self) -> None:
        while True:
            await self._moved.wait()
            self._moved.clear()
            try:
                await patiently(self._save_all, self._closing, self.tally)
            except Leaving:
                return
            await asyncio.sleep(SAVE_EVERY_S)

    async def _save_all(self) -> None:
        await self._save(dict(self.partitions))

    async def _save(self, partitions: Mapping[TopicPartition, Partition]) -> None:
        async with self._saving:
            # both read before anything is awaited: no offset passes a version that is not in `seen`
            offsets = {where: p.offsets.unsaved for where, p in partitions.items()}
            await self._remember([p.applier.seen for p in partitions.values() if p.applier.seen])
            due = {where: offset for where, offset in offsets.items() if offset is not None}
            if due and await self._committed(due):
                for where, offset in due.items():
                    partitions[where].offsets.saved(offset)

    async def _remember(self, all_seen: Sequence[SeenVersions]) -> None:
        taken = [(seen, seen.take()) for seen in all_seen]
        versions = {key: version for _, dirty in taken for key, version in dirty.items()}
        if not versions or self._seen is None:
            return
        try:
            await self._seen.put_many(self.group, versions)
        except BaseException:
            for seen, dirty in taken:
                seen.give_back(dirty)
            raise

    async def _committed(self, offsets: Mapping[TopicPartition, int]) -> bool:
        try:
            await self._client.commit(offsets)
        except (CommitFailedError, IllegalStateError):
            # the partitions have another owner by now; it repeats what we did, to no effect
            log.info("commit_refused", group=self.group, partitions=len(offsets))
            return False
        except KafkaError as error:
            raise NotNow("COMMIT_FAILED", type(error).__name__) from error
        return True

    # --- membership --------------------------------------------------------------------------------------------------

    async def _heard(self, change: Coroutine[Any, Any, None]) -> None:
        try:
            await change
        except Leaving:
            return
        except Exception as error:  # aiokafka would only log it, and we would stand still for ever
            self._tasks.create_task(_raise(error))

    async def _assign(self, assigned: Collection[TopicPartition]) -> None:
        if self._parking is not None:
            await patiently(self._parking.load, self._closing, self.tally)
        for where in assigned:
            self.partitions[where] = self._partition()
        self.assigned.set()
        log.info("partitions_assigned", group=self.group, partitions=len(assigned))

    def _partition(self) -> Partition:
        seen = SeenVersions(self._seen, self.group) if self._seen is not None else None
        return Partition(
            Applier(self.group, self._handle, seen, self._healer, self._bootstrap_streams, self.tally),
            self._quarantine,
            self._read,
            self._tasks.create_task,
            self._has_moved,
            batch=self._batch,
            concurrency=self._concurrency,
        )

    async def _revoke(self, revoked: Collection[TopicPartition]) -> None:
        self._generation += 1
        self.assigned.clear()
        leaving = {where: self.partitions.pop(where) for where in revoked if where in self.partitions}
        self._paused -= leaving.keys()
        if leaving:
            await asyncio.gather(*(partition.close(self._grace_s) for partition in leaving.values()))
            self._quarantine.drop({(where.topic, where.partition) for where in leaving})
            await self._last_save(leaving)

    async def _last_save(self, leaving: Mapping[TopicPartition, Partition]) -> None:
        try:
            await asyncio.wait_for(self._save(leaving), LAST_SAVE_S)
        except (NotNow, TimeoutError):
            log.warning("left_unsaved", group=self.group)  # the next owner repeats it, to no effect

    # --- quarantine --------------------------------------------------------------------------------------------------

    async def _settle(self) -> None:
        await self._quarantine.settle_forever(self._closing)

    async def _watch(self) -> None:
        """Look whether somebody asked for a parked stream to be tried again."""
        while self._parking is not None:
            await asyncio.sleep(LOOK_FOR_RETRIES_S)
            if self._parking.streams:
                await self._look(self._parking)

    async def _look(self, parking: Parking) -> None:
        try:
            for key in await parking.wanted():
                self.retry(key)
        except NotNow:
            return  # the next look is soon


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    def __init__(self, consumer: Consumer) -> None:
        self._consumer = consumer

    async def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        await self._consumer._heard(self._consumer._revoke(revoked))

    async def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        await self._consumer._heard(self._consumer._assign(assigned))


def _kafka(bootstrap: str, group: str, topics: Sequence[str]) -> Connect:
    def connect(listener: ConsumerRebalanceListener) -> Client:
        made: Any = clients.consumer(bootstrap, group, topics, listener, client_id=group)
        return made  # type: ignore[no-any-return]  # aiokafka has no types

    return connect


async def _raise(error: Exception) -> None:
    raise error


def _as_replayed(read: Callable[[Raw], Received]) -> Callable[[Raw], Received]:
    return lambda raw: read(raw)._replace(replayed=True)


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    error = group.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error
