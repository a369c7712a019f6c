"""Analytics' folds and publishers in this process, over partitions that are lists: fast enough for thousands of logs.

The folds are plugged together as the service itself does it (``wiring``); only Kafka and the disk are not there. A
store that dies between any two rows takes the process with it: the next one goes on from what was stored.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, NamedTuple
from zlib import crc32
from zoneinfo import ZoneInfo

from analytics import wire, wiring
from analytics.app.agent_time import AgentTime
from analytics.app.folding import Folding
from analytics.app.ports import Where
from analytics.app.publishing import Publisher
from analytics.projections.rows import StoredRows
from switchlog.clock import ManualClock
from switchlog.store.memory import MemoryStore

from .oracle.topics import FIGURES, Record

TOPICS = SimpleNamespace(
    topic="routing.events.v1",
    contact_topic="contact.events.v1",
    agent_topic="agent.events.v1",
    ticket_topic="ticket.events.v1",
    feed_topic="external.events.v1",
)


class Delivered(NamedTuple):
    """A record as a consumer hands it out."""

    topic: str
    partition: int
    offset: int
    key: bytes
    value: bytes
    headers: tuple[()] = ()


class Crash(BaseException):
    """The process is gone."""


class Mortal:
    """Views that write one row at a time, as Cassandra may leave them, and die after ``budget`` of them."""

    def __init__(self, views: Any) -> None:
        self._views, self.budget = views, -1

    async def put_many(self, view: str, rows: Sequence[tuple[str, str, bytes, int]]) -> None:
        for row in rows:
            await self.put(view, *row)

    async def put(self, view: str, partition: str, key: str, value: bytes, version: int) -> None:
        if self.budget == 0:
            raise Crash
        self.budget -= 1
        await self._views.put(view, partition, key, value, version)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._views, name)


@dataclass
class Analytics:
    """``logs`` are the partitions; ``take`` folds a batch of one, ``crash_after`` lets the process die in it."""

    tz: str
    now: int
    logs: dict[Where, list[Delivered]] = field(default_factory=dict)
    crashes: int = 0

    def __post_init__(self) -> None:
        self.views = Mortal(MemoryStore().views)
        self.clock = ManualClock(self.now)
        self._restart()

    def _restart(self) -> None:
        self.rows = StoredRows(self.views, "s1", "g")
        self.kinds = wiring._kinds(TOPICS, self.rows)  # the one place that says how topics are folded
        self.foldings: dict[Where, Folding] = {}

    async def take(self, where: Where, size: int, crash_after: int = -1) -> bool:
        """Fold the next ``size`` records of a partition; whether there were any. After a crash a new one goes on."""
        self.views.budget = crash_after
        try:
            folding = await self._folding(where)
            some = self.logs[where][folding.board.next :][:size]
            if some:
                await folding.take(some)
            return bool(some)
        except Crash:
            self.crashes += 1
            self._restart()
            return True
        finally:
            self.views.budget = -1

    async def _folding(self, where: Where) -> Folding:
        if where not in self.foldings:
            kind = self.kinds[where.topic]
            board = await kind.rows.board(where)
            self.foldings[where] = Folding(where, board, kind.rows, kind.facts, self._missing, self._bury)
        return self.foldings[where]

    async def _missing(self, record: Any, last: int) -> Sequence[bytes]:
        raise AssertionError(f"a hole in {record.key!r} after version {last}: none was made")

    async def _bury(self, record: Any, reason: str, detail: str) -> None:
        raise AssertionError(f"{record.key!r} buried: {reason} {detail}")

    async def published(self, tenant: str) -> list[Record]:
        """What stands on both output topics when everything that is stored has been published."""
        out: list[Record] = []

        def to(topic: str) -> Any:
            async def send(records: Iterable[Any]) -> None:
                for one in records:
                    out.append(Record(topic, 0, len(out), one.key, one.value))

            return send

        async def zone_of(_tenant: str, _pool: str) -> ZoneInfo:
            return ZoneInfo(self.tz)

        levels = Publisher(self.rows, self.clock, wire.level_record, to(wire.LEVELS), lambda key: None)
        times = AgentTime(self.rows, self.clock, wire.shift_record, to(wire.AGENT_TIME), zone_of, lambda key: None)
        for where in self.logs:
            folding = await self._folding(where)
            levels.changed |= {key async for key in _cells(self.rows, tenant)}
            times.changed |= set(folding.board.counters.days)
        await levels.tick()
        await times.tick()
        return out


async def _cells(rows: StoredRows, tenant: str) -> Any:
    for queue in ["", *(one.queue for one in await rows.queues(tenant))]:
        for attribution in ("cohort", "event"):
            async for cell in rows.cells(tenant, queue, 0, 1 << 45, attribution):
                yield cell.key


def partitioned(records: Iterable[Record], partitions: int) -> dict[Where, list[Record]]:
    """By key, as a producer does; every topic has all its partitions."""
    found: dict[Where, list[Record]] = {Where(topic, n): [] for topic in FIGURES for n in range(partitions)}
    for one in records:
        found[Where(one.topic, crc32(one.key) % partitions)].append(one)
    return found


def delivered(where: Where, records: Iterable[Record]) -> list[Delivered]:
    """With the offsets that they have once they stand in ``where``."""
    return [Delivered(where.topic, where.partition, n, one.key, one.value) for n, one in enumerate(records)]
