"""Every formula, by id, as a pure function of counts (kpis.md and the definitions in the README).

T is the threshold, S the short-abandon limit; A answered, A_T in T; B all abandoned, B_T in T, B_S in S; F flowed out;
C callback. A ratio is 0..1, a duration seconds; ``None`` means undefined: an empty denominator is never 100 %.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from analytics.domain.level import (
    DEFAULT_THRESHOLDS_S,
    OUTCOMES,
    Level,
    identity_holds,
    level,
    ratio,
    thresholds_of,
)

__all__ = [
    "DEFAULT_THRESHOLDS_S",
    "FORMULAS",
    "OF_AGENTS",
    "OF_ROWS",
    "OUTCOMES",
    "Level",
    "figures",
    "identity_holds",
    "level",
    "ratio",
    "thresholds_of",
]


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


# --- the others ------------------------------------------------------------------------------------------------------


def queue_depth(found: Level) -> float | None:
    """Waiting now."""
    return found.waiting


def longest_wait(found: Level) -> float | None:
    """Of those waiting, the longest since t_enq; undefined when nobody waits."""
    return _seconds(found.longest_wait_ms)


def longest_wait_arrival(found: Level) -> float | None:
    """Of those waiting, the longest since they first arrived in any queue."""
    return _seconds(found.longest_wait_arrival_ms)


def abandon_rate_connected(found: Level) -> float | None:
    """B / all system-connected."""
    return ratio(found.abandoned, _n(found, "system_connected"))


def blocked_rate(found: Level) -> float | None:
    """Blocked before any queue / started."""
    return _rate(found, "blocked_unqueued", "started")


def att(found: Level) -> float | None:
    """Talk without holds / A."""
    return ratio(_s(found, "talk_ms"), found.answered)


def att_incl_hold(found: Level) -> float | None:
    """Talk with holds / A."""
    return ratio(_s(found, "talk_ms", "hold_ms"), found.answered)


def acw(found: Level) -> float | None:
    """Wrap-up / A."""
    return ratio(_s(found, "wrap_up_ms"), found.answered)


def aht(found: Level) -> float | None:
    """att + hold + acw."""
    return ratio(_s(found, "talk_ms", "hold_ms", "wrap_up_ms"), found.answered)


def atht(found: Level) -> float | None:
    """Trunk released - seized / seizures."""
    return ratio(_s(found, "trunk_ms"), _n(found, "trunk_seizures"))


def occupancy(found: Level) -> float | None:
    """Busy / (busy + ready); undefined where ready time is not told, as of a queue."""
    if "signed_in_ms" not in found.counts:
        return None
    return ratio(_n(found, "busy_ms"), _n(found, "busy_ms") + _n(found, "ready_ms"))


def utilization(found: Level) -> float | None:
    """Busy / signed in."""
    return _rate(found, "busy_ms", "signed_in_ms")


def slot_occupancy(found: Level) -> float | None:
    """Slot time of written channels / their slots while ready or at work."""
    return _rate(found, "chat_slot_ms", "chat_capacity_ms")


def chat_concurrency(found: Level) -> float | None:
    """Sum of chat time / its union."""
    return _rate(found, "chat_slot_ms", "chat_busy_ms")


def adherence(found: Level) -> float | None:
    """Checked in and ready or at work within planned shifts / planned time."""
    return _rate(found, "adherent_ms", "scheduled_ms")


def attendance(found: Level) -> float | None:
    """Agent-days with a login in the planned shift / agent-days planned."""
    return _rate(found, "present", "scheduled")


def fcr_open(found: Level) -> float | None:
    """Resolved without a repeat so far / resolved."""
    return _rate(found, "fcr_once", "fcr_resolved")


def fcr_final(found: Level) -> float | None:
    """The same over those whose window has passed."""
    return _rate(found, "fcr_final_once", "fcr_final_resolved")


def complaint_rate(found: Level) -> float | None:
    """Complaints / handled."""
    return _rate(found, "complaints", "handled")


def transfer_rate(found: Level) -> float | None:
    """Passed on / handled."""
    return _rate(found, "transferred", "handled")


def csat(found: Level) -> float | None:
    """Sum of ratings / sum of the greatest possible ones."""
    most = sum(int(name.split("_")[1]) * count for name, count in found.counts.items() if _rating(name, "n"))
    return ratio(sum(count for name, count in found.counts.items() if _rating(name, "sum")), most)


def cost_per_contact(found: Level) -> float | None:
    """Cost, in units of its currency / contacts answered by agents or systems; undefined in several currencies."""
    costs = [amount for name, amount in found.counts.items() if name.startswith("cost_") and name.endswith("_micros")]
    costs = [amount for amount in costs if amount]  # what was taken back leaves a zero
    if len(costs) != 1:
        return None
    return ratio(costs[0] / 1_000_000, found.answered + _n(found, "answered_by_system"))


def first_response(found: Level) -> float | None:
    """First public human reply - hand-over, on average."""
    return ratio(_s(found, "first_response_ms"), _n(found, "first_responses"))


def next_response(found: Level) -> float | None:
    """Further replies - the customer's word before, on average."""
    return ratio(_s(found, "next_response_ms"), _n(found, "next_responses"))


