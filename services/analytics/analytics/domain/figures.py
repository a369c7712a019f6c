"""Cells into answered rows: intervals of a queue, its local day so far, and what may still change of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from analytics.domain.formulas import OUTCOMES, Level, figures, level
from analytics.domain.intervals import interval
from analytics.domain.levels import Cell, Counts, Tally, merged, parted


@dataclass(frozen=True, slots=True)
class Asked:
    """What a question fixes for all rows of a queue; ``target_s`` is the queue's own threshold."""

    step: str
    tz: ZoneInfo
    threshold_s: int
    target_s: int
    formulas: tuple[str, ...]
    channels: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Row:
    """Figures of one interval of one queue; ``buckets`` are the histograms of all its ended waits."""

    queue: str
    start: int
    end: int
    level: Level
    figures: dict[str, float | None]
    buckets: list[Counts]
    verdicts_final: bool
    final: bool


def rows(queue: str, cells: Iterable[Cell], asked: Asked, clock: int, now: int) -> list[Row]:
    """One row for each interval in which contacts were queued, by start; ``clock`` is the pool's time, ``now`` ours."""
    groups: dict[tuple[int, int], list[Cell]] = {}
    for cell in cells:
        groups.setdefault(interval(cell.start, asked.step, asked.tz), []).append(cell)
    return [row(queue, span, found, asked, clock, now) for span, found in sorted(groups.items())]


def row(queue: str, span: tuple[int, int], cells: Sequence[Cell], asked: Asked, clock: int, now: int) -> Row:
    tally = merged(tally for cell in cells for key, tally in cell.groups.items() if _wanted(asked, parted(key)[0]))
    waiting = [said for cell in cells for said in cell.waiting.values() if _wanted(asked, said.channel)]
    waited = [max(0, now - said.queued_at) for said in waiting]
    found = level(tally, waited, asked.threshold_s, [max(0, now - said.arrived_at) for said in waiting])
    verdicts = verdicts_final(cells, span[1], asked, clock)
    return Row(
        queue=queue,
        start=span[0],
        end=span[1],
        level=found,
        figures=figures(found, asked.formulas),
        buckets=ended(tally),
        verdicts_final=verdicts,
        final=verdicts and not waiting and all(cell.final for cell in of_pools(cells)),
    )


def verdicts_final(cells: Iterable[Cell], end: int, asked: Asked, clock: int) -> bool:
    """Kernel rule 26: for the queue's target threshold by the fact, for another one by the pool's clock."""
    over = clock >= end + asked.threshold_s * 1000
    return over and (asked.threshold_s != asked.target_s or all(cell.final_ms >= 0 for cell in of_pools(cells)))


def of_pools(cells: Iterable[Cell]) -> list[Cell]:
    """Those that pools told of: the other sources' say nothing about who waits."""
    return [cell for cell in cells if cell.pool]


def durations_final(parts: Sequence[Cell]) -> bool:
    """Whether nothing of a cohort changes again but what may come days later (README, Finality).

    ``parts`` are all cells of its quarter hour, of every source.
    """
    told = of_pools(parts)
    if not told or not all(cell.final and not cell.serving for cell in told):
        return False
    total = merged(tally for cell in parts for tally in cell.groups.values())
    answered, counts = sum(total.waits.get("answered", {}).values()), total.counts
    heard = counts.get("queued", 0) >= total.offered and counts.get("disconnected", 0) >= answered
    return heard and counts.get("open", 0) == 0


def ended(tally: Tally) -> list[Counts]:
    """The histograms of waits that have ended, whatever the outcome."""
    return [tally.buckets[outcome] for outcome in OUTCOMES if outcome in tally.buckets]


def _wanted(asked: Asked, channel: str) -> bool:
    return not asked.channels or channel in asked.channels
