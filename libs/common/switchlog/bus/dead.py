"""The dead-letter topic ``<topic>.dead.<group>``: what can never be read, with why and where in its headers."""

from __future__ import annotations

import time
from typing import Protocol

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from switchlog.bus import clients
from switchlog.bus.record import Raw
from switchlog.errors import NotNow

PARTITIONS = 6
# 14 days; the record was too odd to be trusted with a timestamp of its own
TOPIC_CONFIG = {"retention.ms": "1209600000", "message.timestamp.type": "LogAppendTime"}
MAX_VALUE_BYTES = 900 * 1024
MAX_DETAIL = 300
MAX_HEADERS_BYTES = 64 * 1024

Headers = list[tuple[str, bytes]]


class DeadLetters(Protocol):
    """Where dead letters go; durable when ``bury`` returns."""

    async def bury(self, raw: Raw, reason: str, detail: str = "") -> None:
        """Raises ``NotNow`` while it can't."""
        ...

    async def close(self) -> None: ...


def dead_topic(topic: str, group: str) -> str:
    """The name of ``topic``'s dead-letter topic in ``group``."""
    return f"{topic}.dead.{group}"


def death_headers(raw: Raw, group: str, reason: str, detail: str) -> Headers:
    """The record's own headers (as far as 64 KiB go) and ``dead_*``: reason, detail, group, where and when."""
    why = {
        "dead_reason": reason,
        "dead_detail": detail[:MAX_DETAIL],
        "dead_group": group,
        "dead_topic": raw.topic,
        "dead_partition": str(raw.partition),
        "dead_offset": str(raw.offset),
        "dead_at_ms": str(int(time.time() * 1000)),
    }
    if len(raw.value or b"") > MAX_VALUE_BYTES:
        why["dead_value_bytes"] = str(len(raw.value or b""))  # the value was cut
    return [*_own(raw), *((name, value.encode()) for name, value in why.items())]


def _own(raw: Raw) -> Headers:
    kept: Headers = []
    left = MAX_HEADERS_BYTES
    for name, value in raw.headers:
        left -= len(name) + len(value or b"")
        if left < 0:
            break
        kept.append((name, value or b""))
    return kept


class KafkaDeadLetters:
    """Dead letters on Kafka; makes the topic and its producer when the first one comes."""

    def __init__(self, bootstrap: str, group: str, *, partitions: int = PARTITIONS) -> None:
        self._bootstrap, self._group, self._partitions = bootstrap, group, partitions
        self._producer: AIOKafkaProducer | None = None
        self._topics: set[str] = set()

    async def bury(self, raw: Raw, reason: str, detail: str = "") -> None:
        topic = dead_topic(raw.topic, self._group)
        await self._ensure(topic)
        producer = await self._started()
        value = raw.value[:MAX_VALUE_BYTES] if raw.value is not None else None
        key = (raw.key or b"")[:1024] or None
        try:
            await producer.send_and_wait(topic, value, key, headers=death_headers(raw, self._group, reason, detail))
        except KafkaError as error:
            await self.close()  # kernel rule 12: a producer that failed is thrown away
            raise NotNow("KAFKA_AWAY", type(error).__name__) from error

    async def close(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            await producer.stop()

    async def _ensure(self, topic: str) -> None:
        if topic not in self._topics:
            await clients.ensure_topic(self._bootstrap, topic, self._partitions, TOPIC_CONFIG)
            self._topics.add(topic)

    async def _started(self) -> AIOKafkaProducer:
        if self._producer is None:
            producer = clients.producer(self._bootstrap, f"{self._group}-dead")
            try:
                await producer.start()
            except KafkaError as error:
                await producer.stop()
                raise NotNow("KAFKA_AWAY", type(error).__name__) from error
            self._producer = producer
        return self._producer
