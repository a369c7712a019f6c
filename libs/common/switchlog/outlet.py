"""Where a relay hands rows to: acknowledged batches on Kafka topics, by a producer thrown away when it fails."""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import chain
from typing import Any, NamedTuple, Protocol

from aiokafka.errors import KafkaError
from aiokafka.partitioner import murmur2

from switchlog.envelope import Headers, Row
from switchlog.errors import NotNow
from switchlog.log import get_logger

MAX_BATCH_BYTES = 512 * 1024
START_S = 5.0
FLUSH_S = 1.0
RECORD_OVERHEAD = 128  # key, lengths and the header names' lengths of one record, generously

log = get_logger()

Place = tuple[str, int]  # topic, partition


class Outlet(Protocol):
    """A bus. ``publish`` sends the first rows, as many as fit one batch, and returns how many are acknowledged."""

    async def publish(self, topic: str, key: bytes, rows: Sequence[Row]) -> int: ...

    async def close(self) -> None: ...


class Record(NamedTuple):
    """What goes on a topic; ``value`` None deletes the key of a compacted one."""

    key: bytes
    value: bytes | None
    headers: Headers = ()

    @property
    def size(self) -> int:
        return len(self.key) + len(self.value or b"") + sum(map(len, chain(*self.headers))) + RECORD_OVERHEAD


class Lot(NamedTuple):
    """One caller's records for one partition; ``sent`` becomes how many of them are acknowledged."""

    records: Sequence[Record]
    sent: asyncio.Future[int]

    def give(self, count: int) -> None:
        if not self.sent.done():
            self.sent.set_result(count)

    def fail(self, error: BaseException) -> None:
        if not self.sent.done():
            self.sent.set_exception(error)


@dataclass(eq=False)
class Queue:
    """Who waits for one partition, and the task that sends for them, one batch after the other."""

    waiting: deque[Lot] = field(default_factory=deque)
    sender: asyncio.Task[None] | None = None


@dataclass(eq=False)
class Line:
    """One living producer, its topics' partition counts and its queues."""

    producer: Any
    partitions: dict[str, int] = field(default_factory=dict)
    queues: defaultdict[Place, Queue] = field(default_factory=lambda: defaultdict(Queue))


