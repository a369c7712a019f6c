"""Requests and sockets of one person with one token."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx2 as httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from switchlog.testing import eventually

from .plan import Plan

Frame = dict[str, Any]
NOT_NOW_FOR_S = 10


@dataclass(frozen=True)
class Api:
    """All services' HTTP APIs; ``not now`` is answered as documented: by the same request with the same key, later."""

    plan: Plan
    http: httpx.AsyncClient
    token: str = ""
    traceparent: str = ""

    async def get(self, service: str, path: str, **query: Any) -> httpx.Response:
        return await self.http.get(self.plan.url(service) + path, headers=self._headers(), params=query)

    async def put(self, service: str, path: str, body: Any) -> httpx.Response:
        return await self._repeated("PUT", service, path, body, uuid4().hex)

    async def post(self, service: str, path: str, body: Any = None, key: str = "") -> httpx.Response:
        return await self._repeated("POST", service, path, body, key or uuid4().hex)

    async def done(self, service: str, path: str, body: Any = None, key: str = "") -> dict[str, Any]:
        """``post`` that must be answered 200 (or 201); its JSON."""
        answer = await self.post(service, path, body, key)
        assert answer.is_success, f"{service} {path}: {answer.status_code} {answer.text}"
        return dict(answer.json())

    async def seen(self, service: str, path: str, **query: Any) -> dict[str, Any]:
        """``get`` that must be answered 200; its JSON."""
        answer = await self.get(service, path, **query)
        assert answer.is_success, f"{service} {path}: {answer.status_code} {answer.text}"
        return dict(answer.json())

    async def socket(self, service: str, path: str, **options: Any) -> Listening:
        """A WebSocket opened with a one-time ticket."""
        ticket = (await self.done(service, "/v1/tickets"))["ticket"]
        address = f"{self.plan.url(service, 'ws')}{path}?ticket={ticket}"
        return Listening(await connect(address, max_size=2**20, proxy=None, **options))

    async def _repeated(self, method: str, service: str, path: str, body: Any, key: str) -> httpx.Response:
        url, headers = self.plan.url(service) + path, self._headers() | {"idempotency-key": key}
        deadline = asyncio.get_running_loop().time() + NOT_NOW_FOR_S
        while True:
            answer = await self.http.request(method, url, headers=headers, json=body)
            if answer.status_code != 503 or asyncio.get_running_loop().time() > deadline:
                return answer
            await asyncio.sleep(0.2)

    def _headers(self) -> dict[str, str]:
        told = {"authorization": self.token and f"Bearer {self.token}", "traceparent": self.traceparent}
        return {name: value for name, value in told.items() if value}


@dataclass
class Listening:
    """An open socket and every frame that came through it, in order; ``closed`` is the code of its end."""

    connection: ClientConnection
    frames: list[Frame] = field(default_factory=list)
    closed: int | None = None

    def __post_init__(self) -> None:
        self._reading = asyncio.create_task(self._read())

    async def send(self, frame: Frame | str | bytes) -> None:
        await self.connection.send(json.dumps(frame) if isinstance(frame, dict) else frame)

    async def close(self) -> None:
        await self.connection.close()
        await self._reading

    async def cut(self) -> None:
        """As when the network goes away: no closing handshake."""
        self.connection.transport.abort()
        await self._reading

    async def until(self, kind: str, fits: Callable[[Frame], bool] = lambda _: True, within_s: float = 10) -> Frame:
        """The first frame of ``kind`` that ``fits``."""

        def found() -> Frame:
            fitting = [frame for frame in self.frames if frame["type"] == kind and fits(frame)]
            assert fitting, f"no such {kind} frame; closed: {self.closed}; came: {self.frames}"
            return fitting[0]

        return await eventually(found, within_s)

    async def until_closed(self, within_s: float = 5) -> int:
        """The code it was closed with."""
        await asyncio.wait_for(self._reading, within_s)
        assert self.closed is not None
        return self.closed

    def of(self, kind: str, **data: Any) -> list[Frame]:
        """Frames of ``kind`` with these values in their data."""
        return [
            frame for frame in self.frames if frame["type"] == kind and data.items() <= frame.get("data", {}).items()
        ]

    async def _read(self) -> None:
        try:
            async for text in self.connection:
                self.frames.append(json.loads(text))
        except ConnectionClosed:
            pass
        self.closed = self.connection.close_code
