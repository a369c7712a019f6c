"""WebSockets: who may open one, how big and how fast its frames are, and what becomes of a slow reader."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from starlette.websockets import WebSocket, WebSocketDisconnect

from switchlog.auth.principal import Principal
from switchlog.auth.tickets import TicketOffice
from switchlog.errors import Unauthenticated
from switchlog.limits import TokenBucket
from switchlog.log import get_logger
from switchlog.telemetry import meter

MAX_FRAME_BYTES = 64 * 1024
MESSAGES_PER_S = 50
# What may wait for a reader before it counts as slow: enough for a snapshot and a burst, a few hundred KiB at most.
QUEUED_FRAMES = 256
ROOM_WITHIN_S = 5.0

CLOSE_GOING_AWAY = 1001
CLOSE_BAD_DATA = 1007
CLOSE_TOO_BIG = 1009
CLOSE_TRY_LATER = 1013
CLOSE_UNAUTHENTICATED = 4401

log = get_logger(__name__)
_dropped = meter("switchlog").create_counter(
    "switchlog.websocket.dropped", "{connection}", "WebSocket clients dropped because they read too slowly."
)


@dataclass
class Sockets:
    """The open sockets of this process, by principal; ``origins`` may open one (no Origin: not a browser, allowed)."""

    origins: Sequence[str] = ()
    _open: dict[tuple[str, str], set[Socket]] = field(default_factory=lambda: defaultdict(set))

    def allows(self, origin: str | None) -> bool:
        return origin is None or origin in self.origins

    def of(self, tenant: str, subject: str) -> list[Socket]:
        """The sockets that ``subject`` has open."""
        return list(self._open.get((tenant, subject), ()))

    async def close_of(self, tenant: str, subject: str, code: int = CLOSE_UNAUTHENTICATED) -> None:
        """Close what ``subject`` has open: its role changed, or its token was withdrawn."""
        await asyncio.gather(*(one.close(code) for one in self.of(tenant, subject)))

    def __len__(self) -> int:
        return sum(map(len, self._open.values()))

    def add(self, one: Socket) -> None:
        self._open[(one.principal.tenant, one.principal.subject)].add(one)

    def remove(self, one: Socket) -> None:
        key = (one.principal.tenant, one.principal.subject)
        self._open[key].discard(one)
        if not self._open[key]:
            del self._open[key]


async def open_socket(
    websocket: WebSocket,
    office: TicketOffice,
    subprotocol: str | None = None,
    *,
    allows: Callable[[str | None], bool] | None = None,
) -> Socket | None:
    """Accept ``websocket`` for whoever holds its ``ticket``; ``None`` when it was refused (403 or close 4401).

    ``allows(origin)`` replaces the process's allow-list (a widget stands on many sites).
    Use it as ``async with socket:`` and read ``async for frame in socket``.
    """
    sockets: Sockets = websocket.app.state.sockets
    if not (allows or sockets.allows)(websocket.headers.get("origin")):
        await websocket.close()  # before accept: the handshake is answered 403
        return None
    offered = subprotocol if subprotocol in websocket.scope.get("subprotocols", ()) else None
    try:
        principal = office.redeem(websocket.query_params.get("ticket"))
    except Unauthenticated:
        await websocket.accept(offered)  # a close code needs an accepted socket
        await websocket.close(CLOSE_UNAUTHENTICATED)
        return None
    await websocket.accept(offered)
    return Socket(websocket, principal, sockets)


class Socket:
    """One open socket of ``principal``: ``send`` never waits, frames in are JSON objects within size and rate.

    A client that sends faster than 50 messages a second is read slower, not cut off: TCP pushes back. One that reads
    slower than we send is dropped. At the expiry of its token it is closed with 4401 and comes back with a new ticket.
    """

    def __init__(
        self, websocket: WebSocket, principal: Principal, sockets: Sockets, *, wall: Callable[[], float] = time.time
    ) -> None:
        self.principal = principal
        self._websocket = websocket
        self._sockets = sockets
        self._wall = wall
        self._outbox: asyncio.Queue[str | int] = asyncio.Queue(QUEUED_FRAMES)
        self._bucket = TokenBucket(MESSAGES_PER_S, MESSAGES_PER_S, MESSAGES_PER_S, time.monotonic())
        self._room = asyncio.Event()
        self._room.set()
        self._ended = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Socket:
        self._sockets.add(self)
        self._tasks = [asyncio.create_task(self._write()), asyncio.create_task(self._expire())]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._sockets.remove(self)
        self._ended.set()
        if not self._outbox.empty():  # let last words out, but never wait for a reader that does not read
            await asyncio.wait(self._tasks[:1], timeout=1.0)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def send(self, frame: Mapping[str, Any]) -> None:
        """Queue ``frame``; a reader with a full queue is dropped instead of making others wait."""
        self.send_text(orjson.dumps(frame).decode())

    def send_text(self, text: str) -> None:
        """Queue a frame that is JSON already (one rendering for many sockets)."""
        if self._ended.is_set():
            return
        try:
            self._outbox.put_nowait(text)
        except asyncio.QueueFull:
            self._drop()
        if self._outbox.qsize() >= QUEUED_FRAMES // 2:
            self._room.clear()

    async def room(self) -> None:
        """Wait until half of the queue is free: for a long history. A reader that reads nothing for 5 s is dropped."""
        if self._room.is_set() or self._ended.is_set():
            return
        try:
            await asyncio.wait_for(self._room.wait(), ROOM_WITHIN_S)
        except TimeoutError:
            self._drop()

    async def close(self, code: int = 1000) -> None:
        """Send what is queued, then close with ``code``."""
        if not self._ended.is_set():
            try:
                self._outbox.put_nowait(code)
            except asyncio.QueueFull:
                self._drop()

    async def __aiter__(self) -> AsyncIterator[dict[str, Any]]:
        """Frames until the client leaves, is dropped or breaks the rules."""
        while (text := await self._next_text()) is not None:
            frame = _frame(text)
            if frame is None:
                await self.close(CLOSE_BAD_DATA)
                return
            yield frame
            await self._pace()

    async def _next_text(self) -> str | bytes | None:
        receiving = asyncio.ensure_future(self._websocket.receive())
        try:
            await asyncio.wait((receiving, self._tasks[0]), return_when=asyncio.FIRST_COMPLETED)
            message = receiving.result() if receiving.done() else {"type": "websocket.disconnect"}
        finally:
            receiving.cancel()
        if message["type"] == "websocket.disconnect":
            self._ended.set()
            return None
        text = message.get("text") or message.get("bytes") or b""
        if len(text) > MAX_FRAME_BYTES:  # the server's own limit answers first; this is for other servers
            await self.close(CLOSE_TOO_BIG)
            return None
        return text

    async def _pace(self) -> None:
        while wait := self._bucket.wait_for_one(time.monotonic()):
            await asyncio.sleep(wait)

    async def _write(self) -> None:
        try:
            while True:
                queued = await self._outbox.get()
                if self._outbox.qsize() < QUEUED_FRAMES // 2:
                    self._room.set()
                if isinstance(queued, int):
                    await self._websocket.close(queued)
                    return
                await self._websocket.send_text(queued)
        except (WebSocketDisconnect, RuntimeError):  # the client left first
            return
        finally:
            self._ended.set()
            self._room.set()  # nobody need wait for a reader that is gone

    async def _expire(self) -> None:
        await asyncio.sleep(max(0.0, min(self.principal.expires_at - self._wall(), 30 * 86400)))
        await self.close(CLOSE_UNAUTHENTICATED)

    def _drop(self) -> None:
        """Cut a slow reader off: it would not read a close frame either."""
        log.info("slow_reader_dropped", tenant_id=self.principal.tenant, subject=self.principal.subject)
        _dropped.add(1)
        self._ended.set()
        abort = self._websocket.scope.get("state", {}).get("abort")
        if abort is not None:
            abort()
        self._tasks[0].cancel()


def _frame(text: str | bytes) -> dict[str, Any] | None:
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return found if isinstance(found, dict) else None
