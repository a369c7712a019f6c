"""What every request passes first: trace, body limits, security headers, and a 500 that tells nothing.

Written as plain ASGI because it runs for every request: one function call deep, no copies of small bodies.
"""

from __future__ import annotations

import asyncio
import re
import time
import zlib
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from switchlog import telemetry
from switchlog.errors import NotNow, Poison, SwitchlogError, TooLarge
from switchlog.log import get_logger
from switchlog.web.problems import MEDIA_TYPE, Problem, problem_of

MAX_BODY_BYTES = 1024 * 1024
BODY_TIMEOUT_S = 10.0
# Simple clients send everything before they listen. So that they hear a refusal, a body up to this size is read and
# dropped; beyond it, or after a moment, the connection is closed on them.
DROPPED_BYTES = 32 * 1024 * 1024
DROPPED_WITHIN_S = 0.5
MAX_BRACKETS = 512
MAX_IN_FLIGHT = 2000

API_CSP = "default-src 'none'; frame-ancestors 'none'"
_SECURITY = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
)
_CORRELATION = re.compile(rb"[A-Za-z0-9._-]{1,64}\Z")

log = get_logger(__name__)


@dataclass
class Door:
    """ASGI middleware. ``body_limits``: path prefixes that stream their own bodies -> bytes (``None``: no limit)."""

    app: ASGIApp
    body_limits: Mapping[str, int | None] = field(default_factory=dict)
    csp: str = API_CSP
    max_in_flight: int = MAX_IN_FLIGHT
    in_flight: int = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        started = time.perf_counter()
        with telemetry.http_server_span(scope["method"], scope["scheme"], headers.get(b"traceparent")) as opened:
            correlation_id = _correlation_id(headers)
            scope.setdefault("state", {})["correlation_id"] = correlation_id
            reply = _Reply(send, self.csp, correlation_id)
            self.in_flight += 1
            try:
                await self._answer(scope, headers, receive, reply)
            finally:
                self.in_flight -= 1
                seconds = time.perf_counter() - started
                telemetry.answered(opened, scope["method"], _route(scope), reply.status, seconds)

    async def _answer(self, scope: Scope, headers: Mapping[bytes, bytes], receive: Receive, reply: _Reply) -> None:
        try:
            if self.in_flight > self.max_in_flight:
                raise NotNow("BUSY")
            await self.app(scope, await self._checked(scope, headers, receive), reply)
        except SwitchlogError as error:
            keep_alive = not isinstance(error, TooLarge) or await _dropped(receive, headers)
            await reply.problem(problem_of(error), keep_alive)
        except Exception as error:
            log.exception("request_failed", method=scope["method"], route=_route(scope), error=type(error).__name__)
            if reply.status:  # half an answer is out: only closing the connection tells the truth now
                raise
            await reply.problem(Problem(500, "INTERNAL"))

    async def _checked(self, scope: Scope, headers: Mapping[bytes, bytes], receive: Receive) -> Receive:
        """``receive`` with a body within limits: read whole here, or counted as it streams where a route says so."""
        encoding = headers.get(b"content-encoding", b"identity").lower()
        streamed, limit = self._limit(scope["path"])
        _check_declared(headers, limit)
        if streamed:
            if encoding != b"identity":
                raise Poison("ENCODING_NOT_SUPPORTED", "send this body as it is")
            return _counted(receive, limit)
        if b"content-length" not in headers and b"transfer-encoding" not in headers:
            return receive
        body = _plain(await _read(receive, limit), encoding, limit)
        _check_depth(body)
        return _replayed(body, receive)

    def _limit(self, path: str) -> tuple[bool, int | None]:
        for prefix, limit in self.body_limits.items():
            if path.startswith(prefix):
                return True, limit
        return False, MAX_BODY_BYTES


