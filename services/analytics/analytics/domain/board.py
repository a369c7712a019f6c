"""What one partition of pools' facts adds up to, in memory: folds change it, and what changed of it is stored.

A cohort cell is also the state of its legs: event cells and agents' days take what follows from it and are stored
before it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from analytics.domain import floor, levels
from analytics.domain.counters import DAY, Contribution, Counters
from analytics.domain.floor import Agent
from analytics.domain.levels import COHORT, EVENT, Cell, CellKey, Early, Serving, Waiting, group, parted, quarter
from analytics.domain.targets import TimedTarget

PoolKey = tuple[str, str]
"""(tenant, pool)."""


@dataclass(slots=True)
class At:
    """Where a fact stands: whose pool's, at which offset, recorded and occurred when (epoch milliseconds).

    One serves all facts of a stream in a batch, moved on from fact to fact; the times are set where they matter.
    """

    tenant: str
    pool: str
    offset: int = 0
    recorded_at: int = 0
    occurred_at: int = 0


@dataclass(slots=True)
class Queue:
    """A queue as defined in one pool; ``open`` are the quarter hours in which contacts of it still wait.

    ``share`` (0: none is set) of its contacts shall be answered within ``threshold_s``; ``targets`` are others by hour.
    """

    queue: str
    pool: str
    name: str = ""
    threshold_s: int = 20
    thresholds_s: list[int] = field(default_factory=list)
    short_abandon_ms: int = 0
    required: dict[str, int] = field(default_factory=dict)
    share: float = 0.0
    targets: list[TimedTarget] = field(default_factory=list)
    hours: str = ""
    removed: bool = False
    defined_at: int = 0
    open: list[int] = field(default_factory=list)
    version: int = 0


@dataclass(slots=True)
class Pool:
    """``clock`` is when its last fact was recorded: time as the log tells it; ``zones`` are those of opening hours."""

    pool: str
    clock: int = 0
    time_zone: str = ""
    version: int = 0
    zones: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Board:
    """One partition: how far it is read (``next``), the last version of every stream, and what is open or changed.

    ``legs`` leads from a leg to the cohort cell it waits or is served in, ``offers`` from an open offer to its cell of
    each attribution. Both are derived from the cells alone, so after a crash between two rows they agree with
    whichever of them were stored. ``touched`` are the cells changed since the last ``settle``, by identity.
    """

    next: int = 0
    seen: dict[str, int] = field(default_factory=dict)
    counters: Counters = field(default_factory=Counters)
    legs: dict[tuple[str, str], Cell] = field(default_factory=dict)
    offers: dict[tuple[str, str, str], Cell] = field(default_factory=dict)
    agents: dict[PoolKey, dict[str, Agent]] = field(default_factory=dict)
    queues: dict[tuple[str, str, str], Queue] = field(default_factory=dict)
    pools: dict[PoolKey, Pool] = field(default_factory=dict)
    touched: dict[int, Cell] = field(default_factory=dict)
    changed_agents: dict[tuple[str, str, str], Agent] = field(default_factory=dict)
    changed_queues: dict[tuple[str, str, str], Queue] = field(default_factory=dict)
    changed_pools: dict[PoolKey, Pool] = field(default_factory=dict)

    def put_cell(self, cell: Cell) -> None:
        """Take over a stored cell."""
        self.counters.put(cell)
        for leg in (*cell.waiting, *cell.serving):
            self.legs[cell.tenant, leg] = cell
        for offer in cell.ringing:
            self.offers[cell.tenant, offer, cell.attribution] = cell

    def cell(self, at: At, queue: str, instant: int, attribution: str) -> Cell | None:
        """The cell to change; ``None`` when the stored one has this offset already."""
        key = (at.tenant, queue, instant - instant % levels.QUARTER_MS, attribution)
        found = self.counters.cells.get(key)
        if found is None:
            found = self.counters.cells[key] = Cell(*key)
        return self.changing(found, at)

    def standing_cell(self, at: At, queue: str, start: int) -> Cell | None:
        """As ``cell``, of a cohort that is there."""
        found = self.counters.cells.get((at.tenant, queue, start, COHORT))
        return found and self.changing(found, at)

    def cell_of(self, at: At, leg: str) -> Cell | None:
        """The cell in which ``leg`` is; ``None`` also when the stored one has this offset already."""
        found = self.legs.get((at.tenant, leg))
        return found and self.changing(found, at)

    def changing(self, cell: Cell, at: At) -> Cell | None:
        """``cell``, noted as changed; ``None`` when it was stored with this offset."""
        if at.offset < cell.guard:
            return None
        cell.version, cell.pool = at.offset + 1, at.pool
        self.touched[id(cell)] = cell
        return cell

    def agent(self, at: At, agent: str) -> Agent | None:
        """The agent to change; ``None`` when the stored row has this offset already."""
        pool = self.agents.get((at.tenant, at.pool))
        if pool is None:
            pool = self.agents[at.tenant, at.pool] = {}
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
        self.counters.settle()
        self.counters.changed_cells |= {cell.key: cell for cell in self.touched.values()}
        self.touched = {}
        standing: dict[tuple[str, str], list[int]] = {}
        for cell in self.counters.cells.values():
            if cell.waiting:
                standing.setdefault((cell.tenant, cell.queue), []).append(cell.start)
        for tenant, name, _, attribution in self.counters.changed_cells:
            if attribution == COHORT:
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
        self.counters.stored()
        self.changed_agents, self.changed_queues, self.changed_pools = {}, {}, {}

    def evict(self, key: CellKey) -> None:
        """Forget a cell that nothing is expected for; it is loaded again if something comes."""
        cell = self.counters.cells.get(key)
        busy = id(cell) in self.touched or key in self.counters.changed_cells
        if cell is not None and cell.quiet and not busy:
            del self.counters.cells[key]

    def forget_cells(self, most: int) -> None:
        """Of more than ``most`` cells in memory, forget the oldest for which nothing is expected."""
        for key in list(self.counters.cells)[: max(0, len(self.counters.cells) - most)]:
            self.evict(key)


# --- contacts --------------------------------------------------------------------------------------------------------


def waiting(board: Board, at: At, contact: str, leg: int, queue: str, said: Waiting) -> None:
    board.queue(at, queue)
    key = levels.leg_key(contact, leg)
    if cell := board.cell(at, queue, said.queued_at, COHORT):
        levels.wait(cell, key, said)
        board.legs[at.tenant, key] = cell
    if cell := board.cell(at, queue, said.queued_at, EVENT):
        levels.arrive(cell, said.channel)
        levels.estimated(cell, said)


def dequeued(
    board: Board,
    at: At,
    contact: str,
    leg: int,
    queue: str,
    key: str,
    queued_at: int,
    left_at: int,
    outcome: str,
    accepted_ms: int,
) -> None:
    """``key`` is the group that the outcome counts to."""
    board.queue(at, queue)
    name, waited_ms = levels.leg_key(contact, leg), max(0, left_at - queued_at)
    event, cell = board.cell(at, queue, left_at, EVENT), board.cell(at, queue, queued_at, COHORT)
    said = cell and cell.waiting.get(name)
    if event:
        levels.outcome_of(event, key, outcome, waited_ms, accepted_ms)
        if said and outcome == "answered":
            levels.scored(event, said, waited_ms)
    if cell:
        levels.leave(cell, name, key, outcome, waited_ms, accepted_ms)
        board.legs.pop((at.tenant, name), None)
        early = cell.early.pop(name, None)
        if outcome == "answered":
            if said:
                levels.scored(cell, said, waited_ms)
            _served(board, at, cell, name, key, early)


def _served(board: Board, at: At, cell: Cell, leg: str, key: str, early: Early | None) -> None:
    """An answered leg waits for the end of its agent's work, unless that has been told already."""
    early = early if early and early.agent == parted(key)[1] else Early("")
    serving = cell.serving[leg] = Serving(key, early.wrap_up_at)
    board.legs[at.tenant, leg] = cell
    if early.ended_at >= 0:
        _handled(board, at, cell, leg, serving, early.ended_at)


