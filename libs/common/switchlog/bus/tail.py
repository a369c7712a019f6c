"""Reads whole topics without a group: tables kept in memory from a compacted topic, and pushes to people who watch now.

Every process sees every record; nothing is committed. What must not be missed belongs in a ``Consumer``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Literal

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from switchlog.bus import clients
from switchlog.bus.record import Raw
from switchlog.log import get_logger

log = get_logger(__name__)

POLL_MS = 1_000
TRY_AGAIN_S = 0.5

Take = Callable[[Raw], None]


class Tail:
    """``await run()`` hands every record to ``take`` until cancelled; ``caught_up`` is set once what stood is read.

    ``start="beginning"`` reads the topics whole first, ``"now"`` only what comes. ``take`` must not raise.
    """

    def __init__(
        self, bootstrap: str, topics: Sequence[str], take: Take, *, start: Literal["beginning", "now"] = "now"
    ) -> None:
        self._bootstrap = bootstrap
        self._topics = tuple(topics)
        self._take = take
        self._from_beginning = start == "beginning"
        self.caught_up = asyncio.Event()

    async def run(self) -> None:
        """Until cancelled; waits for a broker that is away."""
        consumer = await self._connected()
        try:
            ends = await self._placed(consumer)
            await self._read(consumer, ends)
        finally:
            await consumer.stop()

    async def _connected(self) -> AIOKafkaConsumer:
        while True:
            consumer = clients.consumer(self._bootstrap, None, self._topics)
            try:
                await consumer.start()
                return consumer
            except KafkaError as error:
                log.info("tail_waits_for_broker", topics=self._topics, error=type(error).__name__)
                await consumer.stop()
                await asyncio.sleep(TRY_AGAIN_S)

    async def _placed(self, consumer: AIOKafkaConsumer) -> dict[TopicPartition, int]:
        """Where each partition ended at the start; reading begins there or at the beginning."""
        while len({partition.topic for partition in consumer.assignment()}) < len(self._topics):
            await asyncio.sleep(0.02)
        partitions = consumer.assignment()
        ends: dict[TopicPartition, int] = await consumer.end_offsets(partitions)
        for partition, end in ends.items():
            consumer.seek(partition, 0 if self._from_beginning else end)
        if self._from_beginning:
            await consumer.seek_to_beginning(*partitions)
        return ends

    async def _read(self, consumer: AIOKafkaConsumer, ends: dict[TopicPartition, int]) -> None:
        while True:
            if not self.caught_up.is_set():
                await self._notice_caught_up(consumer, ends)
            for records in (await consumer.getmany(timeout_ms=POLL_MS if self.caught_up.is_set() else 50)).values():
                for record in records:
                    self._take(record)

    async def _notice_caught_up(self, consumer: AIOKafkaConsumer, ends: dict[TopicPartition, int]) -> None:
        places = [(await consumer.position(partition), end) for partition, end in ends.items()]
        if all(place >= end for place, end in places):
            self.caught_up.set()
