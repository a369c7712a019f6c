"""Puts the service together: the only file that knows every room."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence, Set
from dataclasses import dataclass, field

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener
from fastapi import FastAPI

from switchlog import runtime
from switchlog.auth.verifier import Verifier, verifier_from
from switchlog.bus import clients
from switchlog.bus.dead import KafkaDeadLetters
from switchlog.bus.healing import missing
from switchlog.bus.record import Raw, read_event
from switchlog.kernel import Kernel, open_kernel
from switchlog.outlet import Record
from switchlog.runtime import Task
from switchlog.web import create_app

from . import metrics, wire
from .adapters import fed_events
from .api import feed as feed_api
from .api import figures as figures_api
from .app.feeding import Feeding
from .app.folding import Folding, patient
from .app.lines import Pace
from .app.ports import Where
from .app.publishing import Publisher
from .app.questions import Questions
from .bus import hosting
from .bus.reading import Reading
from .config import SERVICE, Settings
from .domain.board import Queue
from .domain.feed import FEED
from .domain.levels import CellKey
from .projections.rows import StoredRows
from .projections.snapshots import Snapshots
from .rpc import figures as figures_rpc

TOPICS = {"feed": wire.FEEDS, "alert": wire.ALERTS}
ROLES = frozenset({"api", "fold", "relay"})
FEED_DEADLINE_S = 10.0  # an append of 1 000 lines, or a stream of many read from its last snapshot
PARTITION_BYTES = 4 * 1024 * 1024


@dataclass
class Worker:
    """Reads, folds and publishes; ``run`` until cancelled."""

    settings: Settings
    kernel: Kernel
    rows: StoredRows
    reading: Reading = field(init=False)
    publisher: Publisher = field(init=False)
    queues: dict[tuple[str, str], Queue] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.reading = Reading(self._consumer, self._open, lambda folding: self.publisher.revoked(folding.board.cells))
        clock = self.kernel.clock
        self.publisher = Publisher(self.rows, clock, wire.level_record, self._send, self._queue_of, self._evict)
        self.dead = KafkaDeadLetters(self.settings.kernel.kafka_bootstrap, self.settings.group)

    async def run(self) -> None:
        """The Faust app, until cancelled; raises what crashed it."""
        timers = {"publish": (hosting.PUBLISH_EVERY_S, self.publish), "freshness": (1.0, self.note_freshness)}
        try:
            await hosting.run(hosting.hosted(self.settings.group, self.reading, timers))
        finally:
            await self.dead.close()

    async def publish(self) -> None:
        """Once a second: what has changed."""
        for folding in self.reading.foldings.values():
            self.publisher.changed.update(folding.changed)
            metrics.facts.add(folding.counted, {"topic": folding.where.topic})
            folding.changed, folding.counted = set(), 0
        self.queues = self._queues()
        metrics.levels.add(await self.publisher.tick())

    async def note_freshness(self) -> None:
        """Once a second: which partitions are read to their ends."""
        if self.reading.caught_up:
            await patient(lambda: self.rows.fresh(dict(self.reading.caught_up)))

    def _consumer(self, listener: ConsumerRebalanceListener) -> AIOKafkaConsumer:
        return clients.consumer(
            self.settings.kernel.kafka_bootstrap,
            self.settings.group,
            [self.settings.topic],
            listener,
            client_id=f"analytics-{self.settings.replica}",
            partition_bytes=PARTITION_BYTES,
            instance=self.settings.replica,
        )

    async def _open(self, where: Where) -> Folding:
        board = await patient(lambda: self.rows.board(where))
        self.publisher.assigned(board.cells)
        return Folding(where, board, self.rows, wire, self._missing, self.dead.bury)

    async def _missing(self, record: Raw, last: int) -> Sequence[bytes]:
        return [found.value for found in await missing(self.kernel.healer, read_event(record), last)]

    async def _send(self, records: Sequence[Record]) -> None:
        await self.kernel.send(wire.LEVELS, records)

    def _queue_of(self, tenant: str, queue: str) -> Queue | None:
        return self.queues.get((tenant, queue))

    def _queues(self) -> dict[tuple[str, str], Queue]:
        """Every queue as defined last by the pools that are ours now."""
        found = [
            (known.defined_at, known.pool, owner, known)
            for folding in self.reading.foldings.values()
            for (owner, _, _), known in folding.board.queues.items()
            if not known.removed
        ]
        return {(owner, known.queue): known for _, _, owner, known in sorted(found, key=lambda one: one[:2])}

    def _evict(self, key: CellKey) -> None:
        for folding in self.reading.foldings.values():
            folding.board.evict(key)


async def run(
    settings: Settings,
    roles: Set[str] = ROLES,
    verifier: Verifier | None = None,
    stop: asyncio.Event | None = None,
) -> None:
    """The ``roles`` in one process, until asked to stop; tokens are verified as configured unless ``verifier`` does."""
    async with open_kernel(settings.kernel, topics=TOPICS) as kernel:
        rows = StoredRows(kernel.store.views, settings.state, settings.group)
        questions = Questions(rows, kernel.clock, settings.topic, settings.time_zone)
        api, given = "api" in roles, feeding(kernel)
        by_rpc = figures_rpc.servicer(questions, given, settings.feed_attributes)
        await runtime.serve(
            settings.kernel,
            app=app(settings, kernel, questions, verifier, given) if api else None,
            servicers=[by_rpc, kernel.event_log()] if api else [],
            tasks=list(_tasks(settings, kernel, rows, roles)),
            drain=[kernel.drain],
            verifier=verifier,
            stop=stop,
        )


def feeding(kernel: Kernel) -> Feeding:
    """What takes other switches' calls into this kernel's log."""
    snapshots = Snapshots(kernel.events, kernel.store.views, fed_events.CODEC)
    writer = kernel.writer(FEED, fed_events.CODEC, deadline_s=FEED_DEADLINE_S, begin=snapshots.begin)
    return Feeding(writer, snapshots.note, kernel.clock)


def app(
    settings: Settings,
    kernel: Kernel,
    questions: Questions,
    verifier: Verifier | None = None,
    given: Feeding | None = None,
) -> FastAPI:
    """The HTTP edge; without the feed where nothing takes it."""
    feeds = [feed_api.routes(given, Pace(settings.feed_bytes_per_s), settings.feed_attributes)] if given else []
    return create_app(
        SERVICE,
        routers=[figures_api.routes(questions), *feeds],
        body_limits={feed_api.PATH: None},
        verifier=verifier or verifier_from(settings.kernel),
        settings=settings.kernel,
        ready=kernel.ready,
    )


def _tasks(settings: Settings, kernel: Kernel, rows: StoredRows, roles: Set[str]) -> Sequence[Task]:
    found = {"fold": Worker(settings, kernel, rows).run, "relay": kernel.sweeper()}
    return [(role, task) for role, task in found.items() if role in roles]
