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
from .adapters.objects import StoredObjects, open_objects
from .api import recordings as recordings_api
from .app.handlers import Recordings
from .app.reactions import Reactions
from .bus import consumers
from .config import SERVICE, Settings
from .domain.decide import RECORDING
from .projections.lines import LinesView
from .projections.recordings import RecordingsView
from .rpc.recordings import recording_servicer

TOPICS = {"recording": wire.TOPIC}
ROLES = frozenset({"api", "react", "project", "relay"})


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
        sealer, objects = SealerOf(keys), StoredObjects(open_objects(settings.objects_url))
        lines, view = LinesView(kernel.store.views), RecordingsView(kernel.store.views)
        writer = kernel.writer(RECORDING, wire.CODEC)
        recordings = Recordings(writer, sealer, objects)
        reactions = Reactions(writer, lines, sealer, objects)
        hearing = kernel.consumer(
            consumers.GROUP_CONTACTS,
            ["contact.events.v1"],
            consumers.contacts_handler(lines, reactions, wire.read_contact),
        )
        listing = kernel.consumer(
            consumers.GROUP_RECORDINGS, [wire.TOPIC], consumers.recordings_handler(view, wire.CODEC)
        )
        forget = Tail(settings.kernel.kafka_bootstrap, [ERASURES], forgetting(keys))
        tasks: dict[str, list[Task]] = {
            "react": [("contacts", hearing.run)],
            "project": [("projections", listing.run)],
            "relay": [("relay", kernel.sweeper())],
        }
        api = "api" in roles
        app = create_app(
            SERVICE,
            routers=[recordings_api.routes(recordings, view)],
            verifier=verifier or verifier_from(settings.kernel),
            settings=settings.kernel,
            ready=kernel.ready,
        )
        await runtime.serve(
            settings.kernel,
            app=app if api else None,
            servicers=[recording_servicer(recordings), kernel.event_log()] if api else [],
            tasks=[("erasures", forget.run), *(task for role in tasks.keys() & roles for task in tasks[role])],
            drain=[kernel.drain],
            stop=stop,
        )
