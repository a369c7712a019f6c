"""What one source partition's facts add up to, in memory: folds change it, and what changed of it is stored."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from analytics.domain import floor, levels
from analytics.domain.floor import Agent
from analytics.domain.levels import Cell, CellKey

PoolKey = tuple[str, str]
"""(tenant, pool)."""


class At(NamedTuple):
    """Where a fact stands: whose pool's, at which offset of the partition, recorded when (epoch milliseconds)."""

    tenant: str
    pool: str
    offset: int
    recorded_at: int


@dataclass(slots=True)
class Queue:
    """A queue as defined in one pool; ``open`` are the quarter hours in which contacts of it still wait."""

    queue: str
    pool: str
    name: str = ""
    threshold_s: int = 20
    thresholds_s: list[int] = field(default_factory=list)
    short_abandon_ms: int = 0
    required: dict[str, int] = field(default_factory=dict)
    removed: bool = False
    defined_at: int = 0
    open: list[int] = field(default_factory=list)
    version: int = 0


@dataclass(slots=True)
class Pool:
    """``clock`` is when its last fact was recorded: time as the log tells it."""

    pool: str
    clock: int = 0
    time_zone: str = ""
    version: int = 0


@dataclass(slots=True)
class Board:
    """One partition: how far it is read (``next``), the last version of every stream, and what is open or changed.

    ``legs`` leads from a leg to the cell it waits in. It is derived from the cells' ``waiting`` alone, so after a crash
    between two rows it agrees with whichever of them were stored.
    """

    next: int = 0
    seen: dict[str, int] = field(default_factory=dict)
    cells: dict[CellKey, Cell] = field(default_factory=dict)
    legs: dict[tuple[str, str], Cell] = field(default_factory=dict)
    agents: dict[PoolKey, dict[str, Agent]] = field(default_factory=dict)
    queues: dict[tuple[str, str, str], Queue] = field(default_factory=dict)
    pools: dict[PoolKey, Pool] = field(default_factory=dict)
    changed_cells: dict[CellKey, Cell] = field(default_factory=dict)
    changed_agents: dict[tuple[str, str, str], Agent] = field(default_factory=dict)
    changed_queues: dict[tuple[str, str, str], Queue] = field(default_factory=dict)
    changed_pools: dict[PoolKey, Pool] = field(default_factory=dict)

    def put_cell(self, cell: Cell) -> None:
        """Take over a stored cell."""
        cell.guard = cell.version
        self.cells[cell.key] = cell
        for leg in cell.waiting:
            self.legs[cell.tenant, leg] = cell

    def cell(self, at: At, queue: str, queued_at: int) -> Cell | None:
        """The cell to change; ``None`` when the stored one has this offset already."""
        key = (at.tenant, queue, levels.quarter(queued_at))
        found = self.cells.get(key)
        if found is None:
            found = self.cells[key] = Cell(*key)
        return self._changing(found, at)

    def standing_cell(self, at: At, queue: str, start: int) -> Cell | None:
        """As ``cell``, of one that is there."""
        found = self.cells.get((at.tenant, queue, start))
        return found and self._changing(found, at)

    def cell_of(self, at: At, leg: str) -> Cell | None:
        """The cell in which ``leg`` waits; ``None`` also when the stored one has this offset already."""
        found = self.legs.get((at.tenant, leg))
        return found and self._changing(found, at)

    def agent(self, at: At, agent: str) -> Agent | None:
        """The agent to change; ``None`` when the stored row has this offset already."""
        pool = self.agents.setdefault((at.tenant, at.pool), {})
        found = pool.get(agent)
        if found is None:
            found = pool[agent] = Agent(agent)
        if at.offset < found.guard:
            return None
        found.version = at.offset + 1
        self.changed_agents[at.tenant, at.pool, agent] = found
        return found

    def queue(self, at: At, queue: str) -> Queue:
        """The queue as this pool has it."""
        key = (at.tenant, at.pool, queue)
        found = self.queues.get(key)
        if found is None:
            found = self.queues[key] = self.changed_queues[key] = Queue(queue, at.pool, version=at.offset + 1)
        return found

    def define(self, at: At, queue: Queue) -> None:
        """The queue as this pool defines it from now on."""
        queue.open, queue.version, queue.defined_at = self.queue(at, queue.queue).open, at.offset + 1, at.recorded_at
        key = (at.tenant, at.pool, queue.queue)
        self.queues[key] = self.changed_queues[key] = queue

    def tick(self, at: At) -> None:
        """Every fact moves its pool's clock."""
        pool = self.pools.get((at.tenant, at.pool))
        if pool is None:
            pool = self.pools[at.tenant, at.pool] = Pool(at.pool)
        pool.clock, pool.version = max(pool.clock, at.recorded_at), at.offset + 1
        self.changed_pools[at.tenant, at.pool] = pool

    def settle(self) -> None:
        """Before rows are stored: the queues of changed cells say in which quarter hours contacts wait."""
        standing: dict[tuple[str, str], list[int]] = {}
        for cell in self.cells.values():
            if cell.waiting:
                standing.setdefault((cell.tenant, cell.queue), []).append(cell.start)
        for tenant, name, _ in self.changed_cells:
            for key in ((tenant, pool, name) for pool in self._pools_of(tenant)):
                self._note_open(key, sorted(standing.get((tenant, name), ())))

    def _pools_of(self, tenant: str) -> list[str]:
        return [pool for owner, pool in self.pools if owner == tenant]

    def _note_open(self, key: tuple[str, str, str], standing: list[int]) -> None:
        queue = self.queues.get(key)
        if queue is not None and queue.open != standing:
            queue.open, queue.version = standing, self.next
            self.changed_queues[key] = queue

    def stored(self) -> None:
        """What had changed is durable."""
        self.changed_cells, self.changed_agents = {}, {}
        self.changed_queues, self.changed_pools = {}, {}

    def evict(self, key: CellKey) -> None:
        """Forget a cell that nothing is expected for; it is loaded again if something comes."""
        if key in self.cells and key not in self.changed_cells and not self.cells[key].waiting:
            del self.cells[key]

    def _changing(self, cell: Cell, at: At) -> Cell | None:
        if at.offset < cell.guard:
            return None
        cell.version, cell.pool = at.offset + 1, at.pool
        self.changed_cells[cell.key] = cell
        return cell


