"""An agent's own commands: log in, check in, ready, and back again (AG-1 to AG-5)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from pydantic import BaseModel

from switchlog.auth.principal import Principal
from switchlog.auth.tickets import TicketOffice
from switchlog.clock import Clock
from switchlog.web import answer, cause_of, if_match, require

from ..app.handlers import Agents
from ..app.shown import Json, shown_agent, shown_ledger
from ..domain.commands import (
    AgentCommand,
    BeNotReady,
    BeReady,
    CheckIn,
    CheckOut,
    EndWrapUp,
    RequestBreak,
    SignIn,
    SignOut,
)
from .schemas import CheckInIn, EndWrapUpIn, NotReadyIn

DAY_MS = 86_400_000

Me = Annotated[Principal, Depends(require("agent", "supervisor"))]


def routes(agents: Agents, office: TicketOffice, clock: Clock) -> APIRouter:
    router = APIRouter(prefix="/v1", tags=["me"])

    async def command(request: Request, me: Principal, body: BaseModel | None, order: AgentCommand) -> Response:
        cause = cause_of(request, me, body)
        return answer(await agents.command(me.tenant, me.subject, order, cause, if_match(request)))

    @router.post("/tickets")
    async def ticket(me: Me) -> dict[str, str]:
        """A one-time ticket that opens the socket."""
        return {"ticket": office.issue(me)}

    @router.get("/agents/me")
    async def show(me: Me) -> Json:
        """State, contacts, skills, capacity."""
        return shown_agent(*await agents.known(me.tenant, me.subject))

    @router.get("/agents/me/ledger")
    async def ledger(me: Me) -> Json:
        """What one did in the last 24 hours, without gap or overlap."""
        now = clock.now()
        spans = await agents.ledger(me.tenant, me.subject, now - DAY_MS, now)
        return {"spans": shown_ledger(spans)}

    @router.post("/agents/me:sign-in")
    async def sign_in(request: Request, me: Me) -> Response:
        """Log in 登录: no offers yet, not staffed yet."""
        return await command(request, me, None, SignIn())

    @router.post("/agents/me:check-in")
    async def check_in(request: Request, me: Me, body: CheckInIn | None = None) -> Response:
        """Check in 签入, by web, phone or mobile."""
        return await command(request, me, body, CheckIn((body or CheckInIn()).mode))

    @router.post("/agents/me:ready")
    async def ready(request: Request, me: Me) -> Response:
        """Ready 空闲 for offers."""
        return await command(request, me, None, BeReady())

    @router.post("/agents/me:not-ready")
    async def not_ready(request: Request, me: Me, body: NotReadyIn) -> Response:
        """No further offers; contacts in hand go on."""
        return await command(request, me, body, BeNotReady(body.reason, body.planned))

    @router.post("/agents/me:request-break")
    async def request_break(request: Request, me: Me, body: NotReadyIn) -> Response:
        """Ask for a break 小休; a supervisor approves it."""
        cause = cause_of(request, me, body)
        order = RequestBreak(cause.command_id, body.reason, body.planned)
        return answer(await agents.command(me.tenant, me.subject, order, cause, if_match(request)))

    @router.post("/agents/me:end-wrap-up")
    async def end_wrap_up(request: Request, me: Me, body: EndWrapUpIn | None = None) -> Response:
        """End the work after a contact 事后处理 before its time."""
        wanted = body or EndWrapUpIn()
        return await command(request, me, body, EndWrapUp(wanted.contact or "", wanted.leg or 0))

    @router.post("/agents/me:check-out")
    async def check_out(request: Request, me: Me) -> Response:
        """Check out 签出; refused while contacts or wrap-ups are open."""
        return await command(request, me, None, CheckOut())

    @router.post("/agents/me:sign-out")
    async def sign_out(request: Request, me: Me) -> Response:
        """Log out, checking out first; refused while contacts or wrap-ups are open."""
        return await command(request, me, None, SignOut())

    return router
