"""The public door: a site key opens a conversation, a visitor's token a socket."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256

from fastapi import APIRouter, Request

from switchlog.auth.principal import Principal
from switchlog.auth.signing import Signer, issue_visitor_token
from switchlog.auth.tickets import TicketOffice
from switchlog.envelope import StreamId
from switchlog.errors import Forbidden
from switchlog.web import Principaled, cause_of

from ..app.handlers import Chats
from ..app.ports import EntryPoint
from .origins import Origins
from .schemas import TicketOut, VisitorIn, VisitorOut


def routes(
    chats: Chats, signer: Signer, office: TicketOffice, origins: Origins, started: Callable[[StreamId], None]
) -> APIRouter:
    """``started`` hears of each new contact: its visitor is to open a socket."""
    router = APIRouter(tags=["visitors"])

    @router.post("/v1/visitors", status_code=201)
    async def start(body: VisitorIn, request: Request) -> VisitorOut:
        """Begin a conversation. Without Idempotency-Key every call begins a new one."""
        door = await chats.entry_points.by_site_key(body.site_key)
        if not origins.may_use(door, request.headers.get("origin")):
            raise Forbidden("ORIGIN_NOT_ALLOWED")
        request.app.state.rate_limits.take(door.tenant)
        cause = cause_of(request, _visitor_at(door, request), body)
        answer = await chats.start(door, body.locale, tuple(body.attributes.items()), cause, body.browser)
        started(answer.stream)
        contact_id = answer.stream.name.removeprefix("contact-")
        return VisitorOut(contact_id=contact_id, token=issue_visitor_token(signer, door.tenant, contact_id))

    @router.post("/v1/tickets", status_code=201)
    async def ticket(caller: Principaled) -> TicketOut:
        """A one-time ticket for ``GET /v1/ws`` (visitors) or ``GET /v1/agents/me/ws`` (agents)."""
        return TicketOut(ticket=office.issue(caller))

    return router


def _visitor_at(door: EntryPoint, request: Request) -> Principal:
    """Nobody yet. Idempotency keys of strangers must not meet: the peer's address, hashed, keeps them apart."""
    peer = request.client.host if request.client else ""
    return Principal(door.tenant, f"site:{door.id}:{sha256(peer.encode()).hexdigest()[:16]}")
