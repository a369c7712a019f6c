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
from ..app.live import Follower, Frame, Live, Send
from ..domain.state import Talking
from ..projections.contacts import Contacts
from .visitor_socket import sign_of

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
        desk = Desk(self.live, lambda contact, send: self._follower(contact, send, socket), socket.send)
        async with socket:
            self.desks.open(tenant, agent, desk)
            try:
                for contact in await self.contacts.of_agent(tenant, agent):
                    if await self._is_in(contact, agent):
                        desk.take(contact)
                async for frame in socket:
                    _sign(desk, tenant, frame)
            finally:
                self.desks.close(tenant, agent, desk)

    async def _is_in(self, contact: StreamId, agent: str) -> bool:
        """The list of an agent's contacts may lag behind: the contact itself knows."""
        state = (await self.chats.contacts.state(contact)).state
        return isinstance(state, Talking) and state.agent == agent

    def _follower(self, contact: StreamId, send: Send, socket: Socket) -> Follower:
        return Follower(contact, self.events, self._render, send, socket.room)

    async def _render(self, contact: StreamId, row: Row) -> Frame | None:
        return await self.frames.render(contact, row, customer_of(await self.chats.state(contact)))


def _sign(desk: Desk, tenant: str, frame: Frame) -> None:
    """``{type: typing | read, contact}``: shown to the visitor, never stored, and only in the agent's own contacts."""
    contact, kind = frame.get("contact"), frame.get("type")
    if kind in ("typing", "read") and isinstance(contact, str):
        stream = StreamId(tenant, f"contact-{contact}")
        desk.sign(stream, sign_of(stream, kind, "", "agent"))
