"""Counts within a threshold: one at a time, and all of a row at once."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from analytics.domain.level import OUTCOMES, Within, level, within
from analytics.domain.levels import ACCEPTED, Tally

WAITS = st.dictionaries(st.integers(0, 40), st.integers(1, 5), max_size=6)
TALLIES = st.dictionaries(st.sampled_from([*OUTCOMES, ACCEPTED]), WAITS)
THRESHOLDS = st.lists(st.integers(0, 45), unique=True, max_size=5).map(sorted)


@given(TALLIES, st.lists(st.integers(0, 50_000), max_size=4), THRESHOLDS)
def test_all_thresholds_of_a_row_at_once_say_what_each_says_alone(waits, waited_ms, thresholds):
    tally = Tally(waits=waits, sums_ms=dict.fromkeys(waits, 0))
    alone = [level(tally, waited_ms, threshold) for threshold in thresholds]
    assert within(tally, waited_ms, thresholds) == [
        Within(
            threshold,
            found.answered_in,
            found.accepted_in,
            found.abandoned_in,
            found.callback_in,
            found.removed_in,
            found.waiting_over,
        )
        for threshold, found in zip(thresholds, alone, strict=True)
    ]