class _Reply:
    """``send`` that remembers the status and adds what is missing of the security headers."""

    def __init__(self, send: Send, csp: str, correlation_id: str) -> None:
        self._send = send
        self._added = (*_SECURITY, (b"content-security-policy", csp.encode()))
        self._correlation_id = correlation_id
        self.status = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            given = list(message.get("headers", ()))
            names = {name.lower() for name, _ in given}
            given += [pair for pair in self._added if pair[0] not in names]
            given.append((b"x-correlation-id", self._correlation_id.encode()))
            message["headers"] = given
        await self._send(message)

    async def problem(self, problem: Problem, keep_alive: bool = True) -> None:
        body = problem.body(self._correlation_id)
        headers = [(b"content-type", MEDIA_TYPE.encode()), (b"content-length", str(len(body)).encode())]
        headers += [(name.encode(), value.encode()) for name, value in problem.headers]
        headers += [] if keep_alive else [(b"connection", b"close")]
        await self({"type": "http.response.start", "status": problem.status, "headers": headers})
        await self({"type": "http.response.body", "body": body})


def _correlation_id(headers: Mapping[bytes, bytes]) -> str:
    """The client's own id if it gave a plain one, else the trace's."""
    given = headers.get(b"x-correlation-id", b"")
    return given.decode() if _CORRELATION.match(given) else telemetry.current_trace_id()


def _route(scope: MutableMapping[str, Any]) -> str:
    """The template of the route that answered: never the path itself, which would make a label a contact."""
    return str(getattr(scope.get("route"), "path", ""))


def _declared(headers: Mapping[bytes, bytes]) -> int | None:
    text = headers.get(b"content-length", b"")
    return int(text) if text.isdigit() else None


def _check_declared(headers: Mapping[bytes, bytes], limit: int | None) -> None:
    declared = _declared(headers)
    if limit is not None and declared is not None and declared > limit:
        raise TooLarge("", f"a body is at most {limit} bytes")


async def _dropped(receive: Receive, headers: Mapping[bytes, bytes]) -> bool:
    """Read the rest of a refused body; whether all of it came within bounds."""
    if (_declared(headers) or 0) > DROPPED_BYTES:
        return False
    counted = _counted(receive, DROPPED_BYTES)
    try:
        async with asyncio.timeout(DROPPED_WITHIN_S):
            while (await counted()).get("more_body", False):
                pass
    except (TimeoutError, TooLarge):
        return False
    return True


async def _read(receive: Receive, limit: int | None) -> bytes:
    chunks: list[bytes] = []
    size = 0
    counted = _counted(receive, limit)
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            while True:
                message = await counted()
                if message["type"] == "http.disconnect":
                    raise Poison("DISCONNECTED")
                chunks.append(message.get("body", b""))
                size += len(chunks[-1])
                if not message.get("more_body", False):
                    return chunks[0] if len(chunks) == 1 else b"".join(chunks)
    except TimeoutError:
        raise Poison("BODY_TOO_SLOW", f"a body must arrive within {BODY_TIMEOUT_S:g} s") from None


def _counted(receive: Receive, limit: int | None) -> Receive:
    size = 0

    async def receive_counted() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if limit is not None and size > limit:
            raise TooLarge("", f"a body is at most {limit} bytes")
        return message

    return receive_counted


def _replayed(body: bytes, receive: Receive) -> Receive:
    first: Message | None = {"type": "http.request", "body": body, "more_body": False}

    async def receive_replayed() -> Message:
        nonlocal first
        message, first = first, None
        return await receive() if message is None else message

    return receive_replayed


def _plain(body: bytes, encoding: bytes, limit: int | None) -> bytes:
    """``body`` decoded, never growing past ``limit``: a bomb is refused before it goes off."""
    if encoding in (b"identity", b""):
        return body
    if encoding != b"gzip":
        raise Poison("ENCODING_NOT_SUPPORTED", "gzip or none")
    inflater = zlib.decompressobj(wbits=31)
    try:
        plain = inflater.decompress(body, (limit or MAX_BODY_BYTES) + 1)
    except zlib.error:
        raise Poison("BAD_GZIP") from None
    if limit is not None and len(plain) > limit:
        raise TooLarge("", f"a body is at most {limit} bytes")
    if not inflater.eof:
        raise Poison("BAD_GZIP")
    return plain


def _check_depth(body: bytes) -> None:
    """Refuse nesting that a recursive parser would choke on; only bodies with many brackets are parsed twice for it."""
    if body.count(b"[") + body.count(b"{") <= MAX_BRACKETS:
        return
    try:
        orjson.loads(body)
    except orjson.JSONDecodeError as error:
        if "depth" in str(error) or "ecursion" in str(error):
            raise Poison("JSON_TOO_DEEP") from None
