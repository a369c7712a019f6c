"""Puts the service together: the only file that knows every room."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Sequence, Set
from zoneinfo import ZoneInfo

from fastapi import FastAPI

from switchlog import runtime
from switchlog.auth.verifier import Verifier, verifier_from
from switchlog.bus.dead import KafkaDeadLetters
from switchlog.bus.healing import missing
from switchlog.bus.record import Raw, read_event
from switchlog.kernel import Kernel, open_kernel
from switchlog.outlet import Record
from switchlog.runtime import Task
from switchlog.web import create_app

from . import wire
from .adapters import (
    agent_facts,
    alert_events,
    contact_facts,
    fed_events,
    fed_facts,
    parquet,
    routing_facts,
    ticket_facts,
)
from .api import alerts as alerts_api
from .api import feed as feed_api
from .api import figures as figures_api
from .app.agent_time import AgentTime
from .app.alerts import Alerts
from .app.closing import Closing
from .app.feeding import Feeding
from .app.lines import Pace
from .app.publishing import Publisher
from .app.questions import Questions
from .app.sources import Sources
from .app.watching import Watching
from .bus.consumers import GROUP_ALERTS, alerts_handler
from .bus.worker import GARBAGE, Kind, Worker
from .config import SERVICE, Settings
from .domain.alerting import ALERT
from .domain.feed import FEED
from .domain.intervals import zone
from .projections.alerts import AlertsView
from .projections.fed_rows import FedRows
from .projections.queue_rows import QueueRows
from .projections.rows import StoredRows
from .projections.snapshots import Snapshots
from .projections.state_rows import clerk_rows, contact_rows, ticket_rows
from .rpc import figures as figures_rpc

TOPICS = {"feed": wire.FEEDS, "alert": wire.ALERTS}
ROLES = frozenset({"api", "fold", "relay"})
FEED_DEADLINE_S = 10.0  # an append of 1 000 lines, or a stream of many read from its last snapshot


async def run(
    settings: Settings,
    roles: Set[str] = ROLES,
    verifier: Verifier | None = None,
    stop: asyncio.Event | None = None,
) -> None:
    """The ``roles`` in one process, until asked to stop; tokens are verified as configured unless ``verifier`` does."""
    gc.set_threshold(*GARBAGE)  # answers too: a year of cells is read in half the time
    async with open_kernel(settings.kernel, topics=TOPICS) as kernel:
        rows = StoredRows(kernel.store.views, settings.state, settings.group, settings.topic, settings.feed_topic)
        questions = Questions(rows, kernel.clock, settings.time_zone)
        api, given = "api" in roles, feeding(kernel)
        alerts = Alerts(kernel.writer(ALERT, alert_events.CODEC), AlertsView(kernel.store.views), kernel.clock)
        by_rpc = figures_rpc.servicer(questions, given, settings.feed_attributes, alerts.kept)
        await runtime.serve(
            settings.kernel,
            app=app(settings, kernel, questions, verifier, given, Sources(rows), alerts) if api else None,
            servicers=[by_rpc, kernel.event_log()] if api else [],
            tasks=list(
                _tasks(settings, kernel, rows, Watching(alerts.log, alerts.kept.rules, questions, kernel.clock), roles)
            ),
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
    sources: Sources | None = None,
    alerts: Alerts | None = None,
) -> FastAPI:
    """The HTTP edge; without the feed and alerts where nothing takes them."""
    pace = Pace(settings.feed_bytes_per_s)
    feeds = [feed_api.routes(given, sources, pace, settings.feed_attributes)] if given and sources else []
    watched = [alerts_api.routes(alerts)] if alerts else []
    return create_app(
        SERVICE,
        routers=[figures_api.routes(questions, parquet.as_parquet), *feeds, *watched],
        body_limits={feed_api.PATH: None},
        verifier=verifier or verifier_from(settings.kernel),
        settings=settings.kernel,
        ready=kernel.ready,
    )


def _tasks(settings: Settings, kernel: Kernel, rows: StoredRows, watching: Watching, roles: Set[str]) -> Sequence[Task]:
    handler = alerts_handler(AlertsView(kernel.store.views), alert_events.CODEC)
    listing = kernel.consumer(GROUP_ALERTS, [wire.ALERTS], handler)
    found: list[tuple[str, Task]] = [
        ("fold", ("fold", lambda: _fold(settings, kernel, rows, watching))),
        ("fold", ("alerts", listing.run)),
        ("relay", ("relay", kernel.sweeper())),
    ]
    return [task for role, task in found if role in roles]


async def _fold(settings: Settings, kernel: Kernel, rows: StoredRows, watching: Watching) -> None:
    """Until cancelled; raises what crashed the worker."""

    async def healed(record: Raw, last: int) -> Sequence[bytes]:
        return [found.value for found in await missing(kernel.healer, read_event(record), last)]

    async def send(records: Sequence[Record]) -> None:
        await kernel.send(wire.LEVELS, records)

    async def send_time(records: Sequence[Record]) -> None:
        await kernel.send(wire.AGENT_TIME, records)

    async def zone_of(tenant: str, pool: str) -> ZoneInfo:
        return zone((await rows.pool_of(tenant, pool)).time_zone or settings.time_zone)

    def publishers(worker: Worker) -> tuple[Publisher, AgentTime]:
        closing = Closing(rows, worker.mine)
        levels = Publisher(rows, kernel.clock, wire.level_record, send, worker.evict, worker.mine, closing)
        return levels, AgentTime(rows, kernel.clock, wire.shift_record, send_time, zone_of, worker.evict_day)

    bootstrap, group = settings.kernel.kafka_bootstrap, settings.group
    dead = KafkaDeadLetters(bootstrap, group)
    kinds, look = _kinds(settings, rows), watching.look
    try:
        await Worker(bootstrap, group, settings.replica, kinds, healed, dead.bury, rows.fresh, publishers, look).run()
    finally:
        await dead.close()


def _kinds(settings: Settings, rows: StoredRows) -> dict[str, Kind]:
    """Every topic that is read, and how."""
    found = {
        settings.topic: Kind(routing_facts, QueueRows(rows), routing_facts.IGNORED),
        settings.contact_topic: Kind(contact_facts, contact_rows(rows)),
        settings.agent_topic: Kind(agent_facts, clerk_rows(rows)),
        settings.ticket_topic: Kind(ticket_facts, ticket_rows(rows)),
        settings.feed_topic: Kind(fed_facts, FedRows(rows, fed_facts.contacts_in)),
    }
    return {topic: kind for topic, kind in found.items() if topic}
