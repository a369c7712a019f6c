"""One partition of fed calls in memory: streams, contacts with all their facts, the counters these contribute to."""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable
from dataclasses import dataclass, field

from analytics.domain import fedagents
from analytics.domain.amounts import Amounts, difference
from analytics.domain.counters import Counters
from analytics.domain.fed import contribution
from analytics.domain.fedstory import Fact
from analytics.domain.levels import COHORT, QUARTER_MS, Cell, CellKey

ContactKey = tuple[str, str]
"""(stream key, contact)."""

QueueKey = tuple[str, str, str]
"""(tenant, queue, source)."""

POOL = "feed:"
"""A fed queue's pool is this and its source, of several apart by spaces: no pool's id has a colon."""

FOR_EVER = 1 << 50
"""A clock beyond all times: a file that was given whole is final."""

MOST_FACTS = 2_000
"""A contact of more facts is none; the later ones are left out, or each would cost as much as all before it."""

KEPT = 5_000
"""So many contacts and counters stay in memory, each partition."""


@dataclass(slots=True)
class FedStream:
    """One stream of a source; ``clock`` is the latest time it was told, ``heard_at`` when its last fact was recorded.

    ``seen`` is its last version, ``version`` the offset after the last record that it reflects.
    """

    source: str = ""
    number: int = 0
    lateness_ms: int = 0
    any_order: bool = False
    ended: bool = False
    clock: int = 0
    lines: int = 0
    heard_at: int = 0
    seen: int = 0
    version: int = 0

    @property
    def final_until(self) -> int:
        """What happened before is told, epoch milliseconds."""
        if self.ended:
            return FOR_EVER
        return 0 if self.any_order else max(0, self.clock - self.lateness_ms)


@dataclass(slots=True)
class FedContact:
    """``facts`` sorted by time, then id. ``version`` and ``guard`` as in ``Cell``."""

    facts: list[Fact] = field(default_factory=list)
    version: int = 0
    guard: int = 0


@dataclass(slots=True)
class FeedBoard:
    """``streams`` are by stream key; ``queues`` are those told of since the start, to be known to whoever asks.

    ``opened`` is, by tenant and source, the earliest cohort that changed and is not past by the source's time.
    """

    next: int = 0
    seen: dict[str, int] = field(default_factory=dict)
    streams: dict[str, FedStream] = field(default_factory=dict)
    contacts: dict[ContactKey, FedContact] = field(default_factory=dict)
    amounts: dict[ContactKey, Amounts] = field(default_factory=dict)
    queues: dict[QueueKey, int] = field(default_factory=dict)
    counters: Counters = field(default_factory=Counters)
    changed_streams: dict[str, FedStream] = field(default_factory=dict)
    changed_contacts: dict[ContactKey, FedContact] = field(default_factory=dict)
    changed_queues: dict[QueueKey, int] = field(default_factory=dict)
    opened: dict[tuple[str, str], int] = field(default_factory=dict)

    def put_cell(self, cell: Cell) -> None:
        """Take over a stored cell."""
        self.counters.put(cell)

    def settle(self) -> None:
        self.counters.settle()

    def stored(self) -> None:
        """What had changed is durable."""
        self.counters.stored()
        self.changed_streams, self.changed_contacts, self.changed_queues, self.opened = {}, {}, {}, {}

    def evict(self, key: CellKey) -> None:
        """Forgotten by age alone: ``forget``."""

    def forget(self, most: int = KEPT) -> None:
        """Only ``most`` contacts and counters stay in memory; the others are loaded again if something comes."""
        self.counters.forget_cells(most)
        self.counters.forget_days(most)
        for key in list(self.contacts)[: max(0, len(self.contacts) - most)]:
            del self.contacts[key]
        self.amounts = {}  # much larger than the facts that they are made of


def heard(board: FeedBoard, key: str, version: int, offset: int, recorded_at: int) -> FedStream:
    """A fact of the stream ``key``: all of them move it on."""
    stream = board.streams[key]
    stream.seen, stream.version, stream.heard_at = version, offset + 1, max(stream.heard_at, recorded_at)
    board.changed_streams[key] = stream
    return stream


