"""The counter rows of one source partition in memory, and contributions to them that each row takes once.

A fold that keeps a state (a contact, an agent, a ticket) turns a fact into contributions; the counters they go to need
not be in memory before: they are loaded after the fold and take what stands at or after their guard. Counters are
stored before the states that their contributions were made from, so after a crash a state that is still old makes the
very same contributions again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from analytics.domain.levels import COHORT, DAY_MS, EVENT, Cell, CellKey, Sums, Tally, add, observe

DAY, SPAN = "day", "span"
OBSERVED = frozenset({"first_response", "next_response", "resolution"})
"""Durations whose contribution is one value, kept as number, sum and histogram."""

Contribution = tuple[str, str, int, Any, Any, int]
"""(cohort | event, queue, quarter hour, group, name, amount), (``DAY``, agent, quarter hour, team, name, amount) or
(``SPAN``, agent, begin, the span, "", 0)."""

DayKey = tuple[str, str, int]
"""(tenant, agent, start of the UTC day in epoch milliseconds)."""

Span = tuple[int, int, str, str, bool, str, str, str]
"""(begin, end, state, reason, planned, mode, team, pool): what an agent did, within one UTC day."""


@dataclass(slots=True)
class Day:
    """An agent's UTC day as one source partition told it: sums by quarter hour and team, and the ledger itself.

    ``version`` and ``guard`` as in ``Cell``.
    """

    tenant: str
    agent: str
    start: int
    quarters: dict[int, dict[str, Sums]] = field(default_factory=dict)
    spans: list[Span] = field(default_factory=list)
    version: int = 0
    guard: int = 0

    @property
    def key(self) -> DayKey:
        return self.tenant, self.agent, self.start


@dataclass(slots=True)
class Counters:
    """Cells and days; ``pending`` are contributions with their offset and tenant, not yet taken.

    ``untold`` are days that changed and may not be published yet: the progress keeps them over a crash.
    """

    cells: dict[CellKey, Cell] = field(default_factory=dict)
    days: dict[DayKey, Day] = field(default_factory=dict)
    changed_cells: dict[CellKey, Cell] = field(default_factory=dict)
    changed_days: dict[DayKey, Day] = field(default_factory=dict)
    pending: list[tuple[int, str, Contribution]] = field(default_factory=list)
    untold: set[DayKey] = field(default_factory=set)

    def put(self, row: Cell | Day) -> None:
        """Take over a stored row."""
        row.guard = row.version
        if isinstance(row, Cell):
            self.cells[row.key] = row
        else:
            self.days[row.key] = row

    def put_untold(self, day: Day) -> None:
        """Take over a stored day that may not be published yet."""
        self.put(day)
        self.untold.add(day.key)

    def contribute(self, offset: int, tenant: str, found: list[Contribution]) -> None:
        self.pending += [(offset, tenant, one) for one in found]

    def missing(self) -> tuple[set[CellKey], set[DayKey]]:
        """The rows that ``pending`` goes to and that are not in memory."""
        cells: set[CellKey] = set()
        days: set[DayKey] = set()
        for _, tenant, (kind, place, start, *_) in self.pending:
            if kind in (COHORT, EVENT):
                cells.add((tenant, place, start, kind))
            else:
                days.add((tenant, place, start - start % DAY_MS))
        return cells - self.cells.keys(), days - self.days.keys()

    def settle(self) -> None:
        """Take what is pending; rows that are not in memory do not exist yet."""
        for offset, tenant, one in self.pending:
            kind = one[0]
            if kind in (COHORT, EVENT):
                self._take_cell(offset, tenant, one)
            else:
                self._take_day(offset, tenant, one)
        self.pending = []

    def stored(self) -> None:
        """What had changed is durable."""
        self.changed_cells, self.changed_days = {}, {}

    def forget_day(self, key: DayKey) -> None:
        """Forget a day that nothing is expected for; it is loaded again if something comes."""
        if key not in self.changed_days:
            self.days.pop(key, None)

    def forget_days(self, most: int) -> None:
        """Only the ``most`` youngest days in memory stay there; the others are loaded again if something comes."""
        for key in list(self.days)[: max(0, len(self.days) - most)]:
            if key not in self.changed_days:
                del self.days[key]

    def forget_cells(self, most: int) -> None:
        """As ``forget_days``."""
        for key in list(self.cells)[: max(0, len(self.cells) - most)]:
            if key not in self.changed_cells:
                del self.cells[key]

    def _take_cell(self, offset: int, tenant: str, one: Contribution) -> None:
        attribution, queue, start, key, name, amount = one
        at = tenant, queue, start, attribution
        cell = self.cells.get(at)
        if cell is None:
            cell = self.cells[at] = Cell(*at)
        if offset < cell.guard:
            return
        cell.version = max(cell.version, offset + 1)  # the fold itself may have been further
        self.changed_cells[at] = cell
        if not isinstance(name, str):
            name.change(cell, key, amount)  # one of ``domain/amounts``
            return
        tally = cell.groups.get(key)
        if tally is None:
            tally = cell.groups[key] = Tally()
        if name in OBSERVED:
            observe(tally, name, amount)
        else:
            add(tally.counts, name, amount)

    def _take_day(self, offset: int, tenant: str, one: Contribution) -> None:
        kind, agent, start, key, name, amount = one
        at = tenant, agent, start - start % DAY_MS
        day = self.days.get(at)
        if day is None:
            day = self.days[at] = Day(*at)
        if offset < day.guard:
            return
        day.version = max(day.version, offset + 1)
        self.changed_days[at] = day
        self.untold.add(at)
        if kind == SPAN:
            if amount >= 0:
                day.spans.append(key)
            elif key in day.spans:
                day.spans.remove(key)
            return
        sums = day.quarters.setdefault(start, {}).setdefault(key, {})
        if name in OBSERVED:
            add(sums, f"{name}s", 1)
            name = f"{name}_ms"
        add(sums, name, amount)
