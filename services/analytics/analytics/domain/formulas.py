"""Every formula of a service level and its neighbours, by id, as a pure function of counts (kpis.md).

T is the threshold, S the short-abandon limit; A answered, A_T in T; B all abandoned, B_T in T, B_S in S; F flowed out;
C callback. A ratio is 0..1, a duration seconds; ``None`` means undefined: an empty denominator is never 100 %.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from analytics.domain.board import Queue
from analytics.domain.levels import ACCEPTED, Counts, Tally

OUTCOMES = ("answered", "abandoned", "short_abandoned", "flowed_out", "callback", "timed_out", "blocked", "failed")
DEFAULT_THRESHOLDS_S = (5, 10, 15, 20, 25, 30, 45, 60, 90, 120, 180, 240, 300, 600)


@dataclass(frozen=True, slots=True)
class Level:
    """The counts of one group and interval at one threshold; sums in milliseconds.

    ``accepted`` are the answered whose t_acc is known; ``abandoned`` includes ``short_abandoned``; ``waiting_over`` of
    ``waiting`` have waited longer than the threshold.
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


def thresholds_of(queue: Queue) -> tuple[int, ...]:
    """The thresholds that figures of ``queue`` are kept for, seconds, rising; its target is among them."""
    return tuple(sorted({*(queue.thresholds_s or DEFAULT_THRESHOLDS_S), queue.threshold_s}))


def level(tally: Tally, waited_ms: list[int], threshold_s: int) -> Level:
    """``tally`` at a threshold; ``waited_ms`` are the waits so far of those who still wait."""
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
    )


def identity_holds(found: Level) -> bool:
    """Offered = answered + abandoned + short + flowed out + callback + timed out + blocked + failed + waiting."""
    gone = found.answered + found.abandoned + found.flowed_out + found.callback
    return found.offered == gone + found.timed_out + found.blocked + found.failed + found.waiting


def _within(waits: Counts, threshold_s: int) -> int:
    return sum(count for seconds, count in waits.items() if seconds <= threshold_s)


def ratio(part: float, whole: float) -> float | None:
    """``part / whole``, undefined when there is nothing to divide by."""
    return part / whole if whole else None


def sl_answered(found: Level, misses: int = 0) -> float | None:
    """A_T / A."""
    return ratio(found.answered_in, found.answered + misses)


def sl_strict(found: Level, misses: int = 0) -> float | None:
    """A_T / (A + B)."""
    return ratio(found.answered_in, found.answered + found.abandoned + misses)


def sl_ignore_early(found: Level, misses: int = 0) -> float | None:
    """A_T / (A + B - B_T)."""
    return ratio(found.answered_in, found.answered + found.abandoned - found.abandoned_in + misses)


def sl_positive(found: Level, misses: int = 0) -> float | None:
    """(A_T + B_T) / (A + B)."""
    return ratio(found.answered_in + found.abandoned_in, found.answered + found.abandoned + misses)


def sl_short_credit(found: Level, misses: int = 0) -> float | None:
    """(A_T + B_S) / (A + B)."""
    return ratio(found.answered_in + found.short_abandoned, found.answered + found.abandoned + misses)


def sl_excl_short(found: Level, misses: int = 0) -> float | None:
    """A_T / (A + B - B_S)."""
    return ratio(found.answered_in, found.answered + found.abandoned - found.short_abandoned + misses)


def sl_connect(found: Level, misses: int = 0) -> float | None:
    """All removed from the queue in T (B_T and C_T too) / queued: whoever still waits is among the queued anyway."""
    return ratio(found.removed_in, found.offered)


def sl_offered(found: Level, misses: int = 0) -> float | None:
    """A_T / (A + B + F)."""
    return ratio(found.answered_in, found.answered + found.abandoned + found.flowed_out + misses)


def asa(found: Level) -> float | None:
    """Sum of (t_br - t_enq) / A."""
    return ratio(found.wait_answered_ms / 1000, found.answered)


def asa_accept(found: Level) -> float | None:
    """Sum of (t_acc - t_enq) / A, over those whose t_acc is known."""
    return ratio(found.wait_accepted_ms / 1000, found.accepted)


def abandon_rate_queued(found: Level) -> float | None:
    """B / (A + B)."""
    return ratio(found.abandoned, found.answered + found.abandoned)


def avg_abandon_time(found: Level) -> float | None:
    """Sum of waits of abandoners / their count."""
    return ratio(found.wait_abandoned_ms / 1000, found.abandoned)


def answer_rate(found: Level) -> float | None:
    """Answered by an agent / asked for an agent."""
    return ratio(found.answered, found.offered)


def non_response(found: Level) -> float | None:
    """Offers expired or declined / offers."""
    lost = found.offers.get("expired", 0) + found.offers.get("declined", 0)
    return ratio(lost, found.offers.get("made", 0))


Formula = Callable[[Level], float | None]
_LEVELS = (
    sl_answered, sl_strict, sl_ignore_early, sl_positive, sl_short_credit, sl_excl_short, sl_connect, sl_offered,
)  # fmt: skip
_OTHERS = (asa, asa_accept, abandon_rate_queued, avg_abandon_time, answer_rate, non_response)


def _live(formula: Callable[[Level, int], float | None]) -> Formula:
    """The formula with contacts waiting longer than T counted as misses."""
    return lambda found: formula(found, found.waiting_over)


FORMULAS: Mapping[str, Formula] = MappingProxyType(
    {formula.__name__: formula for formula in _LEVELS}
    | {f"{formula.__name__}.live": _live(formula) for formula in _LEVELS}
    | {formula.__name__: formula for formula in _OTHERS}
)

NOT_YET = frozenset(
    {
        *("queue_depth", "longest_wait", "abandon_rate_connected", "blocked_rate", "att", "att_incl_hold", "acw"),
        *("aht", "atht", "occupancy", "slot_occupancy", "utilization", "adherence", "fcr_open", "fcr_final"),
        *("complaint_rate", "transfer_rate", "csat", "cost_per_contact", "first_response", "next_response"),
        *("resolution_time", "chat_concurrency", "ewt_p50", "ewt_p90", "attendance", "contacts_received"),
        *("contacts_per_agent_hour", "self_service_rate", "ivr_containment"),
    }
)
"""Formulas that are defined and cannot be computed yet: their facts are not folded."""


def figures(found: Level, ids: tuple[str, ...]) -> dict[str, float | None]:
    """The figures ``ids`` of ``found``; durations and ratios are not rounded."""
    return {name: FORMULAS[name](found) for name in ids}
