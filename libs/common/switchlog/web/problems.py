"""Refusals on the wire: every error as problem+json (RFC 9457) with our ``reason`` and ``correlation_id``."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import orjson
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from switchlog import telemetry
from switchlog.errors import (
    Forbidden,
    NotFound,
    NotNow,
    Poison,
    Rejected,
    SwitchlogError,
    TooLarge,
    Unauthenticated,
    VersionConflict,
)
from switchlog.limits import RateLimited

MEDIA_TYPE = "application/problem+json"
_REASONS = {400: "BAD_REQUEST", 404: "NOT_FOUND", 405: "METHOD_NOT_ALLOWED", 406: "NOT_ACCEPTABLE"}


@dataclass(frozen=True, slots=True)
class Problem:
    """What is answered: ``detail`` never holds personal text, and nothing at all for 404 and 500."""

    status: int
    reason: str
    detail: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    errors: Sequence[Mapping[str, Any]] = ()

    def body(self, correlation_id: str) -> bytes:
        """The document, the same bytes for the same problem and correlation id."""
        document: dict[str, Any] = {
            "type": f"urn:switchlog:problem:{self.reason.lower()}",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            "reason": self.reason,
            "correlation_id": correlation_id,
        }
        return orjson.dumps(document | ({"errors": self.errors} if self.errors else {}))

    def response(self, correlation_id: str) -> Response:
        return Response(self.body(correlation_id), self.status, dict(self.headers), MEDIA_TYPE)


def problem_of(error: Exception, *, conditional: bool = False) -> Problem:
    """The answer to ``error`` by the table in architecture.md; ``conditional``: the request had If-Match."""
    match error:
        case Rejected():
            return Problem(422 if error.invalid else 409, error.reason, error.detail)
        case NotFound():
            return Problem(404, "ERASED" if error.reason == "ERASED" else "NOT_FOUND")
        case VersionConflict():
            return Problem(412 if conditional else 409, error.reason, error.detail)
        case Unauthenticated():
            return Problem(401, error.reason, headers=(("www-authenticate", "Bearer"),))
        case Forbidden():
            return Problem(403, error.reason, error.detail)
        case TooLarge():
            return Problem(413, error.reason, error.detail)
        case NotNow():
            wait = str(max(1, math.ceil(error.retry_after_s)))
            return Problem(
                429 if isinstance(error, RateLimited) else 503, error.reason, error.detail, (("retry-after", wait),)
            )
        case Poison():
            return Problem(400, error.reason, error.detail)
        case RequestValidationError():
            return _invalid(error.errors())
        case HTTPException():
            return _of_framework(error)
        case _:
            return Problem(500, "INTERNAL")


def _invalid(found: Sequence[Mapping[str, Any]]) -> Problem:
    """422 saying where and why, never what was sent; 400 when the body was no JSON at all."""
    if any(error["type"] == "json_invalid" for error in found):
        return Problem(400, "BAD_JSON")
    errors = [{"at": ".".join(map(str, error["loc"]))[:200], "why": error["msg"][:200]} for error in found[:20]]
    return Problem(422, "INVALID_INPUT", "; ".join(f"{e['at']}: {e['why']}" for e in errors)[:1000], errors=errors)


def _of_framework(error: HTTPException) -> Problem:
    known = error.status_code in (400, 404, 405)
    detail = "" if known else str(error.detail)[:200]
    reason = _REASONS.get(error.status_code) or HTTPStatus(error.status_code).name
    return Problem(error.status_code, reason, detail, tuple((error.headers or {}).items()))


def correlation_id_of(request: Request) -> str:
    """The id under which this request can be found in traces and logs."""
    return str(request.scope.get("state", {}).get("correlation_id") or telemetry.current_trace_id())


def install(app: FastAPI) -> None:
    """Answer everything we raise on purpose; bugs are answered by the door, which also logs them."""

    async def refuse(request: Request, error: Exception) -> Response:
        problem = problem_of(error, conditional="if-match" in request.headers)
        return problem.response(correlation_id_of(request))

    for kind in (SwitchlogError, RequestValidationError, HTTPException):
        app.add_exception_handler(kind, refuse)
