"""The definitions of figures: golden vector, edges, identity."""

from __future__ import annotations

import pytest

from analytics.domain.board import Queue
from analytics.domain.formulas import FORMULAS, Level, figures, identity_holds, level, thresholds_of
from analytics.domain.labels import LABELS
from analytics.domain.levels import Cell, Tally, Waiting, leave, offer, wait

GOLDEN = Level(
    offered=1060, answered=1000, abandoned=60, answered_in=860, abandoned_in=20, short_abandoned=10, removed_in=880
)


@pytest.mark.parametrize(
    "formula, percent",
    [
        ("sl_positive", 83.02),
        ("sl_answered", 86.00),
        ("sl_strict", 81.13),
        ("sl_ignore_early", 82.69),
        ("sl_short_credit", 82.08),
        ("sl_excl_short", 81.90),
    ],
)
def test_golden_vector(formula: str, percent: float) -> None:
    """ICMI's example: A=1000 B=60 A_20=860 B_20=20 B_5=10."""
    value = FORMULAS[formula](GOLDEN)
    assert value is not None
    assert round(value * 100, 2) == percent


def test_sl_offered_and_sl_connect() -> None:
    found = Level(
        offered=100, answered=70, answered_in=60, abandoned=10, abandoned_in=4, flowed_out=15, callback=5,
        callback_in=3, removed_in=70,
    )  # fmt: skip
    assert FORMULAS["sl_offered"](found) == 60 / 95
    assert FORMULAS["sl_connect"](found) == 70 / 100


def test_live_counts_those_waiting_too_long_as_misses() -> None:
    found = Level(offered=14, answered=10, answered_in=8, waiting=4, waiting_over=2)
    assert FORMULAS["sl_strict"](found) == 0.8
    assert FORMULAS["sl_strict.live"](found) == 8 / 12
    assert FORMULAS["sl_answered.live"](found) == 8 / 12


def test_an_empty_denominator_is_undefined_never_a_hundred_percent() -> None:
    found = figures(Level(), tuple(FORMULAS))
    assert {name: value for name, value in found.items() if value is not None} == {
        "queue_depth": 0,
        "contacts_received": 0,
    }


def test_answered_at_exactly_the_threshold_is_in_and_a_millisecond_later_is_not() -> None:
    cell = Cell("t", "q", 0)
    for leg, waited in (("a/1", 20_000), ("b/1", 20_001), ("c/1", 0)):
        wait(cell, leg, Waiting("chat", 0, 0))
        leave(cell, leg, "chat//", "answered", waited)
    found = level(cell.groups["chat//"], [], 20)
    assert (found.answered, found.answered_in) == (3, 2)


def test_waiting_exactly_the_threshold_is_not_over_it() -> None:
    found = level(Cell("t", "q", 0).groups.get("chat//") or _one_waiting(), [20_000, 20_001], 20)
    assert (found.waiting, found.waiting_over) == (2, 1)


def _one_waiting():
    cell = Cell("t", "q", 0)
    wait(cell, "a/1", Waiting("chat", 0, 0))
    wait(cell, "b/1", Waiting("chat", 0, 0))
    return cell.groups["chat//"]


def test_short_abandons_are_among_the_abandoned_and_the_identity_holds() -> None:
    cell = Cell("t", "q", 0)
    outcomes = ["answered", "abandoned", "short_abandoned", "flowed_out", "callback", "timed_out", "blocked", "failed"]
    for n, outcome in enumerate(outcomes):
        wait(cell, f"{n}/1", Waiting("chat", 0, 0))
        leave(cell, f"{n}/1", "chat//", outcome, 1000 * n)
    wait(cell, "w/1", Waiting("chat", 0, 0))
    found = level(cell.groups["chat//"], [5], 20)
    assert (found.abandoned, found.short_abandoned, found.offered) == (2, 1, 9)
    assert identity_holds(found)
    assert found.wait_abandoned_ms == 3000 and found.wait_other_ms == 1000 * (3 + 4 + 5 + 6 + 7)


def test_a_contact_whose_arrival_is_not_on_the_topic_any_more_still_keeps_the_identity() -> None:
    cell = Cell("t", "q", 0)
    leave(cell, "a/1", "chat//", "answered", 10)
    assert identity_holds(level(cell.groups["chat//"], [], 20))


def test_time_to_accept_is_kept_beside_the_time_to_answer() -> None:
    cell = Cell("t", "q", 0)
    wait(cell, "a/1", Waiting("chat", 0, 0))
    leave(cell, "a/1", "chat//", "answered", 9000, accepted_ms=4000)
    found = level(cell.groups["chat//"], [], 5)
    assert (FORMULAS["asa"](found), FORMULAS["asa_accept"](found)) == (9.0, 4.0)
    assert (found.answered_in, found.accepted_in, found.removed_in) == (0, 1, 0)


