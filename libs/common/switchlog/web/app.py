"""One factory for every service's HTTP app, so that errors, probes, limits and headers are the same everywhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fastapi import APIRouter, FastAPI
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import JSONResponse, Response
from fastapi.telemetry import TelemetryConfig
from starlette.requests import Request

from switchlog.auth.verifier import Verifier
from switchlog.config import KernelSettings
from switchlog.health import Health, Ready, always_ready
from switchlog.limits import RateLimits
from switchlog.telemetry import exposition
from switchlog.web import problems
from switchlog.web.docs import docs_page
from switchlog.web.door import API_CSP, Door
from switchlog.web.sockets import Sockets

# The door traces and counts requests; the framework would do it once more, and tell the texts of exceptions.
NO_TELEMETRY: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}


def create_app(
    title: str,
    *,
    routers: Sequence[APIRouter] = (),
    verifier: Verifier,
    settings: KernelSettings,
    ready: Ready = always_ready,
    version: str = "1",
    cors_origins: Sequence[str] = (),
    body_limits: Mapping[str, int | None] | None = None,
    csp: str = API_CSP,
    rate_limits: RateLimits | None = None,
) -> FastAPI:
    """The app of a service: its ``routers``, ``/healthz /readyz /metrics /openapi.json /docs``, the door before all.

    ``body_limits``: path prefix -> bytes (``None``: no limit) for routes that stream their body; else it is 1 MiB.
    ``cors_origins``: none unless given. ``app.state`` holds ``verifier``, ``health``, ``rate_limits`` and ``sockets``.
    """
    app = FastAPI(title=title, version=version, docs_url=None, redoc_url=None, telemetry=NO_TELEMETRY)
    app.state.verifier = verifier
    app.state.health = Health(ready)
    app.state.settings = settings
    app.state.rate_limits = rate_limits or RateLimits(settings.commands_per_s, settings.commands_burst)
    app.state.sockets = Sockets(settings.allowed_origins)
    problems.install(app)
    for router in (_probes(), *routers):
        app.include_router(router)
    if cors_origins:
        _allow(app, cors_origins)
    app.add_middleware(Door, body_limits=body_limits or {}, csp=csp)
    return app


def _allow(app: FastAPI, origins: Sequence[str]) -> None:
    app.add_middleware(
        CORSMiddleware,
        allow_origins=list(origins),
        allow_methods=["GET", "POST", "PUT", "DELETE"],
        allow_headers=["authorization", "content-type", "idempotency-key", "if-match", "traceparent"],
        expose_headers=["etag", "retry-after", "x-correlation-id"],
        max_age=600,
    )


def _probes() -> APIRouter:
    router = APIRouter(include_in_schema=False)

    @router.get("/healthz")
    async def healthz() -> Response:
        return Response("ok", media_type="text/plain")

    @router.get("/readyz")
    async def readyz(request: Request) -> Response:
        parts = await request.app.state.health.report()
        return JSONResponse(parts, 200 if all(parts.values()) else 503)

    @router.get("/metrics")
    async def metrics() -> Response:
        content, media_type = exposition()
        return Response(content, headers={"content-type": media_type})

    @router.get("/docs")
    async def docs(request: Request) -> Response:
        return docs_page(request.app.title)

    return router
