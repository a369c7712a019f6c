"""Recordings over HTTP: reading one is an audited command."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response
from pydantic import Field

from switchlog.auth.principal import Principal
from switchlog.envelope import StreamId
from switchlog.web import Body, answer, cause_of, require

from ..app.handlers import Recordings
from ..projections.recordings import RecordingsView

Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$")]
Reason = Annotated[str, Field(max_length=64, pattern=r"^[A-Za-z0-9._-]*$")]
Reader = Annotated[Principal, Depends(require("agent", "supervisor", "admin"))]
Admin = Annotated[Principal, Depends(require("admin"))]


class ReasonIn(Body):
    """``reason`` is a short id of configuration; admins must give one."""

    reason: Reason = ""


class HoldIn(Body):
    hold_id: Id
    reason: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9._-]+$")]


class LiftIn(Body):
    hold_id: Id


def routes(recordings: Recordings, view: RecordingsView) -> APIRouter:
    router = APIRouter(prefix="/v1/recordings", tags=["recordings"])

    @router.get("")
    async def of_contact(caller: Reader, contact: Annotated[Id, Query()]) -> dict[str, Any]:
        """The ids of a contact's recordings: one a leg."""
        return {"recordings": await view.of_contact(caller.tenant, contact)}

    @router.get("/{id}")
    async def show(id: Id, caller: Reader) -> dict[str, Any]:
        """What stands about it, without content."""
        return await recordings.show(_stream(caller, id), caller)

    @router.post("/{id}:play")
    async def play(id: Id, body: ReasonIn, request: Request, caller: Reader) -> dict[str, Any]:
        """The transcript in clear; who read it is a fact before it is shown."""
        cause = cause_of(request, caller, body)
        return {"messages": await recordings.play(_stream(caller, id), caller, body.reason, cause)}

    @router.post("/{id}:place-hold")
    async def place(id: Id, body: HoldIn, request: Request, caller: Admin) -> Response:
        """It must not be deleted."""
        cause = cause_of(request, caller, body)
        stream = _stream(caller, id)
        return answer(await recordings.place_hold(stream, body.hold_id, caller.subject, body.reason, cause))

    @router.post("/{id}:lift-hold")
    async def lift(id: Id, body: LiftIn, request: Request, caller: Admin) -> Response:
        cause = cause_of(request, caller, body)
        return answer(await recordings.lift_hold(_stream(caller, id), body.hold_id, caller.subject, cause))

    @router.post("/{id}:delete")
    async def delete(id: Id, request: Request, caller: Admin) -> Response:
        """Refused while a hold stands."""
        return answer(await recordings.delete(_stream(caller, id), caller.subject, cause_of(request, caller)))

    return router


def _stream(caller: Principal, id: str) -> StreamId:
    return StreamId(caller.tenant, f"recording-{id}")