def offered(
    board: Board, at: At, contact: str, leg: int, queue: str, channel: str, agent: str, team: str, offer: str
) -> None:
    cohort = board.cell_of(at, levels.leg_key(contact, leg))
    key = group(channel, agent, team)
    event = board.cell(at, queue, at.occurred_at, EVENT)
    for cell in (cohort, event):
        if cell:
            levels.offer(cell, key, "made")
            cell.ringing[offer] = key
            board.offers[at.tenant, offer, cell.attribution] = cell
    _of_agent(board, at, (DAY, agent, quarter(at.occurred_at), team, "offers", 1))
    if found := board.agent(at, agent):
        floor.ring(found, offer)


def offer_ended(board: Board, at: At, agent: str, offer: str, how: str) -> None:
    """``how``: accepted declined expired withdrawn."""
    for attribution in (EVENT, COHORT):
        cell = board.offers.get((at.tenant, offer, attribution))
        if cell is None or board.changing(cell, at) is None:
            continue
        del board.offers[at.tenant, offer, attribution]
        key = cell.ringing.pop(offer)
        levels.offer(cell, key, how)
        if attribution == EVENT:
            _of_agent(board, at, (DAY, agent, cell.start, parted(key)[2], f"offers_{how}", 1))
    if found := board.agent(at, agent):
        floor.stop_ringing(found, offer)


