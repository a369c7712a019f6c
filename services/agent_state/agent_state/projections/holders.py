"""Which agent holds a leg between its assignment and its connection: one row a leg, written by the leg's pool alone."""

from __future__ import annotations

from dataclasses import dataclass

from switchlog.store import ViewStore

VIEW = "holders"


@dataclass(frozen=True)
class HolderRows:
    """``version`` is that of the pool's stream (kernel rule 17)."""

    views: ViewStore

    async def hold(self, tenant: str, contact: str, leg: int, agent: str, version: int) -> None:
        await self.views.put(VIEW, f"{tenant}/{contact}", str(leg), agent.encode(), version)

    async def holder(self, tenant: str, contact: str, leg: int) -> str | None:
        row = await self.views.get(VIEW, f"{tenant}/{contact}", str(leg))
        return row.value.decode() if row is not None else None

    async def let_go(self, tenant: str, contact: str, leg: int, version: int) -> None:
        await self.views.delete(VIEW, f"{tenant}/{contact}", str(leg), version)
