"""Puts the service together: the only file that knows every room."""

from __future__ import annotations

import asyncio
from collections.abc import Set
from contextlib import AsyncExitStack

from fastapi import FastAPI

from contactcenter.customer.v1.service_pb2_grpc import CustomerServiceStub
from switchlog import rpc, runtime
from switchlog.auth.verifier import Verifier, verifier_from
from switchlog.bus.tail import Tail
from switchlog.config import ConfigError
from switchlog.kernel import Kernel, open_kernel
from switchlog.runtime import Task
from switchlog.web import create_app

from . import wire
from .adapters.call_ids import StoredCallIds
from .adapters.customers import CustomersByRpc
from .adapters.entry_points import StoredEntryPoints
from .adapters.hours import StoredHours
from .adapters.queues import QueueTable
from .adapters.scripted_switch import ScriptedSwitch, Step, read_script
from .api import hours, routes
from .app.calls import SERVICE, Calls
from .app.ports import Customers, TelephoneSwitch
from .app.reactions import Reactions
from .bus import consumers, gateway
from .config import Settings
from .domain.decide import CALL

TOPICS = {"contact": wire.TOPIC}
ROLES = frozenset({"api", "switch", "relay"})


async def run(
    settings: Settings,
    roles: Set[str] = ROLES,
    verifier: Verifier | None = None,
    stop: asyncio.Event | None = None,
) -> None:
    """The ``roles`` in one process, until asked to stop; whoever speaks to the switch is the one that listens to it."""
    async with AsyncExitStack() as stack:
        kernel = await stack.enter_async_context(open_kernel(settings.kernel, topics=TOPICS))
        channel = rpc.channel(settings.kernel.owners["customers"], kernel.tokens, settings=settings.kernel)
        stack.push_async_callback(channel.close)
        queues = QueueTable(wire.read_queue, lambda: table.caught_up.is_set())
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

        tasks: dict[str, list[Task]] = {
            "switch": [("gateway", listening), ("reactions", reacting.run)],
            "relay": [("relay", kernel.sweeper())],
        }
        await runtime.serve(
            settings.kernel,
            app=app(kernel, calls, queues, verifier or verifier_from(settings.kernel)) if "api" in roles else None,
            servicers=[kernel.event_log()] if "api" in roles else [],
            tasks=[("queues", table.run), *(task for role in tasks.keys() & roles for task in tasks[role])],
            drain=[kernel.drain],
            stop=stop,
        )


def build(kernel: Kernel, customers: Customers, queues: QueueTable, switch: TelephoneSwitch) -> Calls:
    """The service's commands on ``kernel``."""
    views = kernel.store.views
    writer = kernel.writer(CALL, wire.CODEC)
    doors, ids, hours = StoredEntryPoints(views), StoredCallIds(views), StoredHours(views)
    return Calls(writer, switch, doors, queues, customers, ids, kernel.clock, hours)


def app(kernel: Kernel, calls: Calls, queues: QueueTable, verifier: Verifier) -> FastAPI:
    """Its HTTP edge."""

    async def ready() -> dict[str, bool]:
        return {**await kernel.ready(), "queues": queues.complete()}

    return create_app(
        SERVICE,
        routers=[
            routes.entry_points(calls.entry_points, calls.hours, kernel.clock),
            hours.routes(calls.hours, kernel.clock),
            routes.contacts(calls),
        ],
        verifier=verifier,
        settings=kernel.settings,
        ready=ready,
    )


def _steps(settings: Settings) -> list[Step]:
    try:
        return read_script(settings.script) if settings.script else []
    except (OSError, ValueError) as error:
        raise ConfigError(f"INGRESS_VOICE_SCRIPT: {error}") from None
