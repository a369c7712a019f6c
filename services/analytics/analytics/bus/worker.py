"""The fold role: reads every topic, folds each partition into a board of its own, publishes what changed."""

from __future__ import annotations

import gc
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener

from switchlog.bus import clients

from .. import metrics
from ..app.agent_time import AgentTime
from ..app.folding import Folding, patient
from ..app.ports import Bury, Facts, Missing, Rows, Where
from ..app.publishing import Publisher
from ..domain.counters import DayKey
from ..domain.levels import CellKey
from . import hosting
from .reading import Reading

GARBAGE = (50_000, 20, 50)
"""A batch makes thousands of events that all live as long as it does: looking at them again and again costs a sixth."""
PARTITION_BYTES = 4 * 1024 * 1024
WATCH_EVERY_S = 5.0
WHILE_BEHIND = 10
"""Who catches up publishes so many times less often: rows that are about to change anyway cost more than the folds."""


class Kind(NamedTuple):
    """How the facts of a topic are folded, and where its boards are stored; ``ignored`` as in ``Folding``."""

    facts: Facts
    rows: Rows
    ignored: frozenset[bytes] = frozenset()


@dataclass
class Worker:
    """``run`` until cancelled. ``kinds`` are by topic, ``publish`` makes both publishers for us.

    ``watch`` looks at what rules of alerts watch; ``ticks`` were due.
    """

    bootstrap: str
    group: str
    replica: str
    kinds: Mapping[str, Kind]
    missing: Missing
    bury: Bury
    note: Callable[[Mapping[Where, int]], Awaitable[None]]
    publish: Callable[[Worker], tuple[Publisher, AgentTime]]
    watch: Callable[[], Awaitable[None]]
    reading: Reading = field(init=False)
    publisher: Publisher = field(init=False)
    agent_time: AgentTime = field(init=False)
    ticks: int = 0

    def __post_init__(self) -> None:
        self.reading = Reading(self._consumer, self._open, self._closed)
        self.publisher, self.agent_time = self.publish(self)

    async def run(self) -> None:
        """The Faust app, until cancelled; raises what crashed it."""
        gc.set_threshold(*GARBAGE)
        timers = {"publish": (hosting.PUBLISH_EVERY_S, self.tick), "freshness": (1.0, self.note_freshness)}
        timers["alerts"] = (WATCH_EVERY_S, self.look)
        await hosting.run(hosting.hosted(self.group, self.reading, timers))

    async def tick(self) -> None:
        """Once a second: what has changed."""
        self.ticks += 1
        if self.reading.behind and self.ticks % WHILE_BEHIND:
            return
        for folding in self.reading.foldings.values():
            self.publisher.changed.update(folding.changed)
            metrics.facts.add(folding.counted, {"topic": folding.where.topic})
            self.agent_time.changed.update(folding.changed_days)
            folding.changed, folding.changed_days, folding.counted = set(), set(), 0
        metrics.levels.add(await self.publisher.tick())
        days = set(self.agent_time.changed)
        metrics.shifts.add(await self.agent_time.tick())
        for folding in self.reading.foldings.values():
            folding.board.counters.untold -= days - self.agent_time.changed - folding.changed_days

    async def note_freshness(self) -> None:
        """Once a second: which partitions are read to their ends."""
        if self.reading.caught_up:
            await patient(lambda: self.note(dict(self.reading.caught_up)))

    async def look(self) -> None:
        """Every few seconds, in the one process that reads the first partition: what rules watch."""
        if not self.reading.behind and self.mine(f"{min(self.kinds)}/0"):
            await self.watch()

    def mine(self, where: str) -> bool:
        """Whether that source partition is read here."""
        return any(str(folding.where) == where for folding in self.reading.foldings.values())

    def evict(self, key: CellKey) -> None:
        for folding in self.reading.foldings.values():
            folding.board.evict(key)

    def evict_day(self, key: DayKey) -> None:
        for folding in self.reading.foldings.values():
            folding.board.counters.forget_day(key)

    def _consumer(self, listener: ConsumerRebalanceListener) -> AIOKafkaConsumer:
        return clients.consumer(
            self.bootstrap,
            self.group,
            sorted(self.kinds),
            listener,
            client_id=f"analytics-{self.replica}",
            partition_bytes=PARTITION_BYTES,
            instance=self.replica,
        )

    async def _open(self, where: Where) -> Folding:
        kind = self.kinds[where.topic]
        board = await patient(lambda: kind.rows.board(where))
        self.publisher.assigned(board.counters.cells)
        self.agent_time.assigned(board.counters.days)
        return Folding(where, board, kind.rows, kind.facts, self.missing, self.bury, kind.ignored)

    def _closed(self, folding: Folding) -> None:
        self.publisher.revoked(folding.board.counters.cells)
        self.agent_time.revoked(folding.board.counters.days)