def test_non_response_is_of_offers() -> None:
    cell = Cell("t", "q", 0)
    for what in ("made", "made", "made", "made", "accepted", "declined", "expired", "withdrawn"):
        offer(cell, "chat//", what)
    assert FORMULAS["non_response"](level(cell.groups["chat//"], [], 20)) == 0.5


def test_the_target_is_always_among_the_thresholds() -> None:
    assert thresholds_of(Queue("q", "p", threshold_s=17, thresholds_s=[30, 10])) == (10, 17, 30)
    assert 20 in thresholds_of(Queue("q", "p"))


def test_every_formula_has_a_chinese_and_an_english_label() -> None:
    assert LABELS.keys() == FORMULAS.keys()
    assert all(zh and en for zh, en in LABELS.values())
    assert len({zh for zh, _ in LABELS.values()}) == len({en for _, en in LABELS.values()}) == len(LABELS)
    assert all(zh != "呼损率" for zh, _ in LABELS.values())


COUNTED = Level(
    offered=20, answered=10, abandoned=4, wait_answered_ms=50_000,
    counts={
        "talk_ms": 600_000, "hold_ms": 60_000, "wrap_up_ms": 300_000, "handled": 8, "transferred": 2, "complaints": 1,
        "started": 40, "system_connected": 32, "blocked_unqueued": 4, "answered_by_system": 10, "ivr_entered": 16,
        "ivr_contained": 4, "trunk_ms": 900_000, "trunk_seizures": 30, "score_5_n": 2, "score_5_sum": 8,
        "score_10_n": 1, "score_10_sum": 2, "cost_CNY_micros": 100_000_000, "first_responses": 4,
        "first_response_ms": 10_000, "next_responses": 5, "next_response_ms": 10_000, "resolutions": 2,
        "resolution_ms": 7_200_000, "busy_ms": 3_000_000, "ready_ms": 1_000_000, "signed_in_ms": 7_200_000,
        "chat_slot_ms": 900, "chat_busy_ms": 600, "chat_capacity_ms": 1_800, "adherent_ms": 9, "scheduled_ms": 10,
        "present": 9, "scheduled": 12, "fcr_once": 3, "fcr_resolved": 4, "fcr_final_once": 1, "fcr_final_resolved": 2,
        "ewt_n": 4, "ewt_p50_ms": 40_000, "ewt_p90_ms": 80_000, "ewt_scored": 10, "ewt_p50_met": 5, "ewt_p90_met": 9,
    },
)  # fmt: skip
EXPECTED = {
    "att": 60, "att_incl_hold": 66, "acw": 30, "aht": 96, "atht": 30, "asa": 5, "transfer_rate": 0.25,
    "complaint_rate": 0.125, "abandon_rate_connected": 0.125, "blocked_rate": 0.1, "csat": 0.5,
    "self_service_rate": 0.25,
    "cost_per_contact": 5, "first_response": 2.5, "next_response": 2, "resolution_time": 3600, "occupancy": 0.75,
    "utilization": 3 / 7.2, "slot_occupancy": 0.5, "chat_concurrency": 1.5, "adherence": 0.9, "attendance": 0.75,
    "fcr_open": 0.75, "fcr_final": 0.5, "ewt_p50": 10, "ewt_p90": 20, "ewt_p50_hit": 0.5, "ewt_p90_hit": 0.9,
    "contacts_received": 40, "contacts_per_agent_hour": 4, "ivr_containment": 0.25, "abandon_rate_queued": 4 / 14,
}  # fmt: skip


@pytest.mark.parametrize("formula", sorted(EXPECTED))
def test_formula_by_hand(formula: str) -> None:
    assert FORMULAS[formula](COUNTED) == pytest.approx(EXPECTED[formula])


def test_cost_is_undefined_in_several_currencies_and_occupancy_of_a_queue() -> None:
    costs = {"cost_CNY_micros": 1, "cost_USD_micros": 1, "busy_ms": 5}
    found = figures(Level(answered=1, counts=costs), ("cost_per_contact", "occupancy"))
    assert found == {"cost_per_contact": None, "occupancy": None}


def test_a_cost_that_was_taken_back_is_no_cost_in_a_second_currency() -> None:
    """A contact's costs move to its first queue once that is known: where they were a zero stays."""
    once = figures(
        Level(answered=2, counts={"cost_CNY_micros": 6_000_000, "cost_USD_micros": 0}), ("cost_per_contact",)
    )
    assert once == {"cost_per_contact": 3}
    assert figures(Level(answered=2, counts={"cost_CNY_micros": 0}), ("cost_per_contact",)) == {
        "cost_per_contact": None
    }


def test_the_longest_wait_is_of_those_who_wait_in_this_queue_and_since_they_arrived() -> None:
    found = level(Tally(), [5_000, 9_000], 20, [60_000, 9_000])
    assert figures(found, ("queue_depth", "longest_wait", "longest_wait_arrival")) == {
        "queue_depth": 2,
        "longest_wait": 9.0,
        "longest_wait_arrival": 60.0,
    }
