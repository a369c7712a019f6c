"""Where a relay hands rows to: acknowledged batches on Kafka topics, by a producer thrown away when it fails."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
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


@dataclass(eq=False)
class Line:
    """One living producer, its topics' partition counts and the acknowledgements it owes."""

    producer: Any
    partitions: dict[str, int] = field(default_factory=dict)
    owed: set[asyncio.Future[Any]] = field(default_factory=set)


class KafkaOutlet:
    """Kernel rule 12: after any failed acknowledgement the producer is closed and another one made.

    ``factory`` returns a producer that is not started: idempotent, acks=all, ``max_batch_size`` of 512 KiB. After
    ``acknowledge_s`` seconds of silence a new connection does better than waiting on for the old one's retransmissions.
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
        acknowledged: asyncio.Future[Any] | None = None
        try:
            async with asyncio.timeout(self._acknowledge_s):
                partition = await self._partition(line, topic, records[0].key)
                sent, acknowledged = await _given(line.producer, topic, partition, records)
                line.owed.add(acknowledged)
                # shielded: the producer's own bookkeeping hangs on this future, whoever loses patience with it
                await asyncio.shield(acknowledged)
                return sent
        except TimeoutError as error:
            self._throw_away(line)
            raise ConnectionError("no acknowledgement in time") from error
        except (KafkaError, OSError):
            self._throw_away(line)
            raise
        finally:
            line.owed.discard(acknowledged)

    async def _partition(self, line: Line, topic: str, key: bytes) -> int:
        """As the default partitioner of Java and aiokafka choose it (P3)."""
        count = line.partitions.get(topic)
        if count is None:
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
        if self._line is line:
            self._line = None
            task = asyncio.get_running_loop().create_task(_closed(line))
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)


@lru_cache(maxsize=65_536)
def hashed(key: bytes) -> int:
    """murmur2, which is pure Python and dear."""
    value: int = murmur2(key)
    return value


async def _all(calls: Any) -> None:
    """Wait for every call, then raise the first error: nothing goes on behind the caller's back."""
    for outcome in await asyncio.gather(*calls, return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome


async def _given(
    producer: Any, topic: str, partition: int, records: Sequence[Record]
) -> tuple[int, asyncio.Future[Any]]:
    """A lone record may share the producer's batch with other keys' records; several must be one batch (rule 12)."""
    if len(records) == 1:
        key, value, headers = records[0]
        return 1, await producer.send(topic, value, key, partition, headers=list(headers))
    batch = producer.create_batch()
    sent = _filled(batch, records)
    batch.close()
    return sent, await producer.send_batch(batch, topic, partition=partition)


def _filled(batch: Any, records: Sequence[Record]) -> int:
    room = MAX_BATCH_BYTES
    for n, record in enumerate(records):
        room -= record.size
        if n and room < 0:
            return n
        if batch.append(timestamp=None, key=record.key, value=record.value, headers=list(record.headers)) is None:
            return n
    return len(records)


async def _closed(line: Line) -> None:
    """Stop a producer that may never be able to flush, and wake whoever still waits for it."""
    stopping: asyncio.Future[None] = asyncio.ensure_future(line.producer.stop())
    done, _ = await asyncio.wait([stopping], timeout=FLUSH_S)
    if not done:
        await _abandoned(line.producer, stopping)
    for acknowledged in line.owed:
        if not acknowledged.done():
            acknowledged.set_exception(ConnectionError("the producer was thrown away"))


async def _abandoned(producer: Any, stopping: Awaitable[None]) -> None:
    """aiokafka can't stop without a flush, which never ends while the broker is away: end its sender first."""
    log.warning("producer_abandoned")
    sender = producer._sender.sender_task
    if sender is not None:
        sender.cancel()
    await producer.client.close()
    await asyncio.wait([asyncio.ensure_future(stopping)], timeout=FLUSH_S)
