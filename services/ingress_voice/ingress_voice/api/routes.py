"""Access numbers for administrators; hold, resume and end for the agent who has the call."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field

from switchlog.auth.principal import Principal
from switchlog.clock import Clock
from switchlog.envelope import StreamId
from switchlog.web import Body, Principaled, answer, cause_of, require

from ..app.calls import Calls, described
from ..app.ports import EntryPoint, EntryPoints, OpeningHours
from .hours import check_known

Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$")]
MaybeId = Annotated[str, Field(pattern=r"^([A-Za-z0-9][A-Za-z0-9._@-]{0,63})?$")]
Admin = Annotated[Principal, Depends(require("admin"))]
Agent = Annotated[Principal, Depends(require("agent"))]


class EntryPointIn(Body):
    """An access number as an administrator describes it."""

    called: Annotated[str, Field(min_length=1, max_length=32, pattern=r"^[0-9+*#A-Za-z.-]+$")]
    queue: Id
    name: Annotated[str, Field(max_length=128)] = ""
    greeting: Id = "greeting"
    priority: Annotated[int, Field(ge=-1000, le=1000)] = 0
    hours: MaybeId = ""
    when_closed: Literal["end", "message", "queue"] = "end"
    closed_queue: MaybeId = ""
    last_agent_days: Annotated[int, Field(ge=0, le=366)] = 0
    last_agent_wait_s: Annotated[int, Field(ge=0, le=3600)] = 0


class EntryPointOut(BaseModel):
    """An access number as it stands."""

    id: str
    called: str
    queue: str
    name: str
    greeting: str
    priority: int
    hours: str
    when_closed: str
    closed_queue: str
    last_agent_days: int
    last_agent_wait_s: int


def entry_points(doors: EntryPoints, opening: OpeningHours, clock: Clock) -> APIRouter:
    router = APIRouter(prefix="/v1/entry-points", tags=["entry points"])

    @router.put("/{id}")
    async def put(id: Id, body: EntryPointIn, caller: Admin) -> EntryPointOut:
        """Create or replace; repeating it changes nothing."""
        if body.hours:
            await check_known(opening, caller.tenant, body.hours)
        door = msgspec.convert({**body.model_dump(), "tenant": caller.tenant, "id": id}, EntryPoint)
        await doors.put(door, clock.now())
        return EntryPointOut.model_validate(asdict(door))

    @router.get("")
    async def all_doors(caller: Admin) -> list[EntryPointOut]:
        return [EntryPointOut.model_validate(asdict(door)) for door in await doors.all(caller.tenant)]

    return router


def contacts(calls: Calls) -> APIRouter:
    router = APIRouter(prefix="/v1/contacts", tags=["contacts"])

    @router.get("/{id}")
    async def show(id: Id, caller: Principaled) -> dict[str, Any]:
        """Phase, queue and agent."""
        return {"contact_id": id, **described(await calls.state(_stream(caller, id)))}

    @router.post("/{id}:hold")
    async def hold(id: Id, request: Request, caller: Agent) -> Response:
        cause = cause_of(request, caller)
        return answer(await calls.hold(_stream(caller, id), caller.subject, cause, held=True))

    @router.post("/{id}:resume")
    async def resume(id: Id, request: Request, caller: Agent) -> Response:
        cause = cause_of(request, caller)
        return answer(await calls.hold(_stream(caller, id), caller.subject, cause, held=False))

    @router.post("/{id}:end")
    async def end(id: Id, request: Request, caller: Agent) -> Response:
        """Hang up: talk time stops, and the caller's line is freed."""
        return answer(await calls.end_by_agent(_stream(caller, id), caller.subject, cause_of(request, caller)))

    return router


def _stream(caller: Principal, id: str) -> StreamId:
    return StreamId(caller.tenant, f"contact-{id}")
