"""Teams as administrators name them."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Depends, Path

from switchlog.auth.principal import Principal
from switchlog.clock import Clock
from switchlog.web import require

from ..app.shown import Json
from ..projections.teams import Team, Teams
from .schemas import ID, TeamIn

TeamId = Annotated[str, Path(pattern=ID)]
Admin = Annotated[Principal, Depends(require("admin"))]
Watcher = Annotated[Principal, Depends(require("supervisor", "admin", "service"))]


def routes(teams: Teams, clock: Clock) -> APIRouter:
    router = APIRouter(prefix="/v1/teams", tags=["teams"])

    @router.put("/{team}")
    async def put(team: TeamId, body: TeamIn, caller: Admin) -> Json:
        """Create or rename; repeating it changes nothing."""
        told = Team(team, body.name)
        await teams.put(caller.tenant, told, clock.now())
        return asdict(told)

    @router.get("")
    async def listed(caller: Watcher) -> Json:
        return {"teams": [asdict(team) for team in await teams.all(caller.tenant)]}

    @router.get("/{team}")
    async def show(team: TeamId, caller: Watcher) -> Json:
        return asdict(await teams.get(caller.tenant, team))

    return router
