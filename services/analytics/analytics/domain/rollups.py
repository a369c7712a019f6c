"""Roll-ups: what the cells of a queue's local day add up to, for questions by days and longer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from analytics.domain.finality import Facts, facts_of
from analytics.domain.levels import COHORT, Cell, Sums, Tally, Waiting, add_all, add_tally, group, parted

WORK = ("busy_ms", "slot_ms")
"""Sums of agents' time that are also kept of queues and channels; by when it happened in both attributions."""

Worked = tuple[int, str, Sums]
"""(quarter hour, group, sums of ``WORK``)."""


@dataclass(slots=True)
class Rollup:
    """A day's groups, as cells have them or by channel alone; who waits.

    Of cohorts also facts for flags, and ``work``: agents' time by group, from event cells.
    """

    groups: dict[str, Tally] = field(default_factory=dict)
    waiting: list[Waiting] = field(default_factory=list)
    facts: Facts = Facts()
    work: dict[str, Sums] = field(default_factory=dict)


def rolled(queue: str, cells: Sequence[Cell], work: Iterable[Worked], by_agent: bool) -> Rollup:
    """All cells of a queue's day; without ``by_agent`` agents and teams are added up."""
    made = Rollup()
    for cell in cells:
        made.waiting += cell.waiting.values()
        for key, tally in cell.groups.items():
            add_tally(made.groups.setdefault(_kept(key, by_agent), Tally()), tally)
    for parts in by_quarter(cell for cell in cells if cell.attribution == COHORT).values():
        made.facts &= facts_of(queue, parts)
    for _, key, sums in work:
        add_all(made.work.setdefault(_kept(key, by_agent), {}), sums)
    return made


def by_quarter(cells: Iterable[Cell]) -> dict[int, list[Cell]]:
    found: dict[int, list[Cell]] = {}
    for cell in cells:
        found.setdefault(cell.start, []).append(cell)
    return found


def work_of(counts: Sums) -> Sums:
    """Those of ``WORK``, both where there is any."""
    return {} if counts.keys().isdisjoint(WORK) else {name: counts.get(name, 0) for name in WORK}


@lru_cache(maxsize=4096)
def _kept(key: str, by_agent: bool) -> str:
    return key if by_agent else group(parted(key)[0])
