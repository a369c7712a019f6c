"""Counts, durations and service levels of a day on paper, in the shape and words of the figures that analytics answers.

Cohorts: a contact counts in the interval in which it was queued; busy, ready and signed in are the time of agents who
serve the queue, by the clock. T is the threshold, S the queue's short-abandon limit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from hdrh.histogram import HdrHistogram

from switchlog.envelope import timestamp

from .floor import BUSY, NOT_READY, READY, Floor
from .intervals import Interval
from .stays import WAITING, Stay

Json = dict[str, Any]
LONGEST_MS = 31 * 24 * 3600 * 1000
DIGITS = 2
OUTCOMES = ("answered", "abandoned", "short_abandoned", "flowed_out", "callback", "timed_out", "blocked", "failed")
COUNTS = (
    "offered", "answered", "answered_in_threshold", "abandoned", "abandoned_in_threshold", "short_abandoned",
    "flowed_out", "callback", "timed_out", "blocked", "failed", "waiting", "transferred",
)  # fmt: skip
_MORE = ("removed_in", "waiting_over", "offers", "lost_offers", "talked", "released")
SECONDS = ("wait_answered", "wait_abandoned", "talk", "hold", "wrap_up", "trunk", "busy", "ready", "signed_in")


@dataclass(slots=True)
class Cell:
    """One queue and interval. ``counts`` has every name of ``COUNTS`` and a few of its own, ``sums`` milliseconds."""

    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys((*COUNTS, *_MORE), 0))
    sums: dict[str, int] = field(default_factory=lambda: dict.fromkeys((*SECONDS, "wait_accepted"), 0))
    waits: dict[int, int] = field(default_factory=dict)


class Figures:
    """Take every ``Stay`` once, then the agents' ``Floor``, then ask for ``rows``; ``now`` ends what is under way."""

    def __init__(self, interval: Callable[[int], Interval], threshold_s: int = 20) -> None:
        self._interval = interval
        self._threshold_ms = threshold_s * 1000
        self.cells: dict[tuple[int, str], Cell] = {}

    def take(self, stay: Stay, now: int) -> None:
        cell = self._cell(self._interval(stay.queued_at)[0], stay.queue)
        waited = stay.wait_ms(now)
        _count(cell.counts, stay, waited, waited <= self._threshold_ms)
        _sum(cell.sums, stay, waited)
        if stay.outcome != WAITING:
            bucket = _bucket(waited)
            cell.waits[bucket] = cell.waits.get(bucket, 0) + 1

    def take_floor(self, floor: Floor) -> None:
        """Of intervals in which contacts were queued; an agent without queues serves all."""
        for (start, _, queues), spent in floor.spent.items():
            for queue in queues or {queue for _, queue in self.cells}:
                if (start, queue) in self.cells:
                    sums = self.cells[start, queue].sums
                    sums["busy"] += spent.get(BUSY, 0)
                    sums["ready"] += spent.get(READY, 0)
                    sums["signed_in"] += sum(spent.get(state, 0) for state in (BUSY, READY, NOT_READY))

    def rows(self, as_of: int) -> list[Json]:
        """By start and queue, as the figures' answer has them."""
        return [
            self._row(queue, self._interval(start), cell, as_of) for (start, queue), cell in sorted(self.cells.items())
        ]

    def total(self) -> Cell:
        """All queues and intervals together: counts are added, never percentages."""
        total = Cell()
        for cell in self.cells.values():
            for into, more in ((total.counts, cell.counts), (total.sums, cell.sums), (total.waits, cell.waits)):
                _add(into, more)
        return total

    def end(self) -> int:
        """When the verdicts of the last interval are final."""
        return max((self._interval(start)[1] for start, _ in self.cells), default=0) + self._threshold_ms

    def _cell(self, start: int, queue: str) -> Cell:
        cell = self.cells.get((start, queue))
        if cell is None:
            cell = self.cells[start, queue] = Cell()
        return cell

    def _row(self, queue: str, span: Interval, cell: Cell, as_of: int) -> Json:
        counts = cell.counts
        verdicts = as_of >= span[1] + self._threshold_ms
        final = verdicts and not counts["waiting"]
        return {
            "start": timestamp(span[0]),
            "end": timestamp(span[1]),
            "queue": queue,
            "verdicts_final": verdicts,
            "final": final,
            "durations_final": final and counts["answered"] == counts["released"],
            "freshness_s": 0.0,
            **shown(cell),
        }


def shown(cell: Cell) -> Json:
    """Counts, seconds, figures (undefined: null) and percentiles of the waits that have ended."""
    return {
        "counts": {name: cell.counts[name] for name in COUNTS},
        "seconds": {name: cell.sums[name] / 1000 for name in SECONDS},
        "figures": {id: formula(cell) for id, formula in FORMULAS.items()},
        "percentiles": percentiles(cell.waits),
    }


def answer(rows: list[Json], tz: str, step: str, threshold_s: int, as_of: int) -> Json:
    """The whole answer, as GET /v1/figures gives it."""
    told = {"tz": tz, "step": step, "attribution": "cohort", "threshold_s": threshold_s, "as_of": timestamp(as_of)}
    return told | {"rows": rows}