# --- contacts --------------------------------------------------------------------------------------------------------


def waiting(board: Board, at: At, contact: str, leg: int, queue: str, channel: str, queued_at: int) -> None:
    board.queue(at, queue)
    cell, key = board.cell(at, queue, queued_at), levels.leg_key(contact, leg)
    if cell:
        levels.wait(cell, key, channel, queued_at)
        board.legs[at.tenant, key] = cell


def dequeued(
    board: Board,
    at: At,
    contact: str,
    leg: int,
    queue: str,
    channel: str,
    queued_at: int,
    outcome: str,
    waited_ms: int,
    accepted_ms: int,
) -> None:
    board.queue(at, queue)
    cell, key = board.cell(at, queue, queued_at), levels.leg_key(contact, leg)
    if cell:
        levels.leave(cell, key, channel, outcome, waited_ms, accepted_ms)
        board.legs.pop((at.tenant, key), None)


def offered(board: Board, at: At, contact: str, leg: int, agent: str, offer_id: str) -> None:
    _count_offer(board, at, contact, leg, "made")
    if found := board.agent(at, agent):
        floor.ring(found, offer_id)


def offer_ended(board: Board, at: At, contact: str, leg: int, agent: str, offer_id: str, how: str) -> None:
    """``how``: accepted declined expired withdrawn."""
    _count_offer(board, at, contact, leg, how)
    if found := board.agent(at, agent):
        floor.stop_ringing(found, offer_id)


def assigned(board: Board, at: At, contact: str, leg: int, agent: str, offer_id: str) -> None:
    if found := board.agent(at, agent):
        floor.stop_ringing(found, offer_id)
        floor.work_on(found, levels.leg_key(contact, leg))


def verdicts_final(board: Board, at: At, queue: str, interval_end: int, threshold_ms: int) -> None:
    """The log's clock says: nothing within ``threshold_ms`` changes any more in this quarter hour (kernel rule 26)."""
    cell = board.standing_cell(at, queue, interval_end - levels.QUARTER_MS)
    if cell:
        cell.final_ms = threshold_ms


def _count_offer(board: Board, at: At, contact: str, leg: int, what: str) -> None:
    key = levels.leg_key(contact, leg)
    cell = board.cell_of(at, key)
    if cell:
        levels.offer(cell, cell.waiting[key][0], what)
