"""Puts the service together: the only file that knows every room."""

from __future__ import annotations

from contextlib import AsyncExitStack

from fastapi import FastAPI

from contactcenter.customer.v1.service_pb2_grpc import CustomerServiceStub
from switchlog import rpc, runtime
from switchlog.auth.verifier import verifier_from
from switchlog.bus.tail import Tail
from switchlog.config import ConfigError
from switchlog.envelope import StreamId
from switchlog.kernel import Kernel, open_kernel
from switchlog.web import create_app

from . import wire
from .adapters.call_ids import StoredCallIds
from .adapters.customers import CustomersByRpc
from .adapters.entry_points import StoredEntryPoints
from .adapters.queues import QueueTable
from .adapters.scripted_switch import ScriptedSwitch, Step, read_script
from .api import routes
from .app.calls import SERVICE, Calls
from .app.reactions import Reactions
from .bus import consumers, gateway
from .config import Settings
from .domain.decide import CALL

TOPICS = {"contact": wire.TOPIC}


async def run(settings: Settings) -> None:
    """All roles in one process, until asked to stop."""
    async with AsyncExitStack() as stack:
        kernel = await stack.enter_async_context(open_kernel(settings.kernel, topics=TOPICS))
        channel = rpc.channel(settings.kernel.owners["customers"], kernel.tokens, settings=settings.kernel)
        stack.push_async_callback(channel.close)
        queues = QueueTable(wire.read_queue)
        calls = build(kernel, CustomersByRpc(CustomerServiceStub(channel)), queues, ScriptedSwitch(_steps(settings)))
        table = Tail(
            settings.kernel.kafka_bootstrap,
            ["routing.config.v1"],
            lambda raw: queues.take(raw.value),
            start="beginning",
        )
        reacting = kernel.consumer(
            consumers.GROUP_REACTIONS,
            ["routing.events.v1"],
            consumers.routing_handler(Reactions(calls), wire.read_routing),
        )

        async def listening() -> None:
            await table.caught_up.wait()
            await gateway.listen(calls)

        await runtime.serve(
            settings.kernel,
            app=_app(kernel, calls),
            servicers=[kernel.event_log()],
            tasks=[
                ("queues", table.run),
                ("gateway", listening),
                ("reactions", reacting.run),
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


def build(kernel: Kernel, customers: CustomersByRpc, queues: QueueTable, switch: ScriptedSwitch) -> Calls:
    """The service's commands on ``kernel``."""
    views = kernel.store.views
    writer = kernel.writer(CALL, wire.CODEC)
    return Calls(writer, switch, StoredEntryPoints(views), queues, customers, StoredCallIds(views), kernel.clock)


def _app(kernel: Kernel, calls: Calls) -> FastAPI:
    return create_app(
        SERVICE,
        routers=[routes.entry_points(calls.entry_points, kernel.clock), routes.contacts(calls)],
        verifier=verifier_from(kernel.settings),
        settings=kernel.settings,
        ready=kernel.ready,
    )


def _steps(settings: Settings) -> list[Step]:
    try:
        return read_script(settings.script) if settings.script else []
    except (OSError, ValueError) as error:
        raise ConfigError(f"INGRESS_VOICE_SCRIPT: {error}") from None
