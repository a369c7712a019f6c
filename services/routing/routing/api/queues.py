"""Queues and pools: their settings and how they stand."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from switchlog.auth.principal import Principal
from switchlog.clock import Clock
from switchlog.web import PageSize, answer, cause_of, require

from ..adapters.queue_settings import queue_from
from ..app import shown
from ..app.boards import Boards
from ..app.handlers import Desk, pool_stream
from .schemas import Id, PolicyIn, QueueIn, QueueOut, QueuesOut

Admin = Annotated[Principal, Depends(require("admin"))]
Reader = Annotated[Principal, Depends(require("agent", "supervisor", "admin", "analyst", "service"))]
Floor = Annotated[Principal, Depends(require("supervisor", "admin", "analyst", "service"))]
After = Annotated[str, Query(max_length=64)]


def routes(desk: Desk, boards: Boards, clock: Clock) -> APIRouter:
    router = APIRouter(prefix="/v1", tags=["queues"])

    @router.put("/queues/{id}")
    async def put(id: Id, body: QueueIn, request: Request, caller: Admin) -> Response:
        """Create or replace a queue; a queue stays in the pool that it was made in."""
        cause = cause_of(request, caller, body)
        queue = queue_from(id, body.settings())
        return answer(await desk.define_queue(caller.tenant, body.pool, queue, cause))

    @router.get("/queues")
    async def many(caller: Reader, after: After = "", limit: PageSize = 100) -> QueuesOut:
        rows = await desk.queues.all(caller.tenant, after, limit)
        last = rows[-1].queue if len(rows) == limit else ""
        return QueuesOut(queues=[QueueOut.of(row) for row in rows], next=last)

    @router.get("/queues/{id}")
    async def one(id: Id, caller: Reader) -> QueueOut:
        return QueueOut.of(await desk.queue(caller.tenant, id))

    @router.get("/pools/{id}/state")
    async def state(id: Id, caller: Floor) -> dict[str, Any]:
        """Who waits, who is offered what, who could be: folded from the log just now."""
        return shown.pool(await boards.now(pool_stream(caller.tenant, id)), clock.now())

    @router.put("/pools/{id}/policy")
    async def policy(id: Id, body: PolicyIn, request: Request, caller: Admin) -> Response:
        """How agents are chosen from now on."""
        cause = cause_of(request, caller, body)
        return answer(await desk.choose_policy(caller.tenant, id, body.policy, cause))

    return router
