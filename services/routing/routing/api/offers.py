"""Offers, for the agent they are made to."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from switchlog.auth.principal import Principal
from switchlog.web import answer, cause_of, require

from ..app.handlers import Desk
from .schemas import DeclineIn, Id, OfferOut, OffersOut

Server = Annotated[Principal, Depends(require("agent", "supervisor"))]


def routes(desk: Desk) -> APIRouter:
    router = APIRouter(prefix="/v1/offers", tags=["offers"])

    @router.get("")
    async def mine(caller: Server) -> OffersOut:
        """The caller's open offers, oldest first."""
        rows = await desk.offers.of_agent(caller.tenant, caller.subject)
        return OffersOut(offers=[OfferOut.of(row) for row in rows])

    @router.post("/{id}:accept")
    async def accept(id: Id, request: Request, caller: Server) -> Response:
        """Take it: 409 when it is another's, or over."""
        return answer(await desk.accept(caller.tenant, id, caller.subject, cause_of(request, caller)))

    @router.post("/{id}:decline")
    async def decline(id: Id, request: Request, caller: Server, body: DeclineIn | None = None) -> Response:
        """Refuse it: the contact goes on, at the head of its queue."""
        given = body or DeclineIn()
        cause = cause_of(request, caller, given)
        return answer(await desk.decline(caller.tenant, id, caller.subject, given.reason, cause))

    return router
