"""How long agents were busy, ready and signed in, by interval: a ledger kept from a pool's turns. Milliseconds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ...domain.events import AgentObserved, CapacityReleased, ContactAssigned, OfferExpired
from ...domain.members import Agent
from ...domain.state import Board
from .engine import Told

BUSY, READY, NOT_READY, OUT = "busy", "ready", "not_ready", "out"
ENTRIES = (AgentObserved, CapacityReleased, ContactAssigned, OfferExpired)


@dataclass(slots=True)
class Entry:
    """What an agent is doing, since when, and for which queues (none: for all)."""

    doing: str
    since: int
    queues: tuple[str, ...]


@dataclass
class Floor:
    """``spent`` is (interval start, agent, its queues) -> state -> ms; ``interval`` an instant's (start, end).

    An agent with any work is busy (a union of intervals, wrap-up included), signed in or not: who goes home in a
    contact works until it is done.
    """

    board: Board
    interval: Callable[[int], tuple[int, int]]
    spent: dict[tuple[int, str, tuple[str, ...]], dict[str, int]] = field(default_factory=dict)
    _entries: dict[str, Entry] = field(default_factory=dict)

    def take(self, told: Told) -> None:
        """After each turn, in order."""
        for event in told.events:
            if isinstance(event, AgentObserved):
                self._look(getattr(event.fact, "agent", ""), told.at)
            elif isinstance(event, ENTRIES):
                self._look(event.agent, told.at)

    def close(self, at: int) -> None:
        """Everybody's time until ``at`` is booked."""
        for agent in self._entries:
            self._look(agent, at, again=True)

    def _look(self, agent: str, at: int, again: bool = False) -> None:
        known = self.board.agents.get(agent)
        doing, queues = (_doing(known), known.queues) if known else (OUT, ())
        entry = self._entries.get(agent)
        if entry is None:
            self._entries[agent] = Entry(doing, at, queues)
        elif again or entry.doing != doing or entry.queues != queues:
            self._book(agent, entry, at)
            entry.doing, entry.since, entry.queues = doing, at, queues

    def _book(self, agent: str, entry: Entry, until: int) -> None:
        at = entry.since
        while entry.doing != OUT and at < until:
            start, end = self.interval(at)
            spent = self.spent.setdefault((start, agent, entry.queues), {})
            spent[entry.doing] = spent.get(entry.doing, 0) + min(end, until) - at
            at = min(end, until)


def _doing(agent: Agent) -> str:
    if agent.work:
        return BUSY
    if not agent.checked_in:
        return OUT
    return READY if agent.ready else NOT_READY
