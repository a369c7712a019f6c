"""Puts the service together: the only file that knows every room."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Set
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from fastapi import FastAPI

from switchlog import runtime
from switchlog.auth.verifier import Verifier, verifier_from
from switchlog.bus.record import Raw, read_event
from switchlog.bus.tail import Tail
from switchlog.envelope import Row, StreamId
from switchlog.errors import NotNow, Poison
from switchlog.kernel import Kernel, open_kernel
from switchlog.rpc import Servicer
from switchlog.runtime import Task
from switchlog.store.settings import StoreSettings
from switchlog.web import create_app

from . import wire
from .adapters import config_rows, inbox
from .adapters.bus_watch import BusWatch, kafka_probe
from .adapters.cel import Cel
from .adapters.looking import looked_at
from .adapters.processes import OwnProcess, environment
from .adapters.reading import Reading
from .api import offers as offers_api
from .api import queues as queues_api
from .api import rules as rules_api
from .api import supervision as supervision_api
from .api import why as why_api
from .app.boards import Boards
from .app.catalogue import Catalogue
from .app.handlers import Desk
from .app.history import History
from .app.history import Reading as Looked
from .app.jobs import Jobs
from .app.orders import Orders
from .app.owner import Tools
from .app.supervision import Supervisors
from .app.why import Why
from .bus import consumers
from .bus.inbox import Inbox
from .config import SERVICE, Settings
from .domain.events import CommandRefused
from .projections.answers import ANSWERING, Answers
from .projections.days import Days
from .projections.offers import Offers
from .projections.pools import Pools
from .projections.queues import Queues
from .projections.skills import SkillNames
from .rpc.routing import routing_servicer

TOPICS = {"pool": wire.TOPIC}
ROLES = frozenset({"api", "forward", "decide", "project", "relay"})
FORGET_EVERY_S = 6 * 3600


@dataclass
class Service:
    """Everything of one process, built and not running yet."""

    settings: Settings
    kernel: Kernel
    watch: BusWatch
    answers: Answers
    days: Days
    pools: Pools
    offers: Offers
    queues: Queues
    orders: Orders
    reading: Reading
    desk: Desk
    boards: Boards
    why: Why
    jobs: Jobs


async def run(
    settings: Settings,
    roles: Set[str] = ROLES,
    *,
    verifier: Verifier | None = None,
    stop: asyncio.Event | None = None,
) -> None:
    """The named roles in one process, until asked to stop."""
    async with AsyncExitStack() as stack:
        kernel = await stack.enter_async_context(open_kernel(settings.kernel, topics=TOPICS))
        service = build(settings, kernel)
        tasks: list[Task] = [("bus", service.watch.run)]
        for role in roles:
            tasks += _tasks(service)[role]
        api = "api" in roles
        await runtime.serve(
            settings.kernel,
            app=_app(service, verifier) if api else None,
            servicers=_servicers(service) if api else (),
            tasks=tasks,
            drain=[service.jobs.close, service.reading.close, kernel.drain],
            stop=stop,
        )


def build(settings: Settings, kernel: Kernel) -> Service:
    """The service on ``kernel``."""
    store, clock = kernel.store, kernel.clock
    watch = BusWatch(kafka_probe(settings.kernel.kafka_bootstrap), clock)
    answers, days = Answers(store.views, clock, refusal_of), Days(store.views)
    orders = Orders(answers, kernel.send, inbox.ordered, inbox.TOPIC, clock, lambda: watch.up)
    offers, queues = Offers(store.views), Queues(store.views)
    reading = Reading(settings.kernel.kafka_bootstrap, consumers.GROUP_PROJECT, wire.TOPIC)
    boards = Boards(store.events, days, wire.CODEC)
    desk = Desk(orders, offers, queues, reading, boards)
    why = looking_back_at(store)
    jobs = Jobs(store.views, clock, OwnProcess(environment(settings.kernel.store, settings.zone.key)))
    pools = Pools(store.views)
    return Service(
        settings, kernel, watch, answers, days, pools, offers, queues, orders, reading, desk, boards, why, jobs
    )


def looking_back_at(store: Looked, page: int = 500) -> Why:
    """Explanations of what ``store`` holds; ``page`` rows are understood before anything else has its turn."""
    views = store.views
    history = History(store.events, Days(views), Pools(views), store.seen, wire.CODEC, Cel(), page)
    return Why(history, Queues(views))


@asynccontextmanager
async def looking_back(settings: StoreSettings) -> AsyncIterator[Why]:
    """The same for a command line, which has nothing else to do."""
    async with looked_at(settings) as store:
        yield looking_back_at(store, page=5000)


def refusal_of(row: Row) -> tuple[str, str, str]:
    """The command that a stored ``CommandRefused`` answers, why it was refused, and that in words."""
    event = wire.CODEC.read(wire.CODEC.parse(row.value))
    assert isinstance(event, CommandRefused)
    return event.command_id, event.reason, event.detail


def _app(service: Service, verifier: Verifier | None) -> FastAPI:
    kernel = service.kernel
    catalogue = Catalogue(service.boards, service.pools)
    return create_app(
        SERVICE,
        routers=[
            queues_api.queues(service.desk),
            queues_api.pools(service.desk, service.boards, catalogue, kernel.clock),
            rules_api.hours(service.desk, catalogue),
            rules_api.workflows(service.desk, catalogue),
            rules_api.skills(SkillNames(kernel.store.views), kernel.clock),
            offers_api.routes(service.desk),
            supervision_api.contacts(_supervisors(service)),
            supervision_api.queues(_supervisors(service)),
            why_api.routes(service.why, service.jobs, service.settings.zone),
        ],
        verifier=verifier or verifier_from(kernel.settings),
        settings=kernel.settings,
        ready=kernel.ready,
    )


def _servicers(service: Service) -> list[Servicer]:
    kernel = service.kernel
    servicer = routing_servicer(service.desk, service.boards, service.why, kernel.clock, _supervisors(service))
    return [servicer, kernel.event_log()]


def _supervisors(service: Service) -> Supervisors:
    return Supervisors(service.orders, service.queues, Catalogue(service.boards, service.pools))


def _tasks(service: Service) -> dict[str, list[Task]]:
    kernel = service.kernel
    forwarding = kernel.consumer(
        consumers.GROUP_FORWARD,
        [inbox.CONTACTS, inbox.AGENTS, inbox.POOLS],
        handle_batch=consumers.forwarder(kernel.send, inbox.TOPIC, inbox.forwarded),
        bootstrap="full",
    )
    projecting = kernel.consumer(
        consumers.GROUP_PROJECT,
        [wire.TOPIC],
        consumers.projector(service.offers, service.queues, wire.CODEC),
    )
    publishing = kernel.consumer(
        consumers.GROUP_CONFIG,
        [wire.TOPIC],
        consumers.publisher(kernel.send, config_rows.TOPIC, config_rows.ConfigRows(kernel.store.views).record),
    )
    listening = Tail(service.settings.kernel.kafka_bootstrap, [wire.TOPIC], _listener(service))
    return {
        "api": [("listen", listening.run)],
        "forward": [("forward", forwarding.run)],
        "decide": [("decide", _inbox(service).run), ("forget", _forgetting(service))],
        "project": [("project", projecting.run), ("config", publishing.run)],
        "relay": [("relay", kernel.sweeper())],
    }


def _inbox(service: Service) -> Inbox:
    kernel, settings = service.kernel, service.settings
    tools = Tools(
        events=kernel.store.events,
        seen=kernel.store.seen,
        answers=service.answers,
        days=service.days,
        codec=wire.CODEC,
        clock=kernel.clock,
        bus=service.watch,
        told=(kernel.relay.notify, service.orders.told),
        zone=settings.zone,
        name=settings.owner,
        expressions=Cel(),
    )
    return Inbox(settings.kernel.kafka_bootstrap, inbox.TOPIC, inbox.taken, tools, service.pools)


def _listener(service: Service) -> Callable[[Raw], None]:
    """Answers that another process appended: those who wait here hear of them from the topic."""

    def take(raw: Raw) -> None:
        kind = dict(raw.headers).get("ce_type", b"").rpartition(b".")[2].decode()
        if kind not in ANSWERING:
            return
        try:
            received = read_event(raw)
            service.orders.told(received.stream, received.version, [_row(received.stream, received.version, raw)])
        except Poison:
            return

    return take


def _row(stream: StreamId, version: int, raw: Raw) -> Row:
    """What the topic knows of a stored row; the request's digest stays in the store."""
    received = read_event(raw)
    meta = received.meta()
    return Row(
        version=version,
        event_id=received.event_id,
        batch_id="",
        command_id=meta.causation_id,
        request_sha256="",
        source="",
        type=received.type,
        value=received.value,
        headers=tuple(received.headers.items()),
        recorded_at=meta.recorded_at.ToMilliseconds(),
    )


def _forgetting(service: Service) -> Callable[[], Awaitable[None]]:
    async def forget() -> None:
        while True:
            try:
                for tenant in sorted({pool.tenant for pool in await service.pools.all()}):
                    await service.answers.forget(tenant)
            except NotNow:
                pass
            await asyncio.sleep(FORGET_EVERY_S)

    return forget
