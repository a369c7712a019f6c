"""Puts the service together: the only file that knows every room."""

from __future__ import annotations

import asyncio
from collections.abc import Set
from contextlib import AsyncExitStack

from contactcenter.customer.v1.service_pb2_grpc import CustomerServiceStub
from switchlog import rpc, runtime
from switchlog.auth.verifier import Verifier, verifier_from
from switchlog.bus.erasures import ERASURES, forgetting
from switchlog.bus.tail import Tail
from switchlog.kernel import open_kernel
from switchlog.runtime import Task
from switchlog.web import create_app

from . import wire
from .adapters.customers import SealerOf, subject_keys
from .api import tickets as tickets_api
from .app.handlers import Tickets
from .app.reactions import Reactions
from .app.reading import Reading
from .bus import consumers
from .config import SERVICE, Settings
from .domain.decide import TICKET
from .projections.contacts import ContactsView
from .projections.tickets import TicketsView
from .rpc.tickets import ticket_servicer

TOPICS = {"ticket": wire.TOPIC}
ROLES = frozenset({"api", "project", "react", "relay"})


async def run(
    settings: Settings,
    roles: Set[str] = ROLES,
    verifier: Verifier | None = None,
    stop: asyncio.Event | None = None,
) -> None:
    """The ``roles`` in one process, until asked to stop."""
    async with AsyncExitStack() as stack:
        kernel = await stack.enter_async_context(open_kernel(settings.kernel, topics=TOPICS))
        channel = rpc.channel(settings.kernel.owners["customers"], kernel.tokens, settings=settings.kernel)
        stack.push_async_callback(channel.close)
        keys = subject_keys(CustomerServiceStub(channel))
        views, sealer = kernel.store.views, SealerOf(keys)
        contacts, listed = ContactsView(views), TicketsView(views)
        writer = kernel.writer(TICKET, wire.CODEC)
        tickets = Tickets(writer, contacts, sealer)
        reading = Reading(tickets, kernel.store.events, wire.CODEC, sealer, listed)
        knowing = kernel.consumer(
            consumers.GROUP_CONTACTS, ["contact.events.v1"], consumers.contacts_handler(contacts, wire.read_contact)
        )
        listing = kernel.consumer(consumers.GROUP_TICKETS, [wire.TOPIC], consumers.tickets_handler(listed, wire.CODEC))
        promised = Reactions(writer, contacts, sealer, kernel.clock)
        reacting = kernel.consumer(
            consumers.GROUP_REACTIONS, ["routing.events.v1"], consumers.routing_handler(promised, wire.read_callback)
        )
        forget = Tail(settings.kernel.kafka_bootstrap, [ERASURES], forgetting(keys))
        tasks: dict[str, list[Task]] = {
            "api": [("erasures", forget.run)],
            "project": [("contacts", knowing.run), ("projections", listing.run)],
            "react": [("reactions", reacting.run)],
            "relay": [("relay", kernel.sweeper())],
        }
        api = "api" in roles
        app = create_app(
            SERVICE,
            routers=[tickets_api.routes(tickets, reading)],
            verifier=verifier or verifier_from(settings.kernel),
            settings=settings.kernel,
            ready=kernel.ready,
        )
        await runtime.serve(
            settings.kernel,
            app=app if api else None,
            servicers=[ticket_servicer(tickets, reading), kernel.event_log()] if api else [],
            tasks=[task for role, found in tasks.items() if role in roles for task in found],
            drain=[kernel.drain],
            stop=stop,
        )
