"""What route functions ask for: who calls, which command this is, and how to answer it."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from hashlib import sha256
from typing import Annotated, Protocol

import orjson
from fastapi import Depends, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict

from switchlog.auth.principal import Principal, acting_for, require_role
from switchlog.envelope import Cause, StreamId
from switchlog.errors import Rejected, Unauthenticated
from switchlog.ids import command_id, new_id
from switchlog.telemetry import current_traceparent

MAX_PAGE = 100
READS = frozenset({"GET", "HEAD", "OPTIONS"})
TENANT_HEADERS = ("x-tenant-id", "x-tenant", "tenant-id", "ce-tenantid")

_KEY = re.compile(r"[\x21-\x7e]{1,128}\Z")
_ETAG = re.compile(r'"(\d{1,18})"\Z')

PageSize = Annotated[int, Query(ge=1, le=MAX_PAGE)]
Offset = Annotated[int, Query(ge=0, le=1_000_000)]


class Body(BaseModel):
    """Base of request bodies: a field we do not know is refused (422), nothing is changed once read."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Answered(Protocol):
    """What a writer answers: the stream and its version after the command."""

    @property
    def stream(self) -> StreamId: ...
    @property
    def version(self) -> int: ...


async def principal(request: Request) -> Principal:
    """The verified caller (a dependency). Commands count against the rate of the tenant they are for.

    Raises ``Unauthenticated``, ``Forbidden`` for a tenant in path or header that is not the token's, ``RateLimited``.
    """
    caller: Principal = await request.app.state.verifier.verify(bearer(request.headers.get("authorization")))
    for named in _tenants_named(request):
        caller = acting_for(caller, named)
    if request.method not in READS:
        request.app.state.rate_limits.take(caller.tenant)
    return caller


Principaled = Annotated[Principal, Depends(principal)]


def require(*roles: str) -> Callable[[Principal], Awaitable[Principal]]:
    """A dependency: the caller, who must hold one of ``roles``."""

    async def required(caller: Principaled) -> Principal:
        return require_role(caller, *roles)

    return required


def bearer(header: str | None) -> str:
    """The token in an ``Authorization`` header; raises ``Unauthenticated``."""
    scheme, _, token = (header or "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Unauthenticated("NO_TOKEN")
    return token.strip()


def cause_of(request: Request, caller: Principal, body: BaseModel | bytes | None = None) -> Cause:
    """The cause of the command in ``request``: its id from Idempotency-Key (absent: a fresh one), method and route.

    The digest covers the body, the path and the query, so the same key for another thing is refused, not repeated.
    """
    key = request.headers.get("idempotency-key")
    if key is not None and not _KEY.match(key):
        raise Rejected("BAD_IDEMPOTENCY_KEY", "1 to 128 visible ASCII characters", invalid=True)
    return Cause(
        command_id=command_id(caller.tenant, caller.subject, route_of(request), key if key is not None else new_id()),
        digest=_digest(request, body),
        actor=caller.subject,
        traceparent=current_traceparent(),
    )


def route_of(request: Request) -> str:
    """Method and route template, such as ``POST /v1/contacts/{id}:end``."""
    return f"{request.method} {getattr(request.scope.get('route'), 'path', request.url.path)}"


def if_match(request: Request) -> int | None:
    """The version that the caller saw (``If-Match: "12"``); ``None`` when it does not say, or says ``*``."""
    text = request.headers.get("if-match")
    if text is None or text.strip() == "*":
        return None
    found = _ETAG.match(text.strip())
    if found is None:
        raise Rejected("BAD_IF_MATCH", 'If-Match takes one version in quotes, such as "12"', invalid=True)
    return int(found[1])


def answer(answered: Answered, status: int = 200) -> Response:
    """``{"stream", "version"}`` with the version as ETag."""
    content = orjson.dumps({"stream": answered.stream.name, "version": answered.version})
    return Response(content, status, {"etag": f'"{answered.version}"'}, "application/json")


def _tenants_named(request: Request) -> list[str]:
    path = request.path_params
    inside = [str(path[name]) for name in ("tenant", "tenant_id") if name in path]
    return inside + [request.headers[name] for name in TENANT_HEADERS if name in request.headers]


def _digest(request: Request, body: BaseModel | bytes | None) -> str:
    content = body.model_dump_json().encode() if isinstance(body, BaseModel) else body or b""
    return sha256(b"\n".join((request.url.path.encode(), request.url.query.encode(), content))).hexdigest()
