"""What stands in the pools of a tenant: their policies, opening hours and workflows, read from their boards."""

from __future__ import annotations

from dataclasses import dataclass

from switchlog.envelope import StreamId
from switchlog.errors import NotFound

from ..domain.definitions import Hours, Workflow
from ..domain.state import Board
from .boards import Boards
from .ports import Pools


@dataclass(frozen=True)
class Catalogue:
    """Each look folds only what is new."""

    boards: Boards
    pools: Pools

    async def of(self, tenant: str) -> list[tuple[Board, int]]:
        """The tenant's boards and their versions, by pool; a pool that nothing was appended to yet is left out."""
        found = []
        for pool in sorted(await self.pools.all(), key=lambda pool: pool.name):
            if pool.tenant == tenant and (opened := await self._opened(pool)):
                found.append(opened)
        return found

    async def hours(self, tenant: str) -> dict[str, tuple[Hours, list[str]]]:
        """By id: the definition, and the pools it stands in; where they differ, the last pool's counts."""
        found: dict[str, tuple[Hours, list[str]]] = {}
        for board, _ in await self.of(tenant):
            for id, hours in board.hours.items():
                found[id] = (hours, [*(found[id][1] if id in found else ()), board.pool])
        return dict(sorted(found.items()))

    async def workflows(self, tenant: str) -> dict[str, tuple[Workflow, str]]:
        """By id: the definition and its pool."""
        boards = await self.of(tenant)
        return dict(sorted((id, (one, board.pool)) for board, _ in boards for id, one in board.workflows.items()))

    async def _opened(self, pool: StreamId) -> tuple[Board, int] | None:
        try:
            opened = await self.boards.now(pool)
        except NotFound:
            return None
        return opened.board, opened.head
