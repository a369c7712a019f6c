"""Puts the service together: the only file that knows every room."""

from __future__ import annotations

import asyncio
from collections.abc import Set
from dataclasses import dataclass

from fastapi import FastAPI

from contactcenter.customer.v1.service_pb2_grpc import add_CustomerServiceServicer_to_server
from switchlog import runtime
from switchlog.auth.verifier import Verifier, verifier_from
from switchlog.kernel import Kernel, open_kernel
from switchlog.rpc import Servicer
from switchlog.runtime import Task
from switchlog.seal import MasterKeys, master_keys
from switchlog.store import KeyStore, ViewStore
from switchlog.web import create_app
from switchlog.writer import Writer

from . import wire
from .api import customers as api
from .app.erasure import Erasure
from .app.handlers import Customers
from .app.references import References
from .app.secrets import Secrets
from .bus import consumers
from .config import SERVICE, Settings
from .domain.commands import CustomerCommand
from .domain.decide import CUSTOMER
from .domain.events import CustomerEvent
from .domain.state import CustomerState
from .projections.last_agents import LastAgentsView
from .rpc.customers import CustomersByRpc

TOPICS = {"customer": wire.TOPIC}
ROLES = frozenset({"api", "react", "relay"})


@dataclass(frozen=True)
class Service:
    """Everything of one process, built and not running yet."""

    customers: Customers
    references: References
    secrets: Secrets
    erasure: Erasure
    last_agents: LastAgentsView


async def run(
    settings: Settings,
    roles: Set[str] = ROLES,
    verifier: Verifier | None = None,
    stop: asyncio.Event | None = None,
) -> None:
    """The ``roles`` in one process, until asked to stop; tokens are verified as configured unless ``verifier`` does."""
    master = master_keys(settings.kernel)
    async with open_kernel(settings.kernel, topics=TOPICS) as kernel:
        service = build(kernel.writer(CUSTOMER, wire.CODEC), kernel.store.keys, kernel.store.views, master)
        verifier = verifier or verifier_from(settings.kernel)
        serves = "api" in roles
        await runtime.serve(
            settings.kernel,
            app=app(service, kernel, verifier) if serves else None,
            servicers=[servicer(service), kernel.event_log()] if serves else [],
            tasks=[task for role, task in _tasks(service, kernel) if role in roles],
            drain=[kernel.drain],
            verifier=verifier,
            stop=stop,
        )


def build(
    writer: Writer[CustomerCommand, CustomerState, CustomerEvent], keys: KeyStore, views: ViewStore, master: MasterKeys
) -> Service:
    """The service on its writer, key table and read models."""
    references = References(writer)
    secrets = Secrets(keys, master, references)
    last_agents = LastAgentsView(views)
    erasure = Erasure(writer, references, secrets, last_agents)
    return Service(Customers(writer, references, erasure), references, secrets, erasure, last_agents)


def app(service: Service, kernel: Kernel, verifier: Verifier) -> FastAPI:
    """Its HTTP edge."""
    return create_app(
        SERVICE,
        routers=[api.routes(service.customers, service.references, service.secrets, service.last_agents)],
        verifier=verifier,
        settings=kernel.settings,
        ready=kernel.ready,
    )


def servicer(service: Service) -> Servicer:
    """Its gRPC edge."""
    return add_CustomerServiceServicer_to_server, CustomersByRpc(
        service.customers, service.references, service.secrets, service.last_agents
    )


def _tasks(service: Service, kernel: Kernel) -> list[tuple[str, Task]]:
    finishing = consumers.finishing(service.erasure, wire.read_own)
    erasures = kernel.consumer(consumers.GROUP_ERASURES, [consumers.CUSTOMERS], finishing)
    serving = consumers.serving(service.last_agents, wire.read_contact)
    last_agents = kernel.consumer(consumers.GROUP_LAST_AGENTS, [consumers.CONTACTS], serving)
    return [
        ("react", ("erasures", erasures.run)),
        ("react", ("last_agents", last_agents.run)),
        ("relay", ("relay", kernel.sweeper())),
    ]