def percentiles(waits: Mapping[int, int]) -> dict[str, float | None]:
    """Seconds, by an HdrHistogram of two digits."""
    made = HdrHistogram(1, LONGEST_MS, DIGITS)
    for milliseconds, count in sorted(waits.items()):
        made.record_value(min(max(milliseconds, 1), LONGEST_MS), count)
    known = made.total_count
    return {f"wait_p{p}": made.get_value_at_percentile(p) / 1000 if known else None for p in (50, 90, 99)}


def _count(counts: dict[str, int], stay: Stay, waited: int, within: bool) -> None:
    counts["offered"] += 1
    counts["offers"] += stay.offers
    counts["lost_offers"] += stay.lost_offers
    if stay.outcome == WAITING:
        counts["waiting"] += 1
        counts["waiting_over"] += not within
        return
    abandoned = stay.outcome == "short_abandoned"
    counts["abandoned" if abandoned else stay.outcome] += 1
    counts["short_abandoned"] += abandoned
    counts["removed_in"] += within
    counts["talked"] += stay.answered_at >= 0 and stay.ended_at >= 0
    counts["released"] += stay.answered_at >= 0 and stay.free_at >= 0
    if within and stay.outcome in _IN_THRESHOLD:
        counts[_IN_THRESHOLD[stay.outcome]] += 1


_IN_THRESHOLD = {
    "answered": "answered_in_threshold",
    "abandoned": "abandoned_in_threshold",
    "short_abandoned": "abandoned_in_threshold",
}


def _sum(sums: dict[str, int], stay: Stay, waited: int) -> None:
    if stay.answered_at >= 0:
        sums["wait_answered"] += waited
        sums["wait_accepted"] += stay.accepted_at - stay.queued_at
    elif stay.outcome in ("abandoned", "short_abandoned"):
        sums["wait_abandoned"] += waited
    if stay.ended_at >= 0:
        sums["trunk"] += stay.ended_at - stay.queued_at
        sums["talk"] += stay.ended_at - stay.left_at
        sums["wrap_up"] += max(0, stay.free_at - stay.ended_at)


def _bucket(milliseconds: int) -> int:
    """The least value that an HdrHistogram of two digits does not tell from ``milliseconds``."""
    shift = max(0, milliseconds.bit_length() - 8)
    return milliseconds >> shift << shift


def _add(into: dict[Any, int], more: Mapping[Any, int]) -> None:
    for key, count in more.items():
        into[key] = into.get(key, 0) + count


# -- formulas, by the ids of the figures -------------------------------------------------------------------------------

Formula = Callable[[Cell], float | None]


def ratio(part: float, whole: float) -> float | None:
    """Undefined when there is nothing to divide by, never 100 %."""
    return part / whole if whole else None


def _level(hits: Iterable[str], of: Iterable[str], less: Iterable[str] = (), live: bool = False) -> Formula:
    """``hits`` over ``of`` without ``less``; ``live`` counts those who wait longer than T as misses."""
    over = ("waiting_over",) if live else ()

    def formula(cell: Cell) -> float | None:
        counts = cell.counts
        whole = sum(counts[name] for name in (*of, *over)) - sum(counts[name] for name in less)
        return ratio(sum(counts[name] for name in hits), whole)

    return formula


def _mean(total: str, of: str) -> Formula:
    return lambda cell: ratio(cell.sums[total] / 1000, cell.counts[of])


def _occupancy(cell: Cell) -> float | None:
    return ratio(cell.sums["busy"], cell.sums["busy"] + cell.sums["ready"])


def _aht(cell: Cell) -> float | None:
    return ratio((cell.sums["talk"] + cell.sums["hold"] + cell.sums["wrap_up"]) / 1000, cell.counts["talked"])


_A, _AT, _B, _BT, _BS = "answered", "answered_in_threshold", "abandoned", "abandoned_in_threshold", "short_abandoned"
_LEVELS: dict[str, tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]] = {
    "sl_answered": ((_AT,), (_A,), ()),
    "sl_strict": ((_AT,), (_A, _B), ()),
    "sl_ignore_early": ((_AT,), (_A, _B), (_BT,)),
    "sl_positive": ((_AT, _BT), (_A, _B), ()),
    "sl_short_credit": ((_AT, _BS), (_A, _B), ()),
    "sl_excl_short": ((_AT,), (_A, _B), (_BS,)),
    "sl_offered": ((_AT,), (_A, _B, "flowed_out"), ()),
}
_CONNECT = _level(("removed_in",), ("offered",))

FORMULAS: Mapping[str, Formula] = MappingProxyType(
    {id: _level(*terms) for id, terms in _LEVELS.items()}
    | {f"{id}.live": _level(*terms, live=True) for id, terms in _LEVELS.items()}
    | {"sl_connect": _CONNECT, "sl_connect.live": _CONNECT}
    | {
        "asa": _mean("wait_answered", _A),
        "asa_accept": _mean("wait_accepted", _A),
        "abandon_rate_queued": _level((_B,), (_A, _B)),
        "avg_abandon_time": _mean("wait_abandoned", _B),
        "answer_rate": _level((_A,), ("offered",)),
        "non_response": _level(("lost_offers",), ("offers",)),
        "att": _mean("talk", "talked"),
        "att_incl_hold": _mean("talk", "talked"),
        "acw": _mean("wrap_up", "talked"),
        "aht": _aht,
        "atht": _mean("trunk", "offered"),
        "occupancy": _occupancy,
        "utilization": lambda cell: ratio(cell.sums["busy"], cell.sums["signed_in"]),
    }
)
