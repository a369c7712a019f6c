"""Puts the service together: the only file that knows every room."""

from __future__ import annotations

import asyncio
from collections.abc import Set
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from fastapi import FastAPI
from obstore.store import ObjectStore, from_url

from contactcenter.customer.v1.service_pb2_grpc import CustomerServiceStub
from switchlog import rpc, runtime, seal
from switchlog.auth.signing import Signer, load_or_create_key
from switchlog.auth.tickets import TicketOffice
from switchlog.auth.verifier import StaticKeys, Trust, Verifier, verifier_from
from switchlog.bus.erasures import ERASURES, forgetting
from switchlog.bus.tail import Tail
from switchlog.envelope import Cause, StreamId
from switchlog.errors import NotFound
from switchlog.health import Ready
from switchlog.ids import derived
from switchlog.kernel import Kernel, open_kernel
from switchlog.runtime import Task
from switchlog.web import create_app

from . import wire
from .adapters.attachments import StoredAttachments
from .adapters.customers import CustomersByRpc, SealerOf
from .adapters.entry_points import StoredEntryPoints
from .adapters.hours import StoredHours
from .adapters.queues import QueueTable
from .api import agent_socket, attachments, contacts, entry_points, visitor_socket, visitors
from .api.origins import Cors, Origins
from .app.desks import Desks
from .app.files import MAX_FILE_BYTES, Files
from .app.frames import Frames
from .app.handlers import Chats
from .app.history import History
from .app.live import Live
from .app.presence import GraceOf, Lost, Presence
from .app.reactions import Reactions
from .app.waits import Waits
from .bus import consumers
from .config import SERVICE, Settings
from .domain.decide import CONTACT
from .projections.contacts import Contacts
from .rpc.contacts import contact_servicer

TOPICS = {"contact": wire.TOPIC}
ROLES = frozenset({"api", "react", "project", "relay"})


@dataclass
class Service:
    """Everything of one process, built and not running yet."""

    settings: Settings
    kernel: Kernel
    chats: Chats
    history: History
    files: Files
    frames: Frames
    queues: QueueTable
    keys: seal.SubjectKeys
    contacts: Contacts
    live: Live
    desks: Desks
    office: TicketOffice
    signer: Signer
    table: Tail
    presence: Presence
    waits: Waits


async def run(
    settings: Settings,
    roles: Set[str] = ROLES,
    trust: Trust | None = None,
    stop: asyncio.Event | None = None,
) -> None:
    """The ``roles`` in one process, until asked to stop; ``trust`` replaces the configured issuer."""
    async with AsyncExitStack() as stack:
        kernel = await stack.enter_async_context(open_kernel(settings.kernel, topics=TOPICS))
        channel = rpc.channel(settings.kernel.owners["customers"], kernel.tokens, settings=settings.kernel)
        stack.push_async_callback(channel.close)
        service = build(settings, kernel, CustomersByRpc(CustomerServiceStub(channel)))
        api = "api" in roles
        await runtime.serve(
            settings.kernel,
            app=app(service, trust) if api else None,
            servicers=[contact_servicer(service.chats, service.history), kernel.event_log()] if api else [],
            tasks=[("queues", service.table.run), *_tasks(service, roles)],
            before=[service.presence.recover] if api else [],
            drain=[service.presence.close, kernel.drain],
            stop=stop,
        )


def build(settings: Settings, kernel: Kernel, customers: CustomersByRpc) -> Service:
    """The service on ``kernel``."""
    keys = seal.SubjectKeys(customers.key)
    sealer = SealerOf(keys)
    views, live = kernel.store.views, Live()
    queues = QueueTable(wire.read_queue, lambda: table.caught_up.is_set())
    bootstrap = settings.kernel.kafka_bootstrap
    table = Tail(bootstrap, ["routing.config.v1"], lambda raw: queues.take(raw.value), start="beginning")
    doors, hours = StoredEntryPoints(views), StoredHours(views)
    chats = Chats(kernel.writer(CONTACT, wire.CODEC), doors, queues, customers, sealer, hours, kernel.clock)
    frames = Frames(wire.CODEC, sealer)
    history = History(chats, kernel.store.events, frames)
    files = Files(chats, sealer, StoredAttachments(_objects(settings.objects_url)))
    signer = Signer(load_or_create_key(settings.visitor_key_file), settings.visitor_issuer)
    presence = Presence(settings.replica, views, kernel.clock, _grace_of(chats), _lost(chats, live))
    rooms = (Contacts(views), live, Desks(), TicketOffice())
    return Service(
        settings, kernel, chats, history, files, frames, queues, keys, *rooms, signer, table, presence, Waits(live)
    )


