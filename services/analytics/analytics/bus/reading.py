"""The consumer that the Faust worker owns: whole batches go to the agent, and the offset is committed after its effect.

Reading begins where each partition's stored progress says; the committed offset only tells others how far that is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError

from switchlog.bus.patience import pauses
from switchlog.bus.record import Raw
from switchlog.log import get_logger

from ..app.folding import Folding
from ..app.ports import Where

log = get_logger(__name__)

POLL_MS = 500
BATCH = 20_000
"""So many records are folded before something is stored; only who catches up ever gets as many at once."""

Connect = Callable[[ConsumerRebalanceListener], AIOKafkaConsumer]
Open = Callable[[Where], Awaitable[Folding]]
Close = Callable[[Folding], None]


@dataclass(frozen=True)
class Batch:
    """Records of one partition on their way through the channel; ``done`` becomes the offset to commit or the error."""

    folding: Folding
    records: Sequence[Raw]
    done: asyncio.Future[int]

    async def work_off(self) -> None:
        """Fold and store. Faust would log an agent's error and go on: here it goes back to who reads."""
        try:
            self.done.set_result(await self.folding.take(self.records))
        except Exception as error:
            self.done.set_exception(error)


Hand = Callable[[Batch], Awaitable[Any]]


@dataclass
class Reading:
    """``await run(hand)`` reads until cancelled; ``foldings`` are the partitions that are ours now.

    ``behind``: one of them is more than a batch before its end.
    """

    connect: Connect
    open: Open
    close: Close
    foldings: dict[TopicPartition, Folding] = field(default_factory=dict)
    caught_up: dict[Where, int] = field(default_factory=dict)
    behind: bool = False
    generation: int = 0
    failure: Exception | None = None
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def run(self, hand: Hand) -> None:
        await self._connect()
        try:
            while True:
                found = await self.consumer.getmany(timeout_ms=POLL_MS, max_records=BATCH)
                generation = self.generation
                async with self.turn:
                    if self.failure is not None:
                        raise self.failure
                    if generation == self.generation:  # else partitions moved while we waited: these are stale
                        await self._hand_over(found, hand)
                        self._note_ends()
                await asyncio.sleep(0)
        finally:
            await self.consumer.stop()

    async def _connect(self) -> None:
        for pause in pauses():
            self.consumer = self.connect(_Listener(self))
            try:
                return await self.consumer.start()  # type: ignore[no-any-return]  # aiokafka is published without types
            except KafkaError as error:
                log.info("reader_waits_for_broker", error=type(error).__name__)
                await self.consumer.stop()
                await asyncio.sleep(pause)

    async def _hand_over(self, found: dict[TopicPartition, list[Any]], hand: Hand) -> None:
        for partition, records in found.items():
            folding = self.foldings.get(partition)
            if folding is None or not records:
                continue
            batch = Batch(folding, records, asyncio.get_running_loop().create_future())
            await hand(batch)
            await self._commit(partition, await batch.done)

    async def _commit(self, partition: TopicPartition, offset: int) -> None:
        try:
            await self.consumer.commit({partition: offset})
        except (KafkaError, IllegalStateError) as error:  # progress is stored: this is only for others to see
            log.info("offset_not_committed", partition=partition.partition, error=type(error).__name__)

    def _note_ends(self) -> None:
        """A partition read to its end is as fresh as the broker's last word about that end."""
        self.behind = False
        for partition, folding in self.foldings.items():
            end, at = self.consumer.highwater(partition), self.consumer.last_poll_timestamp(partition)
            self.behind |= end is not None and folding.board.next + BATCH < end
            if at and end is not None and folding.board.next >= end:
                self.caught_up[folding.where] = at

    # --- partitions come and go --------------------------------------------------------------------------------------

    async def revoked(self, partitions: Iterable[TopicPartition]) -> None:
        async with self.turn:
            self.generation += 1
            for partition in partitions:
                if folding := self.foldings.pop(partition, None):
                    self.caught_up.pop(folding.where, None)
                    self.close(folding)

    async def assigned(self, partitions: Iterable[TopicPartition]) -> None:
        async with self.turn:
            self.generation += 1
            for partition in partitions:
                folding = await self.open(Where(partition.topic, partition.partition))
                await self._seek(partition, folding.board.next)
                self.foldings[partition] = folding

    async def _seek(self, partition: TopicPartition, offset: int) -> None:
        begin = (await self.consumer.beginning_offsets([partition]))[partition]
        end = (await self.consumer.end_offsets([partition]))[partition]
        if offset > end:
            # the topic is another one than we read: its offsets say nothing about our rows
            raise TopicReplaced(
                f"{partition.topic}/{partition.partition} ends at {end}, but {offset} records of it are counted: "
                "rebuild under a new ANALYTICS_STATE"
            )
        if 0 < offset < begin:
            log.error("records_lost", topic=partition.topic, partition=partition.partition, count=begin - offset)
        self.consumer.seek(partition, max(offset, begin))


class TopicReplaced(Exception):
    """The topic was made anew since its records were counted."""


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka is published without types
    """aiokafka logs what a listener raises and goes on: here it ends the process."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        await self._reading.revoked(revoked)

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        try:
            await self._reading.assigned(assigned)
        except Exception as error:
            self._reading.failure = error
