"""Conversations for the agent who has them: messages, files, transfer, end."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from switchlog.auth.principal import Principal
from switchlog.envelope import StreamId
from switchlog.web import Offset, PageSize, Principaled, answer, cause_of, require

from ..app.handlers import Chats
from ..app.history import History, check_own
from .schemas import Id, MessageIn, TransferIn

Agent = Annotated[Principal, Depends(require("agent"))]


def contact_stream(caller: Principal, id: str) -> StreamId:
    """The contact ``id`` of the caller's tenant; to a visitor every other one is as if it were not there."""
    contact = StreamId(caller.tenant, f"contact-{id}")
    check_own(caller, contact)
    return contact


def routes(chats: Chats, history: History) -> APIRouter:
    router = APIRouter(prefix="/v1/contacts", tags=["contacts"])

    @router.get("/{id}")
    async def show(id: Id, caller: Principaled) -> dict[str, Any]:
        """Phase, queue, agent and customer reference; no text."""
        return await history.contact(contact_stream(caller, id), caller)

    @router.get("/{id}/messages")
    async def messages(id: Id, caller: Principaled, after: Offset = 0, limit: PageSize = 100) -> dict[str, Any]:
        """Frames after ``after`` (a ``seq``) as the sockets send them: for visitor, own agent, supervisors."""
        return {"frames": await history.frames(contact_stream(caller, id), caller, after, limit)}

    @router.post("/{id}/messages")
    async def send(id: Id, body: MessageIn, request: Request, caller: Agent) -> Response:
        """Write to the customer."""
        cause = cause_of(request, caller, body)
        return answer(await chats.send(contact_stream(caller, id), body.draft(), caller.subject, cause))

    @router.post("/{id}:end")
    async def end(id: Id, request: Request, caller: Agent) -> Response:
        """End the conversation; the leg's talk time stops."""
        return answer(await chats.end_by_agent(contact_stream(caller, id), caller.subject, cause_of(request, caller)))

    @router.post("/{id}:transfer")
    async def transfer(id: Id, body: TransferIn, request: Request, caller: Agent) -> Response:
        """Hand the customer to another queue, ``agent`` to be tried first; a new leg begins."""
        cause = cause_of(request, caller, body)
        return answer(await chats.transfer(contact_stream(caller, id), caller.subject, body.queue, cause, body.agent))

    return router
