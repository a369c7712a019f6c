"""Contributions that can be taken back: whoever knows more later subtracts the old and adds the new."""

from __future__ import annotations

from typing import Any, NamedTuple

from analytics.domain import levels
from analytics.domain.counters import Contribution
from analytics.domain.levels import Cell, Waiting

EXACT = "fed_wait"
"""The name under which a tally keeps its waits to the millisecond, so that the longest can be taken back."""


Amounts = dict[tuple[str, str, int, Any, Any], int]
"""(attribution or DAY, queue or agent, quarter hour, group or team, name) -> amount."""


def difference(old: Amounts, new: Amounts) -> list[Contribution]:
    """What turns the one into the other; a leg that no longer waits goes before one that does."""
    found = [(*key, new.get(key, 0) - old.get(key, 0)) for key in old.keys() | new.keys()]
    return sorted((one for one in found if one[-1]), key=lambda one: one[-1])


# --- names of contributions that no single number keeps; their amount is how often they are added --------------------


class Offered(NamedTuple):
    """A contact came into the queue."""

    def change(self, cell: Cell, key: str, times: int) -> None:
        levels.tally_of(cell, key).offered += times


class Left(NamedTuple):
    """A wait ended so after ``waited_ms``."""

    outcome: str
    waited_ms: int

    def change(self, cell: Cell, key: str, times: int) -> None:
        tally = levels.tally_of(cell, key)
        _add(tally.waits.setdefault(self.outcome, {}), -(-self.waited_ms // 1000), times)
        _add(tally.buckets.setdefault(self.outcome, {}), levels.bucket(self.waited_ms), times)
        levels.add(tally.sums_ms, self.outcome, self.waited_ms * times)
        exact = tally.buckets.setdefault(EXACT, {})
        _add(exact, self.waited_ms, times)
        tally.longest_ms = max(exact, default=0)


class OfferWas(NamedTuple):
    """An offer was ``made``, or ended ``accepted declined expired withdrawn``."""

    how: str

    def change(self, cell: Cell, key: str, times: int) -> None:
        levels.add(levels.tally_of(cell, key).offers, self.how, times)


class Waits(NamedTuple):
    """A leg still waits."""

    leg: str
    waiting: Waiting

    def change(self, cell: Cell, key: str, times: int) -> None:
        if times > 0:
            cell.waiting[self.leg] = self.waiting
        else:
            cell.waiting.pop(self.leg, None)


def _add(counts: dict[int, int], value: int, times: int) -> None:
    left = counts.get(value, 0) + times
    if left:
        counts[value] = left
    else:
        counts.pop(value, None)
