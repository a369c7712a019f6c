"""Puts the service together: the only file that knows every room."""

from __future__ import annotations

from contextlib import AsyncExitStack

from contactcenter.customer.v1.service_pb2_grpc import CustomerServiceStub
from switchlog import rpc, runtime
from switchlog.auth.verifier import verifier_from
from switchlog.bus.erasures import ERASURES, forgetting
from switchlog.bus.tail import Tail
from switchlog.envelope import StreamId
from switchlog.kernel import open_kernel
from switchlog.web import create_app

from . import wire
from .adapters.customers import SealerOf, subject_keys
from .adapters.objects import StoredObjects, open_objects
from .api import recordings as api
from .app.handlers import Recordings
from .app.reactions import Reactions
from .bus import consumers
from .config import SERVICE, Settings
from .domain.decide import RECORDING
from .projections.lines import LinesView
from .projections.recordings import RecordingsView
from .rpc.recordings import recording_servicer

TOPICS = {"recording": wire.TOPIC}


async def run(settings: Settings) -> None:
    """All roles in one process, until asked to stop."""
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
        app = create_app(
            SERVICE,
            routers=[api.routes(recordings, view)],
            verifier=verifier_from(settings.kernel),
            settings=settings.kernel,
            ready=kernel.ready,
        )
        await runtime.serve(
            settings.kernel,
            app=app,
            servicers=[recording_servicer(recordings), kernel.event_log()],
            tasks=[
                ("contacts", hearing.run),
                ("projections", listing.run),
                ("erasures", forget.run),
                ("relay", kernel.sweeper()),
            ],
            drain=[kernel.drain],
        )


async def relay(settings: Settings, tenant: str, stream: str, first: int) -> None:
    """The ``relay`` role alone, or (with ``stream``) one stream published again from version ``first``."""
    async with open_kernel(settings.kernel, topics=TOPICS) as kernel:
        if stream:
            await kernel.republish(StreamId(tenant, stream), first)
            await kernel.drain()
        else:
            await runtime.serve(settings.kernel, tasks=[("relay", kernel.sweeper())], drain=[kernel.drain])
