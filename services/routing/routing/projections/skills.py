"""Skills by id, with the names that people see: what an administrator said last."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from switchlog.errors import NotFound
from switchlog.store import ViewStore

VIEW = "skills"
PAGE = 1000


@dataclass(frozen=True, slots=True)
class Skill:
    skill: str
    name: str = ""


@dataclass(frozen=True)
class SkillNames:
    views: ViewStore

    async def put(self, tenant: str, skill: Skill, now: int) -> None:
        await self.views.put(VIEW, tenant, skill.skill, msgspec.json.encode(skill), now)

    async def get(self, tenant: str, skill: str) -> Skill:
        """Raises ``NotFound``."""
        row = await self.views.get(VIEW, tenant, skill)
        if row is None:
            raise NotFound(detail=skill)
        return msgspec.json.decode(row.value, type=Skill)

    async def all(self, tenant: str) -> list[Skill]:
        found: list[Skill] = []
        while rows := await self.views.scan(VIEW, tenant, found[-1].skill if found else "", PAGE):
            found += [msgspec.json.decode(row.value, type=Skill) for row in rows]
        return found
