"""Teams by id, with the names that people see: what an administrator said last."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from switchlog.errors import NotFound
from switchlog.store import ViewStore

VIEW = "teams"
PAGE = 1000


@dataclass(frozen=True, slots=True)
class Team:
    team: str
    name: str = ""


@dataclass(frozen=True)
class Teams:
    views: ViewStore

    async def put(self, tenant: str, team: Team, now: int) -> None:
        await self.views.put(VIEW, tenant, team.team, msgspec.json.encode(team), now)

    async def get(self, tenant: str, team: str) -> Team:
        """Raises ``NotFound``."""
        row = await self.views.get(VIEW, tenant, team)
        if row is None:
            raise NotFound(detail=team)
        return msgspec.json.decode(row.value, type=Team)

    async def all(self, tenant: str) -> list[Team]:
        found: list[Team] = []
        while rows := await self.views.scan(VIEW, tenant, found[-1].team if found else "", PAGE):
            found += [msgspec.json.decode(row.value, type=Team) for row in rows]
        return found
