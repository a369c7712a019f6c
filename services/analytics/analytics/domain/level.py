"""The counts of one group and interval at one threshold, as every formula takes them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import NamedTuple

from analytics.domain.board import Queue
from analytics.domain.levels import ACCEPTED, Counts, Tally

OUTCOMES = ("answered", "abandoned", "short_abandoned", "flowed_out", "callback", "timed_out", "blocked", "failed")
DEFAULT_THRESHOLDS_S = (5, 10, 15, 20, 25, 30, 45, 60, 90, 120, 180, 240, 300, 600)


@dataclass(frozen=True, slots=True)
class Level:
    """The counts of one group and interval at one threshold; sums in milliseconds.

    ``accepted`` are the answered whose t_acc is known; ``abandoned`` includes ``short_abandoned``; ``waiting_over`` of
    ``waiting`` have waited longer than the threshold; the longest waits are those of the waiting, ``None`` when nobody
    waits. ``counts`` are all the others by name (``Tally.counts``, an agent's sums).
    """

    offered: int = 0
    answered: int = 0
    answered_in: int = 0
    accepted: int = 0
    accepted_in: int = 0
    abandoned: int = 0
    abandoned_in: int = 0
    short_abandoned: int = 0
    flowed_out: int = 0
    callback: int = 0
    callback_in: int = 0
    timed_out: int = 0
    blocked: int = 0
    failed: int = 0
    removed_in: int = 0
    waiting: int = 0
    waiting_over: int = 0
    wait_answered_ms: int = 0
    wait_accepted_ms: int = 0
    wait_abandoned_ms: int = 0
    wait_other_ms: int = 0
    offers: Mapping[str, int] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)
    longest_wait_ms: int | None = None
    longest_wait_arrival_ms: int | None = None


def thresholds_of(queue: Queue) -> tuple[int, ...]:
    """The thresholds that figures of ``queue`` are kept for, seconds, rising; its target is among them."""
    return tuple(sorted({*(queue.thresholds_s or DEFAULT_THRESHOLDS_S), queue.threshold_s}))


def level(tally: Tally, waited_ms: Sequence[int], threshold_s: int, arrived_ms: Sequence[int] = ()) -> Level:
    """``tally`` at a threshold; ``waited_ms`` are the waits so far of those who still wait, ``arrived_ms`` since they
    first arrived."""
    total = {outcome: sum(tally.waits.get(outcome, {}).values()) for outcome in OUTCOMES}
    within = {outcome: _within(tally.waits.get(outcome, {}), threshold_s) for outcome in (*OUTCOMES, ACCEPTED)}
    sums = {outcome: tally.sums_ms.get(outcome, 0) for outcome in (*OUTCOMES, ACCEPTED)}
    abandoned_ms = sums["abandoned"] + sums["short_abandoned"]
    return Level(
        offered=tally.offered,
        answered=total["answered"],
        answered_in=within["answered"],
        accepted=sum(tally.waits.get(ACCEPTED, {}).values()),
        accepted_in=within[ACCEPTED],
        abandoned=total["abandoned"] + total["short_abandoned"],
        abandoned_in=within["abandoned"] + within["short_abandoned"],
        short_abandoned=total["short_abandoned"],
        flowed_out=total["flowed_out"],
        callback=total["callback"],
        callback_in=within["callback"],
        timed_out=total["timed_out"],
        blocked=total["blocked"],
        failed=total["failed"],
        removed_in=sum(within[outcome] for outcome in OUTCOMES),
        waiting=len(waited_ms),
        waiting_over=sum(waited > threshold_s * 1000 for waited in waited_ms),
        wait_answered_ms=sums["answered"],
        wait_accepted_ms=sums[ACCEPTED],
        wait_abandoned_ms=abandoned_ms,
        wait_other_ms=sum(sums[outcome] for outcome in OUTCOMES) - sums["answered"] - abandoned_ms,
        offers=tally.offers,
        counts=tally.counts,
        longest_wait_ms=max(waited_ms, default=None),
        longest_wait_arrival_ms=max(arrived_ms or waited_ms, default=None),
    )


class Within(NamedTuple):
    """The counts of a ``Level`` that depend on its threshold."""

    threshold_s: int
    answered: int
    accepted: int
    abandoned: int
    callback: int
    removed: int
    waiting_over: int


def within(tally: Tally, waited_ms: Sequence[int], thresholds_s: Sequence[int]) -> list[Within]:
    """As ``level`` at each of ``thresholds_s``, which rise, in one pass."""
    sums = {outcome: _rising(tally.waits.get(outcome, {}), thresholds_s) for outcome in (*OUTCOMES, ACCEPTED)}
    removed = [sum(at) for at in zip(*(sums[outcome] for outcome in OUTCOMES), strict=True)]
    return [
        Within(
            threshold_s,
            sums["answered"][n],
            sums[ACCEPTED][n],
            sums["abandoned"][n] + sums["short_abandoned"][n],
            sums["callback"][n],
            removed[n],
            sum(waited > threshold_s * 1000 for waited in waited_ms),
        )
        for n, threshold_s in enumerate(thresholds_s)
    ]


def _rising(waits: Counts, thresholds_s: Sequence[int]) -> Sequence[int]:
    """How many of ``waits`` are within each threshold."""
    found = [0] * len(thresholds_s)
    if not waits:
        return found
    for seconds, count in waits.items():
        least = bisect_left(thresholds_s, seconds)
        if least < len(found):
            found[least] += count
    return list(accumulate(found))


def identity_holds(found: Level) -> bool:
    """Offered = answered + abandoned + short + flowed out + callback + timed out + blocked + failed + waiting."""
    gone = found.answered + found.abandoned + found.flowed_out + found.callback
    return found.offered == gone + found.timed_out + found.blocked + found.failed + found.waiting


def _within(waits: Counts, threshold_s: int) -> int:
    return sum(count for seconds, count in waits.items() if seconds <= threshold_s)


def ratio(part: float, whole: float) -> float | None:
    """``part / whole``, undefined when there is nothing to divide by."""
    return part / whole if whole else None
