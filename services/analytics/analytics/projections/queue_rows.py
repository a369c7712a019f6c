"""The rows behind a board of pools (``Rows``): its cells and agents' days, agents, queues, pools, progress."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..app.ports import Read, Where
from ..domain.board import Board, Pool
from ..domain.counters import Day, DayKey
from ..domain.levels import Cell, CellKey
from .rows import Progress, StoredRows, decoded, encode

CELLS_KEPT, DAYS_KEPT = 4_000, 2_000
"""So many cells and agents' days stay in memory, besides the cells in which somebody waits or is served."""


@dataclass(frozen=True)
class QueueRows:
    rows: StoredRows

    async def board(self, where: Where) -> Board:
        progress = await self.rows.progress(where)
        if progress is None:
            return Board()
        board = Board(progress.next, progress.seen)
        await self.rows.untold(where, board.counters, progress)
        for key in progress.open:
            if cell := await self.cell(where, key):
                board.put_cell(cell)
        for stream in progress.seen:
            await self._pool(board, stream)
        return board

    async def streams(self, where: Where, board: Board, keys: Iterable[str]) -> None:
        for key in keys:
            await self._pool(board, key)

    async def bring(self, where: Where, board: Board, found: Sequence[Read]) -> None:
        """Pools are brought whole."""

    async def cell(self, where: Where, key: CellKey) -> Cell | None:
        return await self.rows.cell(where, key)

    async def day(self, where: Where, key: DayKey) -> Day | None:
        return await self.rows.day(where, key)

    async def save(self, where: Where, board: Board) -> None:
        """Counters, then the rest, then progress; the parts may be torn anywhere."""
        await self.rows.save_counters(where, board.counters)
        agents = [
            (f"{tenant}/{pool}", name, encode(agent), agent.version)
            for (tenant, pool, name), agent in board.changed_agents.items()
        ]
        await self.rows.put("agents", agents)
        queues = [
            (tenant, f"{name}/{pool}", encode(queue), queue.version)
            for (tenant, pool, name), queue in board.changed_queues.items()
        ]
        await self.rows.put("queues", queues)
        pools = [(tenant, name, encode(pool), pool.version) for (tenant, name), pool in board.changed_pools.items()]
        await self.rows.put("pools", pools)
        await self.rows.save_progress(
            where, Progress(board.next, board.seen, sorted(board.counters.cells), sorted(board.counters.untold))
        )
        board.forget_cells(CELLS_KEPT)
        board.counters.forget_days(DAYS_KEPT)

    async def _pool(self, board: Board, stream: str) -> None:
        """Bring the stored agents and queues of a pool into ``board``."""
        tenant, _, name = stream.partition("/")
        pool = name.removeprefix("pool-")
        known = await self.rows.views.get(self.rows.view("pools"), tenant, pool)
        if known is not None:
            board.pools[tenant, pool] = decoded(known, Pool)
        agents = board.agents.setdefault((tenant, pool), {})
        async for agent in self.rows.agents(tenant, pool):
            agent.guard = agent.version
            agents[agent.agent] = agent
        async for queue in self.rows.queues_of(tenant):
            if queue.pool == pool:
                board.queues[tenant, pool, queue.queue] = queue
