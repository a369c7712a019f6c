"""The Faust app around the folds: what an agent raises ends the process, a stop is orderly, stale batches are left."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from aiokafka import TopicPartition

from analytics.app.folding import Folding
from analytics.app.ports import Where
from analytics.bus import hosting
from analytics.bus.reading import Reading, TopicReplaced
from switchlog.store.memory import MemoryStore
from switchlog.testing import eventually

from .folds import opened, stored_cells
from .recomputed import recompute
from .scene import TENANT, Log
from .test_folding import QUEUES, a_day

HERE = TopicPartition("routing.events.v1", 0)


class Broker:
    """A consumer over a log in memory; its listener is told of the one partition at once."""

    def __init__(self, log: Log, size: int = 5) -> None:
        self.log, self.size, self.position, self.stopped = log, size, 0, False
        self.committed: list[int] = []
        self.listener: Any = None

    def connect(self, listener: Any) -> Broker:
        self.listener = listener
        return self

    async def start(self) -> None:
        await self.listener.on_partitions_assigned([HERE])

    async def stop(self) -> None:
        self.stopped = True

    async def getmany(self, timeout_ms: int, max_records: int) -> dict:
        found = self.log.records[self.position : self.position + self.size]
        self.position += len(found)
        if not found:
            await asyncio.sleep(0.01)
        return {HERE: found} if found else {}

    async def commit(self, offsets: dict) -> None:
        self.committed.append(offsets[HERE])

    def seek(self, partition: TopicPartition, offset: int) -> None:
        self.position = offset

    async def beginning_offsets(self, partitions: list) -> dict:
        return {HERE: 0}

    async def end_offsets(self, partitions: list) -> dict:
        return {HERE: len(self.log.records)}

    def highwater(self, partition: TopicPartition) -> int:
        return len(self.log.records)

    def last_poll_timestamp(self, partition: TopicPartition) -> int:
        return 1234


def reading_of(broker: Broker, views: Any) -> Reading:
    async def open_(where: Where) -> Folding:
        return (await opened(views, broker.log))[0]

    return Reading(broker.connect, open_, lambda folding: None)


@pytest.fixture
def left_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The working directory, into which Faust would put directories of its own."""
    monkeypatch.chdir(tmp_path)
    yield
    assert list(tmp_path.iterdir()) == []


async def test_what_is_read_is_folded_by_the_agent_then_committed_and_a_stop_is_orderly(
    left_as_it_was: None,
) -> None:
    broker, views, ticks = Broker(a_day()), MemoryStore().views, []

    async def tick() -> None:
        ticks.append(1)

    reading = reading_of(broker, views)
    app = hosting.hosted("test-stop", reading, {"tick": (0.01, tick)})
    running = asyncio.create_task(hosting.run(app))

    async def read_to_the_end() -> bool:
        return bool(broker.committed) and broker.committed[-1] == len(broker.log.records) and bool(ticks)

    await eventually(read_to_the_end, within_s=10)
    await eventually(lambda: reading.caught_up == {Where(*HERE): 1234})
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    assert broker.stopped
    assert broker.committed == sorted(broker.committed)
    offered = sum(t.offered for cell in await stored_cells(views, TENANT, QUEUES) for t in cell.groups.values())
    assert offered == sum(counts["offered"] for counts in recompute(broker.log.records).values())


async def test_an_error_in_a_fold_ends_the_worker_and_nothing_is_committed() -> None:
    """Stock Faust logs what an agent raises and acknowledges the message."""
    broker, views = Broker(a_day()), MemoryStore().views
    reading = reading_of(broker, views)
    open_ = reading.open

    async def broken(where: Where) -> Folding:
        folding = await open_(where)

        def explode(*args: Any) -> None:
            raise ZeroDivisionError

        folding.incoming.facts = type("Facts", (), {"read": explode})
        return folding

    reading.open = broken
    with pytest.raises(ZeroDivisionError):
        await asyncio.wait_for(hosting.run(hosting.hosted("test-crash", reading, {})), 10)
    assert broker.committed == [] and broker.stopped


async def test_a_topic_made_anew_is_noticed_instead_of_counted_into_old_rows() -> None:
    broker, views = Broker(a_day()), MemoryStore().views
    folding, _ = await opened(views, broker.log)
    await folding.take(broker.log.records)
    del broker.log.records[3:]
    with pytest.raises(TopicReplaced):
        await asyncio.wait_for(hosting.run(hosting.hosted("test-topic", reading_of(broker, views), {})), 10)


async def test_records_of_partitions_that_moved_meanwhile_are_left() -> None:
    broker, views = Broker(a_day(), size=4), MemoryStore().views
    reading = reading_of(broker, views)
    handed: list[int] = []

    async def hand(batch: Any) -> None:
        handed.append(batch.records[0].offset)
        await batch.work_off()
        if len(handed) == 2:
            # outside of the reader's turn, as a rebalance comes
            asyncio.get_running_loop().call_soon(lambda: asyncio.ensure_future(moved()))

    async def moved() -> None:
        await reading.revoked([HERE])
        await reading.assigned([HERE])

    running = asyncio.create_task(reading.run(hand))

    async def done() -> bool:
        return bool(broker.committed) and broker.committed[-1] == len(broker.log.records)

    await eventually(done, within_s=10)
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    offered = sum(t.offered for cell in await stored_cells(views, TENANT, QUEUES) for t in cell.groups.values())
    assert offered == 17
