"""The agent's WebSocket: frames of every conversation the agent has, as they happen."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter, WebSocket

from switchlog.auth.tickets import TicketOffice
from switchlog.envelope import Row, StreamId
from switchlog.store import EventStore
from switchlog.web import Socket, open_socket

from ..app.desks import Desk, Desks
from ..app.frames import Frames
from ..app.handlers import Chats
from ..app.history import customer_of
from ..app.live import Frame, Live, Render
from ..projections.contacts import Contacts

ROUTE = "/v1/agents/me/ws"


@dataclass(frozen=True)
class AgentSockets:
    chats: Chats
    events: EventStore
    frames: Frames
    live: Live
    desks: Desks
    contacts: Contacts
    office: TicketOffice

    def routes(self) -> APIRouter:
        router = APIRouter()

        @router.websocket(ROUTE)
        async def agent(websocket: WebSocket) -> None:
            socket = await open_socket(websocket, self.office)
            if socket is None:
                return
            if not socket.principal.has("agent"):
                await websocket.close(4403)
                return
            await self._serve(socket)

        return router

    async def _serve(self, socket: Socket) -> None:
        tenant, agent = socket.principal.tenant, socket.principal.subject
        desk = Desk(self.live, self.events, self._render, socket.send)
        async with socket:
            self.desks.open(tenant, agent, desk)
            try:
                for contact in await self.contacts.of_agent(tenant, agent):
                    desk.take(contact)
                async for frame in socket:
                    self._sign(socket, frame)
            finally:
                self.desks.close(tenant, agent, desk)

    def _sign(self, socket: Socket, frame: Frame) -> None:
        """``{type: typing, contact}``: shown to the visitor, never stored."""
        contact = frame.get("contact")
        if frame.get("type") == "typing" and isinstance(contact, str):
            stream = StreamId(socket.principal.tenant, f"contact-{contact}")
            sign = {"type": "typing", "id": "", "seq": 0, "data": {"from": "agent"}}
            self.live.signal(stream, sign)

    def _render(self, contact: StreamId) -> Render:
        async def render(stream: StreamId, row: Row) -> Frame | None:
            state = await self.chats.state(stream)
            return await self.frames.render(stream, row, customer_of(state))

        return render