def opened(stream: FedStream, source: str, number: int, lateness_ms: int, any_order: bool) -> None:
    stream.source, stream.number, stream.ended = source, number, False
    stream.lateness_ms, stream.any_order = lateness_ms, any_order


def told(board: FeedBoard, key: str, offset: int, contact: str, fact: Fact) -> None:
    """One more fact of a contact: what it contributed so far is taken back for what it contributes now."""
    tenant, source = key.partition("/")[0], board.streams[key].source
    at = (key, contact)
    found = board.contacts.setdefault(at, FedContact())
    if offset < found.guard:
        return
    old = _amounts(board, at, source)
    if fact in found.facts or len(found.facts) >= MOST_FACTS:
        return
    insort(found.facts, fact)
    found.version = offset + 1
    board.contacts[at] = board.contacts.pop(at)  # changed last: forgotten last
    board.changed_contacts[at] = found
    new = board.amounts[at] = contribution(f"{source}:{contact}", found.facts)
    changes = difference(old, new)
    board.counters.contribute(offset, tenant, changes)
    for kind, queue, start, *_ in changes:
        if kind == COHORT and queue:
            _changed(board, (tenant, queue, source), start, offset, board.streams[key])


def _changed(board: FeedBoard, queue: QueueKey, start: int, offset: int, stream: FedStream) -> None:
    """A cohort of ``queue`` changes."""
    if queue not in board.queues:
        board.queues[queue] = board.changed_queues[queue] = offset + 1
    if start + QUARTER_MS > stream.final_until:
        of = queue[0], queue[2]
        board.opened[of] = min(start, board.opened.get(of, start))


def told_of_agent(board: FeedBoard, key: str, offset: int, agent: str, fact: Fact) -> None:
    """One more fact of an agent: what days around it contributed is taken back for what they contribute now."""
    for day, part in fedagents.days_of(fact):
        unit = board.contacts.setdefault(agent_key(key, agent, day), FedContact())
        if offset < unit.guard or part in unit.facts or len(unit.facts) >= MOST_FACTS:
            continue
        # a torn save: some day was stored after this fact, and before it all counters were, so they have counted it
        counted = any(offset < one.guard for one in _units(board, key, agent, day, fedagents.AROUND))
        old = {} if counted else _of_agent(board, key, agent, day)
        insort(unit.facts, part)
        unit.version = offset + 1
        board.changed_contacts[agent_key(key, agent, day)] = unit
        if not counted:
            changes = difference(old, _of_agent(board, key, agent, day))
            board.counters.contribute(offset, key.partition("/")[0], changes)


def agent_key(key: str, agent: str, day: int) -> ContactKey:
    """Of an agent's UTC day; no contact's id begins so."""
    return key, f"@{agent}/{day}"


def days_around(fact: Fact) -> set[int]:
    """The days whose facts must be at hand before ``fact`` is told."""
    return {day + near for day, _ in fedagents.days_of(fact) for near in fedagents.AROUND}


def _of_agent(board: FeedBoard, key: str, agent: str, day: int) -> Amounts:
    """What an agent contributes by all that a fact of ``day`` may change."""
    near, around = (
        [fact for unit in _units(board, key, agent, day, days) for fact in unit.facts]
        for days in (fedagents.NEAR, fedagents.AROUND)
    )
    return fedagents.contribution(agent, near, around)


def _units(board: FeedBoard, key: str, agent: str, day: int, days: Iterable[int]) -> list[FedContact]:
    found = (board.contacts.get(agent_key(key, agent, day + one)) for one in days)
    return [unit for unit in found if unit]


def _amounts(board: FeedBoard, at: ContactKey, source: str) -> Amounts:
    known = board.amounts.get(at)
    return contribution(f"{source}:{at[1]}", board.contacts[at].facts) if known is None else known
