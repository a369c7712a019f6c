"""Percentiles of waits: the least wait that so many in a hundred do not exceed."""

from __future__ import annotations

from math import ceil

from hypothesis import given
from hypothesis import strategies as st

from analytics.app.histograms import percentiles
from analytics.domain.levels import bucket


@given(st.lists(st.integers(1, 3_600_000), min_size=1, max_size=40), st.sampled_from([50, 90, 99]))
def test_a_percentile_is_within_one_percent_of_the_exact_one_however_few_there_are(waits, percent):
    counts: dict[int, int] = {}
    for wait in waits:
        counts[bucket(wait)] = counts.get(bucket(wait), 0) + 1
    exact = sorted(waits)[ceil(len(waits) * percent / 100) - 1] / 1000
    found = percentiles([counts])[percent]
    assert abs(found - exact) <= 0.01 * exact
