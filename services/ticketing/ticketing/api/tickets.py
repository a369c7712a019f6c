"""Tickets over HTTP."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response
from pydantic import Field

from switchlog.auth.principal import Principal
from switchlog.envelope import StreamId
from switchlog.web import Body, PageSize, answer, cause_of, if_match, require

from ..app.handlers import Draft, Tickets
from ..app.reading import Reading
from ..domain.events import Kind, Status, Visibility

Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$")]
Reason = Annotated[str, Field(max_length=64, pattern=r"^[A-Za-z0-9._-]*$")]
Worker = Annotated[Principal, Depends(require("agent", "supervisor"))]
Reader = Annotated[Principal, Depends(require("agent", "supervisor", "admin"))]


class TicketIn(Body):
    """A new ticket: ``contact`` or ``customer_ref`` says whose it is."""

    subject: Annotated[str, Field(min_length=1, max_length=1000)]
    body: Annotated[str, Field(max_length=65_536)] = ""
    contact: Annotated[str, Field(pattern=r"^([A-Za-z0-9][A-Za-z0-9._@-]{0,63})?$")] = ""
    customer_ref: Annotated[str, Field(pattern=r"^([A-Za-z0-9][A-Za-z0-9._@-]{0,63})?$")] = ""
    kind: Kind = Kind.QUESTION
    priority: Annotated[int, Field(ge=-1000, le=1000)] = 0
    department: Annotated[str, Field(max_length=64)] = ""


class CommentIn(Body):
    """``comment_id`` is the author's own, so that a resend is harmless."""

    comment_id: Id
    text: Annotated[str, Field(min_length=1, max_length=65_536)]
    visibility: Visibility = Visibility.INTERNAL


class AssignIn(Body):
    agent: Id
    team: Annotated[str, Field(max_length=64)] = ""


class StatusIn(Body):
    status: Status
    reason: Reason = ""


def routes(tickets: Tickets, reading: Reading) -> APIRouter:
    router = APIRouter(prefix="/v1/tickets", tags=["tickets"])

    @router.post("")
    async def open_ticket(body: TicketIn, request: Request, caller: Worker) -> Response:
        """Open a ticket, from a contact or for a customer (TK-1)."""
        draft = Draft(**body.model_dump())
        return answer(await tickets.open(draft, caller, cause_of(request, caller, body)))

    @router.get("")
    async def page(
        caller: Reader, after: Annotated[str, Query(max_length=64)] = "", limit: PageSize = 100
    ) -> dict[str, Any]:
        """Tickets without text, in order of their ids; ask on with ``after`` = ``next`` until it is null."""
        return (await reading.page(caller, after, limit)).shown()

    @router.get("/{id}")
    async def show(id: Id, caller: Worker) -> dict[str, Any]:
        """The ticket with its comments; texts are null once the customer is erased."""
        return await reading.ticket(_stream(caller, id), caller)

    @router.post("/{id}/comments")
    async def comment(id: Id, body: CommentIn, request: Request, caller: Worker) -> Response:
        cause = cause_of(request, caller, body)
        ticket = _stream(caller, id)
        done = await tickets.comment(ticket, body.comment_id, body.visibility, body.text, caller, cause)
        return answer(done)

    @router.post("/{id}:assign")
    async def assign(id: Id, body: AssignIn, request: Request, caller: Worker) -> Response:
        cause, seen = cause_of(request, caller, body), if_match(request)
        return answer(await tickets.assign(_stream(caller, id), body.agent, body.team, caller, cause, seen))

    @router.post("/{id}:status")
    async def status(id: Id, body: StatusIn, request: Request, caller: Worker) -> Response:
        """Move it; with If-Match, 412 when it is no longer at that version (TK-6)."""
        cause, seen = cause_of(request, caller, body), if_match(request)
        ticket = _stream(caller, id)
        return answer(await tickets.change_status(ticket, body.status, body.reason, caller, cause, seen))

    return router


def _stream(caller: Principal, id: str) -> StreamId:
    return StreamId(caller.tenant, f"ticket-{id}")
