"""Puts the service together: the only file that knows every room."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Sequence, Set
from dataclasses import replace
from zoneinfo import ZoneInfo

from fastapi import FastAPI

from switchlog import runtime
from switchlog.auth.verifier import Verifier, verifier_from
from switchlog.bus.dead import KafkaDeadLetters
from switchlog.bus.healing import missing
from switchlog.bus.record import Raw, read_event
from switchlog.decider import Rejected
from switchlog.kernel import Kernel, open_kernel
from switchlog.outlet import Record
from switchlog.runtime import Task
from switchlog.store import ViewStore
from switchlog.store.memory import MemoryStore
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
from .app.folding import patient
from .app.lines import Pace
from .app.past import Past, Replay
from .app.ports import Missing
from .app.publishing import Publisher
from .app.questions import Questions
from .app.rebuilding import Done, checked_switch, done, rebuilt
from .app.sources import Sources
from .app.watching import Watching
from .bus.consumers import alerts_handler
from .bus.past import fold_past, read_topics
from .bus.spans import spans
from .bus.worker import GARBAGE, Kind, Worker
from .config import SERVICE, Settings, checked_state
from .domain.alerting import ALERT
from .domain.feed import FEED
from .domain.intervals import zone
from .projections.alerts import AlertsView
from .projections.before import Befores, KeepingViews, views_then
from .projections.fed_rows import FedRows
from .projections.names import StoredPositions, name_in_use, use
from .projections.queue_rows import QueueRows
from .projections.rollups import StoredRollups
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
        settings = replace(settings, state=await name_in_use(kernel.store.views, settings.state))
        rows = _rows(settings, kernel.store.views)
        questions = Questions(rows, kernel.clock, settings.time_zone, StoredRollups(rows))
        api, given = "api" in roles, feeding(kernel)
        alerts = Alerts(kernel.writer(ALERT, alert_events.CODEC), _alerts_view(settings, kernel), kernel.clock)
        past = Past(questions, _replay(settings, kernel))
        by_rpc = figures_rpc.servicer(past, given, settings.feed_attributes, alerts.kept)
        await runtime.serve(
            settings.kernel,
            app=app(settings, kernel, questions, verifier, given, Sources(rows), alerts, past) if api else None,
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
    past: Past | None = None,
) -> FastAPI:
    """The HTTP edge; without the feed, alerts and instants gone by where nothing takes them."""
    pace = Pace(settings.feed_bytes_per_s)
    feeds = [feed_api.routes(given, sources, pace, settings.feed_attributes)] if given and sources else []
    watched = [alerts_api.routes(alerts)] if alerts else []
    return create_app(
        SERVICE,
        routers=[figures_api.routes(past or Past(questions), parquet.as_parquet), *feeds, *watched],
        body_limits={feed_api.PATH: None},
        verifier=verifier or verifier_from(settings.kernel),
        settings=settings.kernel,
        ready=kernel.ready,
    )


def _tasks(settings: Settings, kernel: Kernel, rows: StoredRows, watching: Watching, roles: Set[str]) -> Sequence[Task]:
    handler = alerts_handler(_alerts_view(settings, kernel), alert_events.CODEC)
    listing = kernel.consumer(f"{settings.group}-standing", [wire.ALERTS], handler)
    found: list[tuple[str, Task]] = [
        ("fold", ("fold", lambda: _fold(settings, kernel, rows, watching))),
        ("fold", ("alerts", listing.run)),
        ("relay", ("relay", kernel.sweeper())),
    ]
    return [task for role, task in found if role in roles]


def _alerts_view(settings: Settings, kernel: Kernel) -> AlertsView:
    return AlertsView(kernel.store.views, kernel.clock, settings.alert_days)


async def _fold(settings: Settings, kernel: Kernel, rows: StoredRows, watching: Watching | None) -> None:
    """Until cancelled; raises what crashed the worker. Without ``watching`` nothing is told on any topic."""
    bootstrap, group = settings.kernel.kafka_bootstrap, settings.group
    dead = KafkaDeadLetters(bootstrap, group)
    tell, bury, look = (kernel.send, dead.bury, watching.look) if watching else (_nothing, _nothing, _nothing)

    async def send(records: Sequence[Record]) -> None:
        await tell(wire.LEVELS, records)

    async def send_time(records: Sequence[Record]) -> None:
        await tell(wire.AGENT_TIME, records)

    async def zone_of(tenant: str, pool: str) -> ZoneInfo:
        return zone((await rows.pool_of(tenant, pool)).time_zone or settings.time_zone)

    def publishers(worker: Worker) -> tuple[Publisher, AgentTime]:
        closing = Closing(rows, worker.mine)
        levels = Publisher(rows, kernel.clock, wire.level_record, send, worker.evict, worker.mine, closing)
        return levels, AgentTime(rows, kernel.clock, wire.shift_record, send_time, zone_of, worker.evict_day)

    kinds = _kinds(settings, replace(rows, views=await _keeping(settings, kernel, watching is not None)))
    try:
        await Worker(
            bootstrap, group, settings.replica, kinds, _healed(kernel), bury, rows.fresh, publishers, look
        ).run()
    finally:
        await dead.close()


async def _keeping(settings: Settings, kernel: Kernel, live: bool) -> ViewStore:
    """The views to fold into: where it is asked for, what they replace is kept."""
    views, clock = kernel.store.views, kernel.clock
    befores = Befores(views, settings.state)
    if live and settings.as_of_days:
        return KeepingViews(views, befores, clock, settings.as_of_days)
    await patient(lambda: befores.end(clock.now()))
    return views


def _healed(kernel: Kernel) -> Missing:
    async def healed(record: Raw, last: int) -> Sequence[bytes]:
        return [found.value for found in await missing(kernel.healer, read_event(record), last)]

    return healed


def _replay(settings: Settings, kernel: Kernel) -> Replay:
    """Rows of any instant, in memory."""

    async def replay(tenant: str, at: int) -> StoredRows:
        views = await views_then(kernel.store.views, settings.state, kernel.clock, at)
        rows = _rows(settings, views or MemoryStore().views)
        kinds, counted = _kinds(settings, rows), await StoredPositions(rows).positions()
        batches = read_topics(settings.kernel.kafka_bootstrap, kinds, settings.as_of_records, at, counted)
        known = await fold_past(kinds, batches, _healed(kernel), tenant, at)
        await rows.fresh(dict.fromkeys(known, at))  # all that had been recorded is counted
        return rows

    return replay


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


async def _nothing(*_: object) -> None:
    """Told to nobody: whoever is in use has told it."""


def _rows(settings: Settings, views: ViewStore) -> StoredRows:
    return StoredRows(views, settings.state, settings.group, settings.topic, settings.feed_topic)


# --- another name for the rows ---------------------------------------------------------------------------------------


async def rebuild(settings: Settings, name: str, told: Callable[[Done], None]) -> Done:
    """Count all that the topics keep under ``name``, to the ends that they have now; what was begun goes on.

    Raises ``Rejected`` for the name in use, and what ends a worker.
    """
    async with open_kernel(settings.kernel, topics=TOPICS) as kernel:
        if name == await name_in_use(kernel.store.views, settings.state):
            raise Rejected("IN_USE", f"{name} is what is answered from: give another name", invalid=True)
        anew = replace(settings, state=checked_state(name))
        rows = _rows(anew, kernel.store.views)
        known = await spans(settings.kernel.kafka_bootstrap, _kinds(anew, rows))
        return await rebuilt(lambda: _fold(anew, kernel, rows, None), known, StoredPositions(rows), told)


async def switch(settings: Settings, name: str) -> Done:
    """Use the rows of ``name`` from the next start on; how far they are. Raises ``Rejected`` where they lack much."""
    async with open_kernel(settings.kernel, topics=TOPICS) as kernel:
        rows = _rows(replace(settings, state=checked_state(name)), kernel.store.views)
        positions = await StoredPositions(rows).positions()
        known = done(await spans(settings.kernel.kafka_bootstrap, _kinds(settings, rows)), positions)
        checked_switch(name, positions, known)
        await use(kernel.store.views, settings.state, name, kernel.clock.now())
        return known