def assigned(board: Board, at: At, contact: str, leg: int, agent: str, offer: str) -> None:
    key = levels.leg_key(contact, leg)
    cell = board.legs.get((at.tenant, key))
    if cell and key in cell.early and board.changing(cell, at):
        del cell.early[key]  # work on it that ended was an assignment that failed
    if found := board.agent(at, agent):
        floor.stop_ringing(found, offer)
        floor.work_on(found, key)


def verdicts_final(board: Board, at: At, queue: str, interval_end: int, threshold_ms: int) -> None:
    """The log's clock says: nothing within ``threshold_ms`` changes any more in this quarter hour (kernel rule 26)."""
    cell = board.standing_cell(at, queue, interval_end - levels.QUARTER_MS)
    if cell:
        cell.final_ms = threshold_ms


# --- what their agents do after they were answered -------------------------------------------------------------------


def wrap_up_started(board: Board, at: At, agent: str, leg: str, when: int) -> None:
    cell = board.cell_of(at, leg)
    if cell is None:
        return
    serving = cell.serving.get(leg)
    if serving is None:
        if _early(cell, leg, agent) == Early(agent):
            cell.early[leg] = Early(agent, when)
    elif parted(serving.group)[1] == agent and serving.wrap_up_at < 0:
        cell.serving[leg] = Serving(serving.group, when)


def work_ended(board: Board, at: At, agent: str, leg: str, when: int) -> None:
    """The agent's place is free again."""
    cell = board.cell_of(at, leg)
    if cell is None:
        return
    serving = cell.serving.get(leg)
    if serving is None:
        known = _early(cell, leg, agent)
        if known.ended_at < 0:
            cell.early[leg] = Early(agent, known.wrap_up_at, when)
    elif parted(serving.group)[1] == agent:
        _handled(board, at, cell, leg, serving, when)


def _early(cell: Cell, leg: str, agent: str) -> Early:
    """What is known of the agent's work on a leg that still waits."""
    known = cell.early.get(leg)
    return known if known and known.agent == agent else Early(agent)


def _handled(board: Board, at: At, cell: Cell, leg: str, serving: Serving, when: int) -> None:
    del cell.serving[leg]
    board.legs.pop((at.tenant, leg), None)
    counts, key = levels.tally_of(cell, serving.group).counts, serving.group
    levels.add(counts, "handled", 1)
    found: list[Contribution] = [(EVENT, cell.queue, quarter(when), key, "handled", 1)]
    if serving.wrap_up_at >= 0:
        parts = list(levels.pieces(serving.wrap_up_at, when))
        levels.add(counts, "wrap_up_ms", sum(milliseconds for _, milliseconds in parts))
        found += [(EVENT, cell.queue, start, key, "wrap_up_ms", milliseconds) for start, milliseconds in parts]
    board.counters.contribute(at.offset, at.tenant, found)


def _of_agent(board: Board, at: At, one: Contribution) -> None:
    board.counters.pending.append((at.offset, at.tenant, one))
