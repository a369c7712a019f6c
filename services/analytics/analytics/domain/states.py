"""One partition of contacts', agents' or tickets' facts in memory: states, and the counters they contribute to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Generic, TypeVar

from analytics.domain.counters import Contribution, Counters
from analytics.domain.ledger import Clerk
from analytics.domain.legs import Contact
from analytics.domain.levels import Cell, CellKey
from analytics.domain.tickets import Ticket

S = TypeVar("S", Contact, Clerk, Ticket)

DAYS_KEPT = 2_000
"""So many agents' days stay in memory."""


@dataclass(slots=True)
class States(Generic[S]):
    """``states`` are by stream key; ``seen`` is the last version of each of them, 0 of a stream never heard of.

    A state that is not at hand is in its stored row; so is the version of its stream.
    """

    next: int = 0
    seen: dict[str, int] = field(default_factory=dict)
    states: dict[str, S] = field(default_factory=dict)
    changed: dict[str, S] = field(default_factory=dict)
    counters: Counters = field(default_factory=Counters)

    def put_cell(self, cell: Cell) -> None:
        """Take over a stored cell."""
        self.counters.put(cell)

    def happened(self, key: str, state: S, version: int, offset: int, found: list[Contribution]) -> None:
        """``state`` reflects one more fact, which contributes ``found``."""
        state.seen, state.version = version, offset + 1
        self.changed[key] = state
        self.counters.contribute(offset, key.partition("/")[0], found)

    def settle(self) -> None:
        self.counters.settle()

    def evict(self, key: CellKey) -> None:
        """Forget a cell; it is loaded again if something comes."""
        if key not in self.counters.changed_cells:
            self.counters.cells.pop(key, None)

    def stored(self) -> None:
        """What had changed is durable."""
        self.counters.stored()
        self.changed = {}

    def forget(self, most: int) -> None:
        """Only ``most`` states and counters stay in memory; the others are loaded again if something comes."""
        self.counters.forget_cells(most)
        self.counters.forget_days(min(most, DAYS_KEPT))
        for key in list(self.states)[: max(0, len(self.states) - most)]:
            del self.states[key]
            self.seen.pop(key, None)
