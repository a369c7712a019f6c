"""The agent's WebSocket: a snapshot first, then every change."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from fastapi import APIRouter, WebSocket

from switchlog.auth.tickets import TicketOffice
from switchlog.errors import NotFound
from switchlog.web import Socket, open_socket

from .. import metrics
from ..app.desks import Desk, Desks
from ..app.handlers import Agents, agent_stream
from ..projections.offers import Offers

CLOSE_UNKNOWN = 4404
CLOSE_TRY_LATER = 1013


@dataclass(frozen=True)
class AgentSocket:
    agents: Agents
    desks: Desks
    offers: Offers
    office: TicketOffice

    def routes(self) -> APIRouter:
        router = APIRouter()

        @router.websocket("/v1/agents/me/ws")
        async def me(websocket: WebSocket) -> None:
            socket = await open_socket(websocket, self.office)
            if socket is not None:
                await self._serve(socket)

        return router

    async def _serve(self, socket: Socket) -> None:
        """Whatever the client sends is read and dropped: commands go over HTTP."""
        async with socket, asyncio.TaskGroup() as tasks:
            try:
                desk = await self._desk(socket, lambda: tasks.create_task(socket.close(CLOSE_TRY_LATER)))
            except NotFound:
                await socket.close(CLOSE_UNKNOWN)
                return
            metrics.desks.add(1)
            try:
                async for _ in socket:
                    pass
            finally:
                metrics.desks.add(-1)
                self.desks.close(socket.principal.tenant, desk)

    async def _desk(self, socket: Socket, lost: Callable[[], object]) -> Desk:
        """Open a desk on a state that is not older than what other desks were told."""
        tenant, id = socket.principal.tenant, socket.principal.subject
        stored = await self.offers.of(tenant, id)
        agent, version = await self.agents.known(tenant, id, fresh=True)
        while version < self.desks.heard(agent_stream(tenant, id)):
            agent, version = await self.agents.known(tenant, id, fresh=True)
        # nothing is awaited from here to the desk being open, so no change slips in between
        return self.desks.open(tenant, agent, version, stored, socket.send, lost)
