"""Which web pages may talk to us: those that an entry point names, and our own (the console)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..app.ports import EntryPoint

Known = Callable[[str], Awaitable[bool]]

_PREFLIGHT = (
    (b"access-control-allow-methods", b"GET, POST"),
    (b"access-control-allow-headers", b"authorization, content-type, idempotency-key, traceparent"),
    (b"access-control-max-age", b"600"),
)


@dataclass(frozen=True)
class Origins:
    """``own`` are the pages of this installation. No Origin: not a browser, which is not held back by it anyway."""

    own: Sequence[str] = ()

    def ours(self, origin: str | None) -> bool:
        return origin is None or origin in self.own

    def may_use(self, door: EntryPoint, origin: str | None) -> bool:
        """Whether a page of ``origin`` may hold conversations that came in by ``door``."""
        return self.ours(origin) or origin in door.allowed_origins


@dataclass
class Cors:
    """ASGI middleware: browsers may show our answers to pages that some entry point names.

    What a page may do is decided by its entry point and its token; this only lets it hear the answer.
    """

    app: ASGIApp
    origins: Origins
    known: Known

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        origin = Headers(scope=scope).get("origin") if scope["type"] == "http" else None
        if origin is None or not (self.origins.ours(origin) or await self.known(origin)):
            await self.app(scope, receive, send)
        elif scope["method"] == "OPTIONS" and "access-control-request-method" in Headers(scope=scope):
            await _preflight(origin, send)
        else:
            await self.app(scope, receive, _heard_by(origin, send))


async def _preflight(origin: str, send: Send) -> None:
    headers = [*_PREFLIGHT, (b"access-control-allow-origin", origin.encode("latin-1")), (b"vary", b"Origin")]
    await send({"type": "http.response.start", "status": 204, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


def _heard_by(origin: str, send: Send) -> Send:
    async def allowing(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers["access-control-allow-origin"] = origin
            headers["access-control-expose-headers"] = "etag, retry-after, x-correlation-id"
            headers.add_vary_header("Origin")
        await send(message)

    return allowing
