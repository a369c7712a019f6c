"""Cells into answered rows: intervals of a queue, its local day so far, and what may still change of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from analytics.domain.formulas import Level, figures, level
from analytics.domain.intervals import interval
from analytics.domain.levels import Cell, Counts, Tally, merged


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
    tally = merged([tally for cell in cells for channel, tally in cell.channels.items() if _wanted(asked, channel)])
    waited = [
        max(0, now - queued_at)
        for cell in cells
        for channel, queued_at in cell.waiting.values()
        if _wanted(asked, channel)
    ]
    found = level(tally, waited, asked.threshold_s)
    verdicts = verdicts_final(cells, span[1], asked, clock)
    return Row(
        queue=queue,
        start=span[0],
        end=span[1],
        level=found,
        figures=figures(found, asked.formulas),
        buckets=ended(tally),
        verdicts_final=verdicts,
        final=verdicts and all(cell.final for cell in cells),
    )


def verdicts_final(cells: Iterable[Cell], end: int, asked: Asked, clock: int) -> bool:
    """Kernel rule 26: for the queue's target threshold by the fact, for another one by the pool's clock."""
    over = clock >= end + asked.threshold_s * 1000
    return over and (asked.threshold_s != asked.target_s or all(cell.final_ms >= 0 for cell in cells))


def ended(tally: Tally) -> list[Counts]:
    """The histograms of waits that have ended, whatever the outcome."""
    return [counts for outcome, counts in tally.buckets.items() if outcome != "accepted"]


def _wanted(asked: Asked, channel: str) -> bool:
    return not asked.channels or channel in asked.channels
