"""What supervisors do to waiting contacts and to queues: each a fact with the reason."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from pydantic import Field

from switchlog.auth.principal import Principal
from switchlog.web import Body, answer, cause_of, require

from ..adapters.forms import Id, Seconds
from ..app.supervision import Asker, Supervisors, teams_of

Supervisor = Annotated[Principal, Depends(require("supervisor"))]
Caller = Annotated[Principal, Depends(require("supervisor", "service"))]
Keeper = Annotated[Principal, Depends(require("supervisor", "admin"))]


class ReasonIn(Body):
    """``reason`` is a configured id."""

    reason: Annotated[str, Field(max_length=64, pattern=r"^[A-Za-z0-9._-]*$")] = ""


class MoveIn(ReasonIn):
    to_queue: Id


class PullIn(ReasonIn):
    agent: Id


class RaiseIn(ReasonIn):
    """Both from now on; a credit counts as an earlier arrival."""

    priority: Annotated[int, Field(ge=-1000, le=1000)]
    credit_s: Seconds = 0.0


class RemoveIn(ReasonIn):
    """Empty: to no pool."""

    to_pool: Annotated[str, Field(pattern=r"^([A-Za-z0-9][A-Za-z0-9._@-]{0,63})?$")] = ""


def contacts(supervisors: Supervisors) -> APIRouter:
    router = APIRouter(prefix="/v1/contacts", tags=["supervision"])

    @router.post("/{id}:move")
    async def move(id: Id, body: MoveIn, request: Request, caller: Supervisor) -> Response:
        """To another queue, of this or another pool: 409 when it does not wait any more or is not one's own."""
        return answer(await supervisors.move(_asker(request, caller, body), id, body.to_queue))

    @router.post("/{id}:pull")
    async def pull(id: Id, body: PullIn, request: Request, caller: Supervisor) -> Response:
        """To a named agent of one's own teams, whatever the policy; never over the agent's capacity."""
        return answer(await supervisors.pull(_asker(request, caller, body), id, body.agent))

    @router.post("/{id}:raise")
    async def raise_priority(id: Id, body: RaiseIn, request: Request, caller: Supervisor) -> Response:
        """It is served sooner, or later, from now on."""
        asker, credit = _asker(request, caller, body), round(body.credit_s * 1000)
        return answer(await supervisors.raise_priority(asker, id, body.priority, credit))

    @router.post("/{id}:call-back")
    async def call_back(id: Id, request: Request, caller: Caller, body: ReasonIn | None = None) -> Response:
        """The customer need not wait any longer and will be called back."""
        return answer(await supervisors.call_back(_asker(request, caller, body or ReasonIn()), id))

    return router


def queues(supervisors: Supervisors) -> APIRouter:
    router = APIRouter(prefix="/v1/queues", tags=["supervision"])

    @router.post("/{id}:open")
    async def open_queue(id: Id, request: Request, caller: Keeper, body: ReasonIn | None = None) -> Response:
        return answer(await supervisors.set_open(_asker(request, caller, body or ReasonIn()), id, open=True))

    @router.post("/{id}:close")
    async def close_queue(id: Id, request: Request, caller: Keeper, body: ReasonIn | None = None) -> Response:
        """Who waits overflows by the rule it came under, else stays and is served."""
        return answer(await supervisors.set_open(_asker(request, caller, body or ReasonIn()), id, open=False))

    @router.post("/{id}:remove")
    async def remove(id: Id, request: Request, caller: Keeper, body: RemoveIn | None = None) -> Response:
        """Out of its pool: 409 while contacts are in it."""
        given = body or RemoveIn()
        return answer(await supervisors.remove(_asker(request, caller, given), id, given.to_pool))

    return router


def _asker(request: Request, caller: Principal, body: ReasonIn) -> Asker:
    return Asker(caller.tenant, cause_of(request, caller, body), teams_of(caller), body.reason)
