"""Percentiles of waits: the least wait that so many in a hundred do not exceed."""

from __future__ import annotations

import gc
from math import ceil

from hdrh.histogram import HdrHistogram
from hypothesis import given
from hypothesis import strategies as st

from analytics.app.histograms import encoded, histogram, percentiles
from analytics.domain.levels import bucket


@given(st.lists(st.integers(1, 3_600_000), min_size=1, max_size=40), st.sampled_from([50, 90, 99]))
def test_a_percentile_is_within_one_percent_of_the_exact_one_however_few_there_are(waits, percent):
    counts: dict[int, int] = {}
    for wait in waits:
        counts[bucket(wait)] = counts.get(bucket(wait), 0) + 1
    exact = sorted(waits)[ceil(len(waits) * percent / 100) - 1] / 1000
    found = percentiles([counts])[percent]
    assert abs(found - exact) <= 0.01 * exact


@given(st.dictionaries(st.integers(0, 4_000_000_000).map(bucket), st.integers(1, 9), min_size=1), st.integers(1, 99))
def test_a_percentile_is_the_value_at_the_same_rank_of_the_histogram(counts, percent):
    total = sum(counts.values())
    rank = 100 * ceil(total * percent / 100) / total
    assert percentiles([counts], [percent])[percent] == histogram([counts]).get_value_at_percentile(rank) / 1000


def test_percentiles_of_nothing_are_unknown_also_where_what_was_counted_was_taken_back():
    assert percentiles([]) == percentiles([{}, {7: 0}]) == {50: None, 90: None, 99: None}


def test_what_was_encoded_is_gone_at_once_without_garbage_collection():
    """Each is 26 kB, and a busy minute publishes thousands."""
    gc.collect()
    gc.disable()
    try:
        assert encoded([dict.fromkeys(range(100), 1)])
        assert not [one for one in gc.get_objects() if isinstance(one, HdrHistogram)]
    finally:
        gc.enable()
