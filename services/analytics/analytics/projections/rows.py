"""The stored rows: counters and agents with the offset each reflects, and each partition's progress.

Views (their names begin with the state's, so that a rebuild goes beside the old one):
``levels``  <tenant>/<queue>   | <start>/<topic>/<partition> : a cell
``agents``  <tenant>/<pool>    | <agent>
``queues``  <tenant>           | <queue>/<pool>
``pools``   <tenant>           | <pool>
``progress``<group>            | <topic>/<partition>
``fresh``   <group>            | <topic>/<partition>         : read to its end at that instant
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from typing import TypeVar

import msgspec
from aiokafka.partitioner import murmur2

from switchlog.store import ViewRow, ViewStore

from ..app.ports import Where
from ..domain.board import Board, Pool, Queue
from ..domain.floor import Agent
from ..domain.levels import Cell, CellKey

T = TypeVar("T")
PAGE = 1000

_encode = msgspec.msgpack.Encoder().encode


class Progress(msgspec.Struct, array_like=True):
    """Where reading goes on, the last version of every stream, and the cells that are not done with."""

    next: int
    seen: dict[str, int]
    open: list[CellKey]


@dataclass(frozen=True)
class StoredRows:
    """``Rows`` over a ``ViewStore``; ``state`` names the state, ``group`` the consumer group."""

    views: ViewStore
    state: str
    group: str

    # --- the fold's side ---------------------------------------------------------------------------------------------

    async def board(self, where: Where) -> Board:
        found = await self.views.get(self._view("progress"), self.group, str(where))
        if found is None:
            return Board()
        progress = _decoded(found, Progress)
        board = Board(progress.next, progress.seen)
        for key in progress.open:
            cell = await self.cell(where, key)
            if cell is not None:
                board.put_cell(cell)
        for stream in progress.seen:
            tenant, _, name = stream.partition("/")
            await self.pool(board, tenant, name.removeprefix("pool-"))
        return board

    async def cell(self, where: Where, key: CellKey) -> Cell | None:
        tenant, queue, start = key
        found = await self.views.get(self._view("levels"), f"{tenant}/{queue}", _cell_key(start, where))
        return None if found is None else _decoded(found, Cell)

    async def pool(self, board: Board, tenant: str, pool: str) -> None:
        known = await self.views.get(self._view("pools"), tenant, pool)
        if known is not None:
            board.pools[tenant, pool] = _decoded(known, Pool)
        agents = board.agents.setdefault((tenant, pool), {})
        async for agent in self.agents(tenant, pool):
            agent.guard = agent.version
            agents[agent.agent] = agent
        async for queue in self._queues(tenant):
            if queue.pool == pool:
                board.queues[tenant, pool, queue.queue] = queue

    async def save(self, where: Where, board: Board) -> None:
        """Dirty rows, then progress; the parts may be torn anywhere."""
        for view, rows in self._changed(where, board):
            if rows:
                await self.views.put_many(self._view(view), rows)
        progress = Progress(board.next, board.seen, sorted(board.cells))
        await self.views.put(self._view("progress"), self.group, str(where), _encode(progress), board.next)

    def _changed(self, where: Where, board: Board) -> Iterable[tuple[str, list[tuple[str, str, bytes, int]]]]:
        yield (
            "levels",
            [
                (f"{cell.tenant}/{cell.queue}", _cell_key(cell.start, where), _encode(cell), cell.version)
                for cell in board.changed_cells.values()
            ],
        )
        yield (
            "agents",
            [
                (f"{tenant}/{pool}", name, _encode(agent), agent.version)
                for (tenant, pool, name), agent in board.changed_agents.items()
            ],
        )
        yield (
            "queues",
            [
                (tenant, f"{name}/{pool}", _encode(queue), queue.version)
                for (tenant, pool, name), queue in board.changed_queues.items()
            ],
        )
        yield (
            "pools",
            [(tenant, name, _encode(pool), pool.version) for (tenant, name), pool in board.changed_pools.items()],
        )

    async def fresh(self, caught_up: dict[Where, int]) -> None:
        """Note when each partition was last read to its end, epoch milliseconds."""
        rows = [(self.group, str(where), b"", at) for where, at in caught_up.items()]
        await self.views.put_many(self._view("fresh"), rows)

    # --- the questions' side -----------------------------------------------------------------------------------------

    async def parts(self, key: CellKey) -> list[Cell]:
        tenant, queue, start = key
        return [cell async for cell in self.cells(tenant, queue, start, start + 1)]

    async def cells(self, tenant: str, queue: str, begin: int, end: int) -> AsyncIterator[Cell]:
        """Stored cells with ``begin <= start < end``, by start; several of one start where pools or topics changed."""
        stop = f"{end:015d}"
        async for row in self._scan("levels", f"{tenant}/{queue}", f"{begin:015d}"):
            if row.key >= stop:
                return
            yield _decoded(row, Cell)

    async def agents(self, tenant: str, pool: str) -> AsyncIterator[Agent]:
        async for row in self._scan("agents", f"{tenant}/{pool}"):
            yield _decoded(row, Agent)

    async def queues(self, tenant: str) -> list[Queue]:
        """Each queue as defined last, with the open quarter hours of every pool it has been in."""
        found: dict[str, Queue] = {}
        async for queue in self._queues(tenant):
            other = found.get(queue.queue)
            found[queue.queue] = queue if other is None else _latest(other, queue)
        return list(found.values())

    async def queue(self, tenant: str, queue: str) -> Queue | None:
        found: Queue | None = None
        async for row in self._scan("queues", tenant, f"{queue}/"):
            if not row.key.startswith(f"{queue}/"):
                break
            read = _decoded(row, Queue)
            found = read if found is None else _latest(found, read)
        return found

    async def pool_of(self, tenant: str, pool: str) -> Pool:
        """Its clock and zone; zero for one never heard of."""
        found = await self.views.get(self._view("pools"), tenant, pool)
        return Pool(pool) if found is None else _decoded(found, Pool)

    async def caught_up_at(self, topic: str, tenant: str, pool: str) -> int:
        """When the partition that this pool's stream is in was last read to its end; 0: not known."""
        rows = [row async for row in self._scan("fresh", self.group) if row.key.startswith(f"{topic}/")]
        if not rows:
            return 0
        partition = (murmur2(f"{tenant}/pool-{pool}".encode()) & 0x7FFFFFFF) % len(rows)
        return next((row.version for row in rows if row.key == f"{topic}/{partition}"), 0)

    # --- shared ------------------------------------------------------------------------------------------------------

    async def _queues(self, tenant: str) -> AsyncIterator[Queue]:
        async for row in self._scan("queues", tenant):
            yield _decoded(row, Queue)

    async def _scan(self, view: str, partition: str, after: str = "") -> AsyncIterator[ViewRow]:
        while page := await self.views.scan(self._view(view), partition, after, PAGE):
            for row in page:
                yield row
            if len(page) < PAGE:
                return
            after = page[-1].key

    def _view(self, name: str) -> str:
        return f"{self.state}_{name}"


def _cell_key(start: int, where: Where) -> str:
    return f"{start:015d}/{where}"


def _decoded(row: ViewRow, kind: type[T]) -> T:
    return msgspec.msgpack.decode(row.value, type=kind)


def _latest(one: Queue, other: Queue) -> Queue:
    """The definition that counts: a standing one before one removed, then the later."""
    first, second = sorted((one, other), key=lambda queue: (not queue.removed, queue.defined_at, queue.pool))
    second.open = sorted({*first.open, *second.open})
    return second
