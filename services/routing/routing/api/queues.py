"""Queues and pools: their settings and how they stand."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from switchlog.auth.principal import Principal
from switchlog.clock import Clock
from switchlog.errors import NotFound
from switchlog.web import PageSize, answer, cause_of, require

from ..adapters.defined import queue_of
from ..adapters.definitions import queue_definition
from ..app import shown
from ..app.boards import Boards
from ..app.catalogue import Catalogue
from ..app.handlers import Desk, pool_stream
from ..domain.commands import ChoosePolicy
from ..domain.state import Board
from .schemas import ChooseIn, Id, PolicyIn, PoolOut, PoolsOut, QueueIn, QueueOut, QueuesOut

Admin = Annotated[Principal, Depends(require("admin"))]
Reader = Annotated[Principal, Depends(require("agent", "supervisor", "admin", "analyst", "service"))]
Floor = Annotated[Principal, Depends(require("supervisor", "admin", "analyst", "service"))]
Chooser = Annotated[Principal, Depends(require("admin", "supervisor"))]
After = Annotated[str, Query(max_length=64)]


def queues(desk: Desk) -> APIRouter:
    router = APIRouter(prefix="/v1/queues", tags=["queues"])

    @router.put("/{id}")
    async def put(id: Id, body: QueueIn, request: Request, caller: Admin) -> Response:
        """Create or replace a queue; a queue stays in the pool that it was made in."""
        cause = cause_of(request, caller, body)
        queue = queue_of(queue_definition(id, body))
        return answer(await desk.define_queue(caller.tenant, body.pool, queue, cause))

    @router.get("")
    async def many(caller: Reader, after: After = "", limit: PageSize = 100) -> QueuesOut:
        rows = await desk.queues.all(caller.tenant, after, limit)
        last = rows[-1].queue if len(rows) == limit else ""
        return QueuesOut(queues=[QueueOut.of(row) for row in rows], next=last)

    @router.get("/{id}")
    async def one(id: Id, caller: Reader) -> QueueOut:
        return QueueOut.of(await desk.queue(caller.tenant, id))

    @router.post("/{id}:choose-policy")
    async def choose(id: Id, body: ChooseIn, request: Request, caller: Chooser) -> Response:
        """How agents are chosen for one queue from now on, whatever its definition says."""
        cause = cause_of(request, caller, body)
        pool = (await desk.queue(caller.tenant, id)).pool
        return answer(await desk.choose_policy(caller.tenant, pool, _order(body, caller, cause.command_id, id), cause))

    return router


def pools(desk: Desk, boards: Boards, catalogue: Catalogue, clock: Clock) -> APIRouter:
    router = APIRouter(prefix="/v1/pools", tags=["pools"])

    @router.get("")
    async def many(caller: Floor) -> PoolsOut:
        """The tenant's pools and how each chooses agents."""
        return PoolsOut(pools=[_pool(board, version) for board, version in await catalogue.of(caller.tenant)])

    @router.get("/{id}")
    async def one(id: Id, caller: Floor) -> PoolOut:
        found = [_pool(*found) for found in await catalogue.of(caller.tenant) if found[0].pool == id]
        if not found:
            raise NotFound(detail=id)
        return found[0]

    @router.get("/{id}/state")
    async def state(id: Id, caller: Floor) -> dict[str, Any]:
        """Who waits, who is offered what, who could be: folded from the log just now."""
        return shown.pool(await boards.now(pool_stream(caller.tenant, id)), clock.now())

    @router.put("/{id}/policy")
    async def policy(id: Id, body: PolicyIn, request: Request, caller: Admin) -> Response:
        """How agents are chosen from now on."""
        cause = cause_of(request, caller, body)
        order = ChoosePolicy(body.policy, cause.command_id, parameters=tuple(sorted(body.parameters.items())))
        return answer(await desk.choose_policy(caller.tenant, id, order, cause))

    @router.post("/{id}:choose-policy")
    async def choose(id: Id, body: ChooseIn, request: Request, caller: Admin) -> Response:
        """As ``PUT /v1/pools/{id}/policy``, with a reason."""
        cause = cause_of(request, caller, body)
        return answer(await desk.choose_policy(caller.tenant, id, _order(body, caller, cause.command_id), cause))

    return router


def _order(body: ChooseIn, caller: Principal, command_id: str, queue: str = "") -> ChoosePolicy:
    """Supervisors choose for their own queues."""
    return ChoosePolicy(
        body.policy,
        command_id,
        queue=queue,
        parameters=tuple(sorted(body.parameters.items())),
        reason=body.reason,
        teams=None if caller.has("admin") else tuple(sorted(caller.teams)),
    )


def _pool(board: Board, version: int) -> PoolOut:
    return PoolOut(pool=board.pool, version=version, policy=board.policy_name, parameters=dict(board.parameters))
