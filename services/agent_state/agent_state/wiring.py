"""Puts the service together: the only file that knows every room."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Set
from dataclasses import dataclass

from fastapi import FastAPI

from contactcenter.agent.v1.service_pb2_grpc import add_AgentServiceServicer_to_server
from switchlog import runtime
from switchlog.auth.tickets import TicketOffice
from switchlog.auth.verifier import Verifier, verifier_from
from switchlog.bus.tail import Tail
from switchlog.kernel import Kernel, open_kernel
from switchlog.rpc import Servicer
from switchlog.runtime import Task
from switchlog.web import create_app

from . import metrics, wire
from .api import agents as agents_api
from .api import me as me_api
from .api import teams as teams_api
from .api.socket import AgentSocket
from .app.clocks import firing, timers_of
from .app.desks import Desks
from .app.handlers import Agents
from .app.reactions import Reactions
from .bus import consumers
from .config import SERVICE, Settings
from .domain.decide import AGENT
from .projections.holders import HolderRows
from .projections.offers import Offers
from .projections.roster import Roster
from .projections.teams import Teams
from .rpc.agents import AgentsByRpc

TOPICS = {"agent": wire.TOPIC}
ROLES = frozenset({"api", "react", "project", "relay"})


@dataclass(frozen=True)
class Service:
    """Everything of one process, built and not running yet."""

    kernel: Kernel
    agents: Agents
    roster: Roster
    offers: Offers
    desks: Desks
    reactions: Reactions


async def run(
    settings: Settings,
    roles: Set[str] = ROLES,
    verifier: Verifier | None = None,
    stop: asyncio.Event | None = None,
) -> None:
    """The ``roles`` in one process, until asked to stop; tokens are verified as configured unless ``verifier`` does."""
    async with open_kernel(settings.kernel, topics=TOPICS, timers_of=timers_of(wire.CODEC)) as kernel:
        service = build(kernel)
        verifier = verifier or verifier_from(settings.kernel)
        api = "api" in roles
        await runtime.serve(
            settings.kernel,
            app=app(service, verifier) if api else None,
            servicers=[_servicer(service), kernel.event_log()] if api else [],
            tasks=[task for role, found in _tasks(service).items() if role in roles for task in found],
            drain=[kernel.drain],
            verifier=verifier,
            stop=stop,
        )


def build(kernel: Kernel) -> Service:
    """The service on ``kernel``."""
    writer = kernel.writer(AGENT, wire.CODEC)
    views = kernel.store.views
    agents = Agents(writer, kernel.store.events, wire.CODEC)
    desks = Desks(kernel.clock, lambda milliseconds: metrics.offer_push.record(milliseconds / 1000))
    return Service(kernel, agents, Roster(views, agents), Offers(views), desks, Reactions(writer, HolderRows(views)))


def app(service: Service, verifier: Verifier) -> FastAPI:
    """Its HTTP edge."""
    office = TicketOffice()
    return create_app(
        SERVICE,
        routers=[
            # "me" before {agent}: the first route that fits answers
            me_api.routes(service.agents, office, service.kernel.clock),
            agents_api.routes(service.agents, service.roster),
            teams_api.routes(Teams(service.roster.views), service.kernel.clock),
            AgentSocket(service.agents, service.desks, service.offers, office).routes(),
        ],
        verifier=verifier,
        settings=service.kernel.settings,
        ready=service.kernel.ready,
    )


def _servicer(service: Service) -> Servicer:
    return add_AgentServiceServicer_to_server, AgentsByRpc(service.agents, service.roster)


def _tasks(service: Service) -> Mapping[str, list[Task]]:
    kernel, bootstrap = service.kernel, service.kernel.settings.kafka_bootstrap
    pushes = Tail(
        bootstrap,
        [consumers.ROUTING, consumers.AGENTS],
        consumers.pushing(service.desks, wire.read_routing, wire.read_own),
    )
    reactions = kernel.consumer(
        consumers.GROUP_REACTIONS,
        [consumers.ROUTING, consumers.CONTACTS],
        consumers.reacting(service.reactions, wire.read_routing, wire.read_contact),
        concurrency=32,
    )
    projections = kernel.consumer(
        consumers.GROUP_PROJECTIONS,
        [consumers.AGENTS, consumers.ROUTING],
        consumers.projecting(service.roster, service.offers, service.desks, wire.read_routing),
    )
    return {
        "api": [("pushes", pushes.run)],
        "react": [("reactions", reactions.run), ("timers", kernel.timer_runner(firing(service.agents.writer)))],
        "project": [("projections", projections.run)],
        "relay": [("relay", kernel.sweeper())],
    }
