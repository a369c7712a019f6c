"""How far a consumer group has read a topic, asked of the broker: whether a read model can know of something yet."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from switchlog.bus import clients
from switchlog.errors import NotNow

WITHIN_S = 1.0

Mark = Mapping[Any, int]


class Reading:
    """``mark`` is where the topic ends now; the group ``has_read`` up to it once it has committed that far.

    A commit follows the effect, so what stood before the mark is in the group's model then. Both raise ``NotNow`` while
    the broker is away.
    """

    def __init__(self, bootstrap: str, group: str, topic: str) -> None:
        self._bootstrap, self._group, self._topic = bootstrap, group, topic
        self._consumer: AIOKafkaConsumer | None = None
        self._admin: AIOKafkaAdminClient | None = None
        self._asking = asyncio.Lock()

    async def mark(self) -> Mark:
        ends: Mark = await self._asked(self._ends)
        return ends

    async def has_read(self, mark: Mark) -> bool:
        return bool(await self._asked(lambda: self._reached(mark)))

    async def close(self) -> None:
        consumer, admin = self._consumer, self._admin
        self._consumer = self._admin = None
        if consumer is not None:
            await consumer.stop()
        if admin is not None:
            await admin.close()

    async def _asked(self, question: Any) -> Any:
        async with self._asking:
            try:
                async with asyncio.timeout(WITHIN_S):
                    await self._connect()
                    return await question()
            except (TimeoutError, KafkaError, OSError) as error:
                await self.close()
                raise NotNow("BUS_AWAY", type(error).__name__) from error

    async def _connect(self) -> None:
        if self._consumer is None:
            consumer = clients.consumer(self._bootstrap, None, (), client_id="routing-reading")
            self._consumer = consumer
            await consumer.start()
        if self._admin is None:
            admin = clients.admin(self._bootstrap)
            self._admin = admin
            await admin.start()

    async def _ends(self) -> Mark:
        assert self._consumer is not None
        await self._consumer._client.add_topic(self._topic)  # it knows partitions only of topics it was asked about
        partitions = [TopicPartition(self._topic, n) for n in self._consumer.partitions_for_topic(self._topic) or ()]
        ends: Mark = await self._consumer.end_offsets(partitions)
        return ends

    async def _reached(self, mark: Mark) -> bool:
        assert self._admin is not None
        committed = await self._admin.list_consumer_group_offsets(self._group, partitions=list(mark))
        behind = [where for where, end in mark.items() if _offset(committed, where) < end]
        return not behind or await self._empty(behind, mark)

    async def _empty(self, behind: list[TopicPartition], mark: Mark) -> bool:
        """Nothing was left to read where nothing was ever committed."""
        assert self._consumer is not None
        begins = await self._consumer.beginning_offsets(behind)
        return all(begins[where] >= mark[where] for where in behind)


def _offset(committed: Mapping[TopicPartition, Any], where: TopicPartition) -> int:
    found = committed.get(where)
    return -1 if found is None else int(found.offset)