class KafkaOutlet:
    """Kernel rule 12: one batch of a partition at a time, for all who wait; when one fails the producer is closed.

    ``factory`` returns a producer that is not started: idempotent, acks=all, ``max_batch_size`` of 512 KiB. After
    ``acknowledge_s`` seconds of silence a new connection does better than waiting on for the old one's retransmissions.
    aiokafka's own queue is not used: its ``send_batch`` starves and gives up under ``send`` from many tasks.
    """

    def __init__(self, factory: Callable[[], Any], *, acknowledge_s: float = 6.0) -> None:
        self._factory = factory
        self._acknowledge_s = acknowledge_s
        self._line: Line | None = None
        self._making: asyncio.Task[Line] | None = None
        self._closing: set[asyncio.Task[None]] = set()
        self.producers_made = 0

    async def publish(self, topic: str, key: bytes, rows: Sequence[Row]) -> int:
        """Send and wait; raises ``KafkaError`` or ``OSError`` when it is not known to be on the topic."""
        return await self._sent(topic, [Record(key, row.value, row.headers) for row in rows])

    async def send(self, topic: str, records: Sequence[Record]) -> None:
        """Put ``records`` on ``topic``, in order per key, and wait for all; for what is derived and not in a log.

        Raises ``NotNow`` when some may not be there: send them all again.
        """
        try:
            lots = await self._by_partition(topic, records)
            await _all(self._sent_whole(topic, lot) for lot in lots)
        except (KafkaError, OSError) as error:
            raise NotNow("BUS_AWAY", type(error).__name__) from error

    async def close(self) -> None:
        """Close the producer; what is not acknowledged will be sent again by whoever comes next."""
        if self._making is not None:
            await asyncio.wait([self._making])
        if self._line is not None:
            self._throw_away(self._line)
        await asyncio.gather(*self._closing, return_exceptions=True)

    async def _by_partition(self, topic: str, records: Sequence[Record]) -> list[list[Record]]:
        line = self._line or await self._made()
        lots: defaultdict[int, list[Record]] = defaultdict(list)
        for record in records:
            lots[await self._partition(line, topic, record.key)].append(record)
        return list(lots.values())

    async def _sent_whole(self, topic: str, records: Sequence[Record]) -> None:
        while records:
            records = records[await self._sent(topic, records) :]

    async def _sent(self, topic: str, records: Sequence[Record]) -> int:
        """How many of ``records``, all of one partition, made the first batch and are acknowledged."""
        line = self._line or await self._made()
        place = topic, await self._partition(line, topic, records[0].key)
        if line is not self._line:
            raise ConnectionError("the producer was thrown away")
        queue, loop = line.queues[place], asyncio.get_running_loop()
        queue.waiting.append(lot := Lot(records, loop.create_future()))
        if queue.sender is None:
            queue.sender = loop.create_task(self._send_waiting(line, place, queue))
        return await lot.sent

    async def _send_waiting(self, line: Line, place: Place, queue: Queue) -> None:
        """Everybody who waits shares the next batch, as far as they fit."""
        while queue.waiting:
            batch = line.producer.create_batch()
            taken = list(_taken(batch, queue.waiting))
            batch.close()
            if not taken:
                break
            try:
                await self._acknowledged(line, place, batch)
            except BaseException as error:
                lost = ConnectionError("not known to be sent") if isinstance(error, asyncio.CancelledError) else error
                for lot, _ in taken:
                    lot.fail(lost)
                self._throw_away(line)
                return
            for lot, count in taken:
                lot.give(count)
        queue.sender = None

    async def _acknowledged(self, line: Line, place: Place, batch: Any) -> None:
        topic, partition = place
        try:
            async with asyncio.timeout(self._acknowledge_s):
                await (await line.producer.send_batch(batch, topic, partition=partition))
        except TimeoutError as error:
            raise ConnectionError("no acknowledgement in time") from error

    async def _partition(self, line: Line, topic: str, key: bytes) -> int:
        """As the default partitioner of Java and aiokafka choose it (P3)."""
        count = line.partitions.get(topic)
        if count is None:
            async with asyncio.timeout(self._acknowledge_s):
                count = line.partitions[topic] = len(await line.producer.partitions_for(topic))
        return (hashed(key) & 0x7FFFFFFF) % count

    async def _made(self) -> Line:
        """One attempt at a time, whose outcome all share: streams by the hundred may wait for a broker."""
        if self._making is None:
            self._making = asyncio.get_running_loop().create_task(self._make())
        return await asyncio.shield(self._making)

    async def _make(self) -> Line:
        producer = self._factory()
        try:
            async with asyncio.timeout(START_S):
                await producer.start()
        except BaseException:
            await producer.stop()
            raise
        finally:
            self._making = None
        self.producers_made += 1
        self._line = Line(producer)
        return self._line

    def _throw_away(self, line: Line) -> None:
        """Whoever waits tries again with the next producer; batches under way have a second to be acknowledged."""
        if self._line is not line:
            return
        self._line = None
        for queue in line.queues.values():
            while queue.waiting:
                queue.waiting.popleft().fail(ConnectionError("the producer was thrown away"))
        task = asyncio.get_running_loop().create_task(_closed(line))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)


@lru_cache(maxsize=65_536)
def hashed(key: bytes) -> int:
    """murmur2, which is pure Python and dear."""
    value: int = murmur2(key)
    return value


async def _all(calls: Iterable[Any]) -> None:
    """Wait for every call, then raise the first error: nothing goes on behind the caller's back."""
    for outcome in await asyncio.gather(*calls, return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome


def _taken(batch: Any, waiting: deque[Lot]) -> Iterable[tuple[Lot, int]]:
    """Move lots into ``batch`` while there is room, with how many records of each went in; the first always does."""
    room = MAX_BATCH_BYTES
    while waiting and room > 0:
        lot, count = waiting[0], 0
        if lot.sent.done():  # its caller has left
            waiting.popleft()
            continue
        for record in lot.records:
            room -= record.size
            if (room < 0 and batch.record_count()) or not _put(batch, record):
                break
            count += 1
        if count:
            yield waiting.popleft(), count
        if count < len(lot.records):
            return


def _put(batch: Any, record: Record) -> bool:
    put = batch.append(timestamp=None, key=record.key, value=record.value, headers=list(record.headers))
    return put is not None


async def _closed(line: Line) -> None:
    """Stop a producer that may never be able to flush, and end what still waits for it."""
    stopping: asyncio.Future[None] = asyncio.ensure_future(line.producer.stop())
    done, _ = await asyncio.wait([stopping], timeout=FLUSH_S)
    if not done:
        await _abandoned(line.producer, stopping)
    for queue in line.queues.values():
        if queue.sender is not None:
            queue.sender.cancel()


async def _abandoned(producer: Any, stopping: asyncio.Future[None]) -> None:
    """aiokafka can't stop without a flush, which never ends while the broker is away: end its sender first."""
    log.warning("producer_abandoned")
    sender = producer._sender.sender_task
    if sender is not None:
        sender.cancel()
    await producer.client.close()
    await asyncio.wait([stopping], timeout=FLUSH_S)
