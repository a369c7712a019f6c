"""Agents as admins define them and supervisors see and steer them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Header, Path, Query, Request
from fastapi.responses import Response

from switchlog.auth.principal import Principal
from switchlog.web import PageSize, answer, cause_of, if_match, require

from ..app.handlers import Agents
from ..app.shown import Json, shown_agent
from ..app.sight import check_team, sees
from ..domain.commands import ApproveBreak, ChangePool
from ..projections.roster import Roster
from .schemas import ID, AgentIn, ForceStateIn, PoolIn

AgentId = Annotated[str, Path(pattern=ID)]
Admin = Annotated[Principal, Depends(require("admin", "service"))]
Supervisor = Annotated[Principal, Depends(require("supervisor", "service"))]
Watcher = Annotated[Principal, Depends(require("supervisor", "admin", "service"))]


def routes(agents: Agents, roster: Roster) -> APIRouter:
    router = APIRouter(prefix="/v1/agents", tags=["agents"])

    @router.get("")
    async def listed(
        caller: Watcher,
        team: Annotated[str | None, Query(pattern=ID)] = None,
        after: Annotated[str, Query(max_length=64)] = "",
        limit: PageSize = 100,
    ) -> Json:
        """The agents of one's teams (admins: all), by id; ``next`` is the ``after`` of the next page."""
        found: list[Json] = []
        async for agent in roster.of(caller.tenant, after):
            if sees(caller, agent["team"]) and team in (None, agent["team"]):
                found.append(agent)
            if len(found) > limit:
                break
        more = len(found) > limit
        return {"agents": found[:limit], "next": found[limit - 1]["agent"] if more else None}

    @router.get("/{agent}")
    async def show(agent: AgentId, caller: Watcher) -> Json:
        """One agent of one's teams."""
        known, version = await agents.known(caller.tenant, agent)
        check_team(caller, known.profile.team)
        return shown_agent(known, version)

    @router.put("/{agent}")
    async def define(
        agent: AgentId,
        body: AgentIn,
        request: Request,
        caller: Admin,
        if_none_match: Annotated[str | None, Header(pattern=r"^\*$")] = None,
    ) -> Response:
        """Make the agent or bring it up to date; with ``If-None-Match: *`` an id that is taken is refused (AG-4)."""
        order = body.command(agent, only_new=if_none_match is not None)
        return answer(await agents.register(caller.tenant, order, cause_of(request, caller, body), if_match(request)))

    @router.post("/{agent}:change-pool")
    async def change_pool(agent: AgentId, body: PoolIn, request: Request, caller: Admin) -> Response:
        """The old pool lets go of the agent first, after its work."""
        cause = cause_of(request, caller, body)
        return answer(await agents.command(caller.tenant, agent, ChangePool(body.pool), cause, if_match(request)))

    @router.post("/{agent}:approve-break")
    async def approve_break(agent: AgentId, request: Request, caller: Supervisor) -> Response:
        """Grant the break that the agent asked for: not ready from now on (AG-5)."""
        known, _ = await agents.known(caller.tenant, agent)
        check_team(caller, known.profile.team)
        cause = cause_of(request, caller)
        return answer(await agents.command(caller.tenant, agent, ApproveBreak(caller.subject), cause))

    @router.post("/{agent}:force-state")
    async def force_state(agent: AgentId, body: ForceStateIn, request: Request, caller: Supervisor) -> Response:
        """Set an agent ready, not ready or signed out; the fact names who did it (RT-8)."""
        known, _ = await agents.known(caller.tenant, agent)
        check_team(caller, known.profile.team)
        order = body.command(caller.subject)
        return answer(await agents.command(caller.tenant, agent, order, cause_of(request, caller, body)))

    return router