def app(service: Service, trust: Trust | None = None) -> FastAPI:
    """Its HTTP edge."""
    kernel, chats, events = service.kernel, service.chats, service.kernel.store.events
    doors, origins = StoredEntryPoints(kernel.store.views), Origins(kernel.settings.allowed_origins)
    shared = (chats, events, service.frames, service.live)
    visitor = visitor_socket.VisitorSockets(*shared, service.waits, service.presence, service.office, origins)
    agent = agent_socket.AgentSockets(*shared, service.desks, service.contacts, service.office)
    made = create_app(
        SERVICE,
        routers=[
            visitors.routes(chats, service.signer, service.office, origins, service.presence.expect),
            contacts.routes(chats, service.history),
            attachments.routes(service.files),
            entry_points.routes(doors, chats.hours, kernel.clock),
            entry_points.hours(chats.hours, kernel.clock),
            visitor.routes(),
            agent.routes(),
        ],
        verifier=_verifier(service, trust),
        settings=kernel.settings,
        ready=_ready(service),
        body_limits={"/v1/attachments/": MAX_FILE_BYTES},
    )
    made.add_middleware(Cors, origins=origins, known=doors.names)
    return made


def _verifier(service: Service, trust: Trust | None) -> Verifier:
    own = Trust(service.signer.issuer, StaticKeys([service.signer.key]), only_roles=frozenset({"visitor"}))
    return Verifier(trust, own) if trust else verifier_from(service.kernel.settings, own)


def _ready(service: Service) -> Ready:
    async def ready() -> dict[str, bool]:
        return {**await service.kernel.ready(), "queues": service.queues.complete()}

    return ready


def _tasks(service: Service, roles: Set[str]) -> list[Task]:
    kernel = service.kernel
    reactions = Reactions(service.chats.contacts, service.queues, service.chats.entry_points)
    reacting = kernel.consumer(
        consumers.GROUP_REACTIONS,
        ["routing.events.v1"],
        consumers.routing_handler(reactions, wire.read_routing),
        concurrency=32,
    )
    projecting = kernel.consumer(
        consumers.GROUP_PROJECTIONS,
        [wire.TOPIC],
        consumers.projection_handler(service.contacts, wire.CODEC),
    )
    bootstrap = service.settings.kernel.kafka_bootstrap
    nudges = Tail(bootstrap, [wire.TOPIC], consumers.nudger(service.live, service.desks, wire.CODEC))
    waits = Tail(bootstrap, ["routing.events.v1"], consumers.waits_teller(service.waits, wire.read_wait))
    erasures = Tail(bootstrap, [ERASURES], forgetting(service.keys))
    tasks: dict[str, list[Task]] = {
        "api": [("nudges", nudges.run), ("waits", waits.run), ("erasures", erasures.run)],
        "react": [("reactions", reacting.run)],
        "project": [("projections", projecting.run)],
        "relay": [("relay", kernel.sweeper())],
    }
    return [task for role in tasks.keys() & roles for task in tasks[role]]


def _grace_of(chats: Chats) -> GraceOf:
    async def grace(contact: StreamId) -> float:
        try:
            return (await chats.door(contact)).reconnect_grace_s
        except NotFound:
            return 0.0

    return grace


def _lost(chats: Chats, live: Live) -> Lost:
    async def lost(contact: StreamId) -> None:
        """One loss is one command: a visitor who comes back and is lost again is another one."""
        head = (await chats.contacts.state(contact)).head
        if not head:
            return
        cause = Cause(derived(contact.key, "lost", head), "", SERVICE, correlation_id=contact.name)
        await chats.end_by_customer(contact, cause, lost=True)
        live.nudge(contact)

    return lost


def _objects(url: str) -> ObjectStore:
    """A folder is made on first use; S3, GCS and Azure take their settings from their own environment."""
    parts = urlsplit(url)
    if parts.scheme == "file":
        Path(parts.path).mkdir(parents=True, exist_ok=True)
    return from_url(url)
