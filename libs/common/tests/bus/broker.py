"""A broker in memory: ordered partitions, committed offsets, eager rebalances: what the tests need of Kafka."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any
from zlib import crc32

from aiokafka import TopicPartition
from aiokafka.errors import CommitFailedError

from switchlog.bus.record import Kept
from switchlog.envelope import Row, StreamId


class Broker:
    """``partitions`` a topic; a key always goes to the same one."""

    def __init__(self, partitions: int = 2) -> None:
        self.partitions = partitions
        self.logs: dict[TopicPartition, list[Kept]] = defaultdict(list)
        self.committed: dict[tuple[str, TopicPartition], int] = {}
        self.groups: dict[str, list[Member]] = defaultdict(list)
        self.commits: list[dict[TopicPartition, int]] = []

    def publish(self, topic: str, stream: StreamId, *rows: Row) -> None:
        """The rows as the relay would publish them."""
        for row in rows:
            self.produce(topic, stream.key.encode(), row.value, row.headers)

    def produce(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        headers: Sequence[tuple[str, bytes]] = (),
        partition: int | None = None,
    ) -> Kept:
        where = TopicPartition(topic, crc32(key or b"") % self.partitions if partition is None else partition)
        record = Kept(topic, where.partition, len(self.logs[where]), key, value, headers)
        self.logs[where].append(record)
        self._wake()
        return record

    def again(self, group: str) -> None:
        """The group's offsets are reset: everything is delivered once more."""
        for at in [at for at in self.committed if at[0] == group]:
            del self.committed[at]

    def connect(self, group: str, topic: str) -> Any:
        return lambda listener: Member(self, group, topic, listener)

    def committed_all(self, group: str, topic: str) -> bool:
        """Everything on ``topic`` is committed."""
        wanted = {where: len(log) for where, log in self.logs.items() if where.topic == topic}
        return all(self.committed.get((group, where), 0) == end for where, end in wanted.items())

    def where(self, topic: str) -> list[TopicPartition]:
        return [TopicPartition(topic, n) for n in range(self.partitions)]

    async def rebalance(self, group: str) -> None:
        members = self.groups[group]
        for member in members:
            await member.give_up()
        for n, member in enumerate(members):
            await member.take(self.where(member.topic)[n :: len(members)])
        self._wake()

    def _wake(self) -> None:
        for members in self.groups.values():
            for member in members:
                member.news.set()


class Member:
    """What ``AIOKafkaConsumer`` is to ``Consumer``."""

    def __init__(self, broker: Broker, group: str, topic: str, listener: Any) -> None:
        self.broker, self.group, self.topic, self.listener = broker, group, topic, listener
        self.positions: dict[TopicPartition, int] = {}
        self.paused: set[TopicPartition] = set()
        self.news = asyncio.Event()
        self.moving = False

    async def start(self) -> None:
        self.broker.groups[self.group].append(self)
        await self.broker.rebalance(self.group)

    async def stop(self) -> None:
        if self in self.broker.groups[self.group]:
            self.broker.groups[self.group].remove(self)
            await self.broker.rebalance(self.group)

    async def give_up(self) -> None:
        self.moving = True
        await self.listener.on_partitions_revoked(set(self.positions))

    async def take(self, assigned: Sequence[TopicPartition]) -> None:
        self.paused.clear()
        self.positions = {where: self.broker.committed.get((self.group, where), 0) for where in assigned}
        self.moving = False
        await self.listener.on_partitions_assigned(set(assigned))

    async def getmany(self, *, timeout_ms: int, max_records: int) -> Mapping[TopicPartition, Sequence[Any]]:
        while not (found := self._fetch()):
            self.news.clear()
            await self.news.wait()
        return found

    def _fetch(self) -> dict[TopicPartition, list[Kept]]:
        found: dict[TopicPartition, list[Kept]] = {}
        for where, position in self.positions.items():
            log = self.broker.logs[where][position : position + 500]
            if log and where not in self.paused and not self.moving:
                found[where] = log
                self.positions[where] = position + len(log)
        return found

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        await asyncio.sleep(0)
        if not set(offsets) <= set(self.positions):
            raise CommitFailedError("not mine")
        self.broker.commits.append(dict(offsets))
        self.broker.committed.update({(self.group, where): offset for where, offset in offsets.items()})

    def pause(self, partition: TopicPartition) -> None:
        self.paused.add(partition)

    def resume(self, partition: TopicPartition) -> None:
        self.paused.discard(partition)
        self.news.set()