def resolution_time(found: Level) -> float | None:
    """Resolved - opened or reopened, on average."""
    return ratio(_s(found, "resolution_ms"), _n(found, "resolutions"))


def ewt_p50(found: Level) -> float | None:
    """Mean of the medians told."""
    return ratio(_s(found, "ewt_p50_ms"), _n(found, "ewt_n"))


def ewt_p90(found: Level) -> float | None:
    """Mean of the 90 % estimates told."""
    return ratio(_s(found, "ewt_p90_ms"), _n(found, "ewt_n"))


def ewt_p50_hit(found: Level) -> float | None:
    """Share of the answered who waited no longer than their median estimate: should be a half."""
    return _rate(found, "ewt_p50_met", "ewt_scored")


def ewt_p90_hit(found: Level) -> float | None:
    """Share of the answered who waited no longer than their 90 % estimate: should be nine tenths."""
    return _rate(found, "ewt_p90_met", "ewt_scored")


def contacts_received(found: Level) -> float | None:
    """Started."""
    return _n(found, "started")


def contacts_per_agent_hour(found: Level) -> float | None:
    """Handled / hours signed in."""
    return ratio(_n(found, "handled"), _n(found, "signed_in_ms") / 3_600_000)


def self_service_rate(found: Level) -> float | None:
    """Served by a system / started."""
    return _rate(found, "answered_by_system", "started")


def ivr_containment(found: Level) -> float | None:
    """Ended in the menu / entered the menu."""
    return _rate(found, "ivr_contained", "ivr_entered")


def _n(found: Level, name: str) -> int:
    return found.counts.get(name, 0)


def _s(found: Level, *names: str) -> float:
    return sum(found.counts.get(name, 0) for name in names) / 1000


def _rate(found: Level, part: str, whole: str) -> float | None:
    return ratio(_n(found, part), _n(found, whole))


def _seconds(milliseconds: int | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000


def _rating(name: str, what: str) -> bool:
    return name.startswith("score_") and name.endswith(f"_{what}")


Formula = Callable[[Level], float | None]
_LEVELS = (
    sl_answered, sl_strict, sl_ignore_early, sl_positive, sl_short_credit, sl_excl_short, sl_connect, sl_offered,
)  # fmt: skip
_OTHERS = (
    queue_depth, longest_wait, longest_wait_arrival, asa, asa_accept, abandon_rate_queued, abandon_rate_connected,
    avg_abandon_time, blocked_rate, answer_rate, non_response, att, att_incl_hold, acw, aht, atht, occupancy,
    slot_occupancy, utilization, adherence, attendance, fcr_open, fcr_final, complaint_rate, transfer_rate, csat,
    cost_per_contact, first_response, next_response, resolution_time, chat_concurrency, ewt_p50, ewt_p90, ewt_p50_hit,
    ewt_p90_hit, contacts_received, contacts_per_agent_hour, self_service_rate, ivr_containment,
)  # fmt: skip


def _live(formula: Callable[[Level, int], float | None]) -> Formula:
    """The formula with contacts waiting longer than T counted as misses."""
    return lambda found: formula(found, found.waiting_over)


FORMULAS: Mapping[str, Formula] = MappingProxyType(
    {formula.__name__: formula for formula in _LEVELS}
    | {f"{formula.__name__}.live": _live(formula) for formula in _LEVELS}
    | {formula.__name__: formula for formula in _OTHERS}
)

OF_AGENTS = frozenset(
    {"occupancy", "utilization", "slot_occupancy", "chat_concurrency", "adherence", "attendance"}
    | {"contacts_per_agent_hour", "fcr_open", "fcr_final"}
)
"""Those that need agents' days, plans, or all tickets of a customer: none is computed from a queue's row alone."""
OF_ROWS = FORMULAS.keys() - OF_AGENTS


def figures(found: Level, ids: tuple[str, ...]) -> dict[str, float | None]:
    """The figures ``ids`` of ``found``; durations and ratios are not rounded."""
    return {name: FORMULAS[name](found) for name in ids}
