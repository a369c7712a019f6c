"""Puts the service together: the only file that knows every room."""

from __future__ import annotations

from collections.abc import Sequence
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
from switchlog.auth.verifier import StaticKeys, Trust, verifier_from
from switchlog.bus.erasures import ERASURES, forgetting
from switchlog.bus.tail import Tail
from switchlog.envelope import Cause, StreamId
from switchlog.ids import derived
from switchlog.kernel import Kernel, open_kernel
from switchlog.runtime import Task
from switchlog.web import create_app

from . import wire
from .adapters.attachments import StoredAttachments
from .adapters.customers import CustomersByRpc, SealerOf
from .adapters.entry_points import StoredEntryPoints
from .adapters.queues import QueueTable
from .api import agent_socket, attachments, contacts, entry_points, visitor_socket, visitors
from .app.desks import Desks
from .app.files import MAX_FILE_BYTES, Files
from .app.frames import Frames
from .app.handlers import Chats
from .app.history import History
from .app.live import Live
from .app.presence import GraceOf, Lost, Presence
from .app.reactions import Reactions
from .bus import consumers
from .config import SERVICE, Settings
from .domain.decide import CONTACT
from .domain.state import Ended, NotStarted
from .projections.contacts import Contacts
from .rpc.contacts import contact_servicer

TOPICS = {"contact": wire.TOPIC}


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

    @property
    def replica(self) -> str:
        return self.settings.replica


async def run(settings: Settings) -> None:
    """All roles in one process, until asked to stop."""
    async with AsyncExitStack() as stack:
        kernel = await stack.enter_async_context(open_kernel(settings.kernel, topics=TOPICS))
        channel = rpc.channel(settings.kernel.owners["customers"], kernel.tokens, settings=settings.kernel)
        stack.push_async_callback(channel.close)
        service = build(settings, kernel, CustomersByRpc(CustomerServiceStub(channel)))
        presence = Presence(service.replica, kernel.store.views, kernel.clock, _grace_of(service), _lost(service))
        app = _app(service, presence)
        tails = _tails(service)
        await runtime.serve(
            settings.kernel,
            app=app,
            servicers=[contact_servicer(service.chats, service.history), kernel.event_log()],
            tasks=[*_tasks(service), *((f"tail-{n}", tail.run) for n, tail in enumerate(tails))],
            before=[presence.recover],
            drain=[presence.close, kernel.drain],
        )


def build(settings: Settings, kernel: Kernel, customers: CustomersByRpc) -> Service:
    """The service on ``kernel``."""
    keys = seal.SubjectKeys(customers.key)
    sealer = SealerOf(keys)
    queues = QueueTable(wire.read_queue)
    doors = StoredEntryPoints(kernel.store.views)
    chats = Chats(kernel.writer(CONTACT, wire.CODEC), doors, queues, customers, sealer)
    frames = Frames(wire.CODEC, sealer)
    history = History(chats, kernel.store.events, frames)
    files = Files(chats, sealer, StoredAttachments(_objects(settings.objects_url)))
    signer = Signer(load_or_create_key(settings.visitor_key_file), settings.visitor_issuer)
    rooms = (Contacts(kernel.store.views), Live(), Desks(), TicketOffice())
    return Service(settings, kernel, chats, history, files, frames, queues, keys, *rooms, signer)


def _app(service: Service, presence: Presence) -> FastAPI:
    kernel, chats, events = service.kernel, service.chats, service.kernel.store.events
    shared = (chats, events, service.frames, service.live)
    visitor = visitor_socket.VisitorSockets(*shared, presence, service.office)
    agent = agent_socket.AgentSockets(*shared, service.desks, service.contacts, service.office)
    own = Trust(service.signer.issuer, StaticKeys([service.signer.key]), only_roles=frozenset({"visitor"}))
    return create_app(
        SERVICE,
        routers=[
            visitors.routes(chats, service.signer, service.office),
            contacts.routes(chats, service.history),
            attachments.routes(service.files),
            entry_points.routes(chats.entry_points, kernel.clock),
            visitor.routes(),
            agent.routes(),
        ],
        verifier=verifier_from(kernel.settings, own),
        settings=kernel.settings,
        ready=kernel.ready,
        body_limits={"/v1/attachments/": MAX_FILE_BYTES},
    )


def _tasks(service: Service) -> Sequence[Task]:
    kernel = service.kernel
    reactions = Reactions(service.chats.contacts, service.queues)
    reacting = kernel.consumer(
        consumers.GROUP_REACTIONS,
        ["routing.events.v1"],
        consumers.routing_handler(reactions, wire.read_routing),
    )
    projecting = kernel.consumer(
        consumers.GROUP_PROJECTIONS,
        [wire.TOPIC],
        consumers.projection_handler(service.contacts, wire.CODEC),
    )
    return [("reactions", reacting.run), ("projections", projecting.run), ("relay", kernel.sweeper())]


def _tails(service: Service) -> Sequence[Tail]:
    bootstrap = service.settings.kernel.kafka_bootstrap
    nudge = consumers.nudger(service.live, service.desks, wire.CODEC)
    table = Tail(bootstrap, ["routing.config.v1"], lambda raw: service.queues.take(raw.value), start="beginning")
    return [table, Tail(bootstrap, [wire.TOPIC], nudge), Tail(bootstrap, [ERASURES], forgetting(service.keys))]


def _grace_of(service: Service) -> GraceOf:
    async def grace(contact: StreamId) -> float:
        state = await service.chats.state(contact)
        if isinstance(state, NotStarted | Ended):
            return 0.0
        return (await service.chats.entry_points.get(contact.tenant, state.contact.entry_point)).reconnect_grace_s

    return grace


def _lost(service: Service) -> Lost:
    async def lost(contact: StreamId) -> None:
        """One loss is one command: a visitor who comes back and is lost again is another one."""
        head = (await service.chats.contacts.state(contact)).head
        cause = Cause(derived(contact.key, "lost", head), "", SERVICE, correlation_id=contact.name)
        await service.chats.end_by_customer(contact, cause, lost=True)
        service.live.nudge(contact)

    return lost


def _objects(url: str) -> ObjectStore:
    """A folder is made on first use; S3, GCS and Azure take their settings from their own environment."""
    parts = urlsplit(url)
    if parts.scheme == "file":
        Path(parts.path).mkdir(parents=True, exist_ok=True)
    return from_url(url)


async def relay(settings: Settings, tenant: str, stream: str, first: int) -> None:
    """The ``relay`` role alone, or (with ``stream``) one stream published again from version ``first``."""
    async with open_kernel(settings.kernel, topics=TOPICS) as kernel:
        if stream:
            await kernel.republish(StreamId(tenant, stream), first)
            await kernel.drain()
        else:
            await runtime.serve(settings.kernel, tasks=[("relay", kernel.sweeper())], drain=[kernel.drain])
