"""What may still change of a queue's quarter hours (kernel rule 26): flags, and the facts in cells that decide them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from operator import and_
from typing import Any, NamedTuple

from analytics.domain.levels import Cell, Tally, merged

UNTOLD = ("reopened", "dirt_")
"""Counts of which no figure is made begin so: alone they make no row."""


class Flags(NamedTuple):
    """What does not change any more."""

    verdicts_final: bool = False
    final: bool = False
    durations_final: bool = False

    def __and__(self, other: Flags) -> Flags:
        return Flags(*map(and_, self, other))


class Facts(NamedTuple):
    """What the cells of some quarter hours say, whatever the threshold; of no cells all of it is true.

    ``verdicts`` and ``final`` are told by pools, ``durations`` by whoever tells of them; ``over``: where no pool tells,
    nothing more is expected.
    """

    verdicts: bool = True
    final: bool = True
    durations: bool = True
    over: bool = True

    def __and__(self, other: Facts) -> Facts:
        return self if other == EVERYTHING else Facts(*map(and_, self, other))


EVERYTHING = Facts()


class Totals(NamedTuple):
    """Over all groups of some cells."""

    offered: int
    answered: int
    queued: int
    disconnected: int
    handled: int
    open: int


def facts_of(queue: str, parts: Sequence[Cell]) -> Facts:
    """Of all cells of a queue's quarter hour; without a ``queue`` are contacts that were never queued."""
    told, totals = of_pools(parts), _totals(parts)
    over, verdicts = _over(totals), min([cell.final_ms for cell in told], default=0) >= 0
    return Facts(
        verdicts,
        verdicts and not any(cell.waiting for cell in parts),
        _heard(told, totals) if told else over,
        over if queue else not counts_anything(merged(_tallies(parts))),
    )


def of_pools(cells: Iterable[Cell]) -> list[Cell]:
    """Those that pools told of: the other sources' say nothing about who waits."""
    return [cell for cell in cells if cell.pool]


def durations_final(parts: Sequence[Cell]) -> bool:
    """Whether nothing of a cohort changes again but what may come days later (README, Finality).

    ``parts`` are all cells of its quarter hour, of every source.
    """
    told = of_pools(parts)
    return bool(told) and _heard(told, _totals(parts))


def all_over(parts: Sequence[Cell]) -> bool:
    """Where no pool tells: fed contacts that have ended with their wrap-up, or nothing but tickets counts here."""
    return _over(_totals(parts))


def counts_anything(tally: Tally) -> bool:
    """Counts that were taken back leave zeros; of some no figure is made."""
    counted: list[Mapping[Any, int]] = [tally.offers, *tally.waits.values(), *tally.buckets.values()]
    told = any(n and not name.startswith(UNTOLD) for name, n in tally.counts.items())
    return bool(told or tally.offered or any(any(counts.values()) for counts in counted))


def _tallies(parts: Sequence[Cell]) -> Iterable[Tally]:
    return (tally for cell in parts for tally in cell.groups.values())


def _heard(told: Sequence[Cell], totals: Totals) -> bool:
    if not all(cell.final and not cell.serving for cell in told):
        return False
    heard = totals.queued >= totals.offered and totals.disconnected >= totals.answered
    return heard and totals.open == 0


def _over(totals: Totals) -> bool:
    return totals.handled >= totals.answered and totals.queued <= totals.offered and totals.open == 0


def _totals(parts: Sequence[Cell]) -> Totals:
    offered = answered = queued = disconnected = handled = still = 0
    for tally in _tallies(parts):
        counts, waits = tally.counts, tally.waits.get("answered")
        offered += tally.offered
        answered += sum(waits.values()) if waits else 0
        if counts:
            queued += counts.get("queued", 0)
            disconnected += counts.get("disconnected", 0)
            handled += counts.get("handled", 0)
            still += counts.get("open", 0)
    return Totals(offered, answered, queued, disconnected, handled, still)
