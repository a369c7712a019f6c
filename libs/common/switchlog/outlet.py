"""Where a relay hands rows to: acknowledged batches on Kafka topics, by a producer thrown away when it fails."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Protocol

from aiokafka.errors import KafkaError
from aiokafka.partitioner import murmur2

from switchlog.envelope import Row
from switchlog.log import get_logger

MAX_BATCH_BYTES = 512 * 1024
FLUSH_S = 1.0
RECORD_OVERHEAD = 128  # key, lengths and the header names' lengths of one record, generously

log = get_logger()


class Outlet(Protocol):
    """A bus. ``publish`` sends the first rows, as many as fit one batch, and returns how many are acknowledged."""

    async def publish(self, topic: str, key: bytes, rows: Sequence[Row]) -> int: ...

    async def close(self) -> None: ...


@dataclass(eq=False)
class Line:
    """One living producer, its topics' partition counts and the acknowledgements it owes."""

    producer: Any
    partitions: dict[str, int] = field(default_factory=dict)
    owed: set[asyncio.Future[Any]] = field(default_factory=set)


class KafkaOutlet:
    """Kernel rule 12: after any failed acknowledgement the producer is closed and another one made.

    ``factory`` returns a producer that is not started: idempotent, acks=all, ``max_batch_size`` of 512 KiB.
    """

    def __init__(self, factory: Callable[[], Any], *, acknowledge_s: float = 30.0) -> None:
        self._factory = factory
        self._acknowledge_s = acknowledge_s
        self._line: Line | None = None
        self._making = asyncio.Lock()
        self._closing: set[asyncio.Task[None]] = set()
        self.producers_made = 0

    async def publish(self, topic: str, key: bytes, rows: Sequence[Row]) -> int:
        """Send and wait; raises ``KafkaError`` or ``OSError`` when it is not known to be on the topic."""
        line = self._line or await self._made()
        try:
            partition = await self._partition(line, topic, key)
            sent, acknowledged = await _sent(line.producer, topic, partition, key, rows)
        except KafkaError as error:
            if not error.retriable:
                self._throw_away(line)
            raise
        await self._acknowledged(line, acknowledged)
        return sent

    async def close(self) -> None:
        """Close the producer; what is not acknowledged will be sent again by whoever comes next."""
        if self._line is not None:
            self._throw_away(self._line)
        await asyncio.gather(*self._closing, return_exceptions=True)

    async def _acknowledged(self, line: Line, acknowledged: asyncio.Future[Any]) -> None:
        line.owed.add(acknowledged)
        try:
            async with asyncio.timeout(self._acknowledge_s):
                await acknowledged
        except (KafkaError, OSError):
            self._throw_away(line)
            raise
        except TimeoutError as error:
            self._throw_away(line)
            raise ConnectionError("no acknowledgement in time") from error
        finally:
            line.owed.discard(acknowledged)

    async def _partition(self, line: Line, topic: str, key: bytes) -> int:
        """As the default partitioner of Java and aiokafka choose it (P3)."""
        count = line.partitions.get(topic)
        if count is None:
            count = line.partitions[topic] = len(await line.producer.partitions_for(topic))
        return (hashed(key) & 0x7FFFFFFF) % count

    async def _made(self) -> Line:
        async with self._making:
            if self._line is None:
                producer = self._factory()
                try:
                    await producer.start()
                except BaseException:
                    await producer.stop()
                    raise
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


async def _sent(
    producer: Any, topic: str, partition: int, key: bytes, rows: Sequence[Row]
) -> tuple[int, asyncio.Future[Any]]:
    """A lone record may share the producer's batch with other streams' records; several must be one batch (rule 12)."""
    if len(rows) == 1:
        row = rows[0]
        return 1, await producer.send(topic, row.value, key, partition, headers=list(row.headers))
    batch = producer.create_batch()
    sent = _filled(batch, key, rows)
    batch.close()
    return sent, await producer.send_batch(batch, topic, partition=partition)


def _filled(batch: Any, key: bytes, rows: Sequence[Row]) -> int:
    room = MAX_BATCH_BYTES
    for n, row in enumerate(rows):
        room -= row.size + RECORD_OVERHEAD
        if n and room < 0:
            return n
        if batch.append(timestamp=None, key=key, value=row.value, headers=list(row.headers)) is None:
            return n
    return len(rows)


async def _closed(line: Line) -> None:
    """Stop a producer that may never be able to flush, and wake whoever still waits for it."""
    stopping = asyncio.ensure_future(line.producer.stop())
    done, _ = await asyncio.wait([stopping], timeout=FLUSH_S)
    if not done:
        await _abandoned(line.producer, stopping)
    for acknowledged in line.owed:
        if not acknowledged.done():
            acknowledged.set_exception(ConnectionError("the producer was thrown away"))


async def _abandoned(producer: Any, stopping: asyncio.Future[None]) -> None:
    """aiokafka has no way to stop without a flush, which never ends while the broker is away: end its sender first."""
    log.warning("producer_abandoned")
    sender = producer._sender.sender_task
    if sender is not None:
        sender.cancel()
    await producer.client.close()
    await asyncio.wait([stopping], timeout=FLUSH_S)
