"""The visitor's WebSocket (subprotocol ``switchlog.chat.v1``): frames in are commands, frames out what the log says."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Literal

import orjson
from fastapi import APIRouter, WebSocket
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from switchlog import telemetry
from switchlog.auth.tickets import TicketOffice
from switchlog.decider import Rejected
from switchlog.envelope import Cause, StreamId
from switchlog.errors import NotFound, NotNow, SwitchlogError
from switchlog.ids import command_id
from switchlog.log import get_logger
from switchlog.store import EventStore
from switchlog.web import Socket, open_socket

from ..app.frames import Frames
from ..app.handlers import Chats
from ..app.history import customer_of
from ..app.live import Follower, Live
from ..app.presence import Presence
from ..app.waits import Waits
from .origins import Origins
from .schemas import MessageIn

SUBPROTOCOL = "switchlog.chat.v1"
ROUTE = "/v1/ws"
CLOSE_TRY_LATER = 1013
CLOSE_NOT_FOUND = 4404
RESUME_WITHIN_S = 0.2

log = get_logger(__name__)


class FrameIn(BaseModel):
    """``{type, id, seq, data}`` as the client sends it."""

    model_config = ConfigDict(extra="ignore")
    type: Literal["message", "typing", "read", "end", "resume"]
    id: str = Field("", max_length=64)
    seq: int = 0
    data: dict[str, Any] = {}


@dataclass(frozen=True)
class VisitorSockets:
    chats: Chats
    events: EventStore
    frames: Frames
    live: Live
    waits: Waits
    presence: Presence
    office: TicketOffice
    origins: Origins

    def routes(self) -> APIRouter:
        router = APIRouter()

        @router.websocket(ROUTE)
        async def visitor(websocket: WebSocket) -> None:
            allowed = await self._allowed(websocket)
            socket = await open_socket(websocket, self.office, SUBPROTOCOL, allows=lambda origin: allowed)
            if socket is None:
                return
            if socket.principal.contact is None:
                await websocket.close(4403)
                return
            contact = StreamId(socket.principal.tenant, f"contact-{socket.principal.contact}")
            try:
                customer_ref = customer_of(await self.chats.state(contact))
            except (NotFound, NotNow) as error:
                await websocket.close(CLOSE_NOT_FOUND if isinstance(error, NotFound) else CLOSE_TRY_LATER)
                return
            await self._converse(socket, contact, customer_ref)

        return router

    async def _allowed(self, websocket: WebSocket) -> bool:
        """A visitor's page is one that the visitor's entry point allows; a bad ticket is refused as such."""
        visitor = self.office.peek(websocket.query_params.get("ticket"))
        if visitor is None or visitor.contact is None:
            return True
        try:
            door = await self.chats.door(StreamId(visitor.tenant, f"contact-{visitor.contact}"))
        except (NotFound, NotNow):
            return self.origins.ours(websocket.headers.get("origin"))
        return self.origins.may_use(door, websocket.headers.get("origin"))

    async def _converse(self, socket: Socket, contact: StreamId, customer_ref: str) -> None:
        follower = Follower(
            contact,
            self.events,
            lambda stream, row: self.frames.render(stream, row, customer_ref),
            socket.send,
            socket.room,
            patience_s=RESUME_WITHIN_S,
        )
        async with socket, self.presence.here(contact), asyncio.TaskGroup() as group:
            following = group.create_task(self.live.follow(follower))
            self.waits.tell(follower)
            async for frame in socket:
                await self._answer(socket, contact, follower, frame)
            following.cancel()

    async def _answer(self, socket: Socket, contact: StreamId, follower: Follower, raw: dict[str, Any]) -> None:
        frame = _read(raw)
        if frame is None:
            socket.send(_error(raw.get("id"), "BAD_FRAME"))
            return
        with telemetry.socket_message_span(ROUTE, frame.type):
            try:
                await self._handle(socket, contact, follower, frame)
            except SwitchlogError as error:
                socket.send(_error(frame.id, error.reason, error.retry_after_s if isinstance(error, NotNow) else None))

    async def _handle(self, socket: Socket, contact: StreamId, follower: Follower, frame: FrameIn) -> None:
        if frame.type != "resume":
            follower.begin()
        match frame.type:
            case "message":
                version = await self._receive(contact, frame)
                socket.send({"type": "ack", "id": frame.id, "seq": version, "data": {}})
                self.live.nudge(contact)
            case "end":
                answer = await self.chats.end_by_customer(contact, _cause(contact, frame))
                socket.send({"type": "ack", "id": frame.id, "seq": answer.version, "data": {}})
                self.live.nudge(contact)
            case "resume":
                head = (await self.chats.contacts.state(contact)).head
                follower.rewind(min(_after_seq(frame), head))
            case "typing" | "read":
                # signs of life, not facts
                sign = sign_of(contact, frame.type, frame.id, "customer")
                self.live.signal(contact, sign, but=follower)

    async def _receive(self, contact: StreamId, frame: FrameIn) -> int:
        try:
            body = MessageIn(message_id=frame.id, **{k: frame.data[k] for k in KNOWN & frame.data.keys()})
        except ValidationError as error:
            raise Rejected("BAD_MESSAGE", error.errors(include_input=False)[0]["msg"], invalid=True) from None
        answer = await self.chats.receive(contact, body.draft(), _cause(contact, frame))
        return answer.version


def sign_of(contact: StreamId, kind: str, id: str, side: str) -> dict[str, Any]:
    """A frame that stands in no log."""
    return {
        "type": kind,
        "id": id,
        "seq": 0,
        "contact": contact.name.removeprefix("contact-"),
        "data": {"from": side},
    }


KNOWN = frozenset({"kind", "text", "attachment"})


def _read(raw: dict[str, Any]) -> FrameIn | None:
    try:
        return FrameIn.model_validate(raw)
    except ValidationError:
        return None


def _after_seq(frame: FrameIn) -> int:
    after = frame.data.get("after_seq", 0)
    if not isinstance(after, int) or isinstance(after, bool) or after < 0:
        raise Rejected("BAD_FRAME", "after_seq is a number from 0 on", invalid=True)
    return after


def _error(id: Any, reason: str, retry_after_s: float | None = None) -> dict[str, Any]:
    data = {"reason": reason} | ({} if retry_after_s is None else {"retry_after_s": retry_after_s})
    return {"type": "error", "id": id if isinstance(id, str) else "", "seq": 0, "data": data}


def _cause(contact: StreamId, frame: FrameIn) -> Cause:
    """A frame's id is its idempotency key: resent after a lost ack, it is the same command."""
    content = orjson.dumps(frame.data, option=orjson.OPT_SORT_KEYS)
    actor = f"visitor:{contact.name.removeprefix('contact-')}"
    return Cause(
        command_id=command_id(contact.tenant, contact.name, f"WS {ROUTE} {frame.type}", frame.id),
        digest=sha256(content).hexdigest(),
        actor=actor,
        correlation_id=contact.name,
        traceparent=telemetry.current_traceparent(),
    )
