"""A feed's rule book: each line once, in any order within the terms (CH-7, kernel rule 29)."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.domain import feed as feeds
from analytics.domain.feed import (
    DUPLICATE,
    FEED,
    LATE,
    AdvanceFeed,
    CallFactFed,
    EndFeed,
    FeedAdvanced,
    FeedEnded,
    FeedLines,
    FeedOpened,
    Line,
    OpenFeed,
    Terms,
)
from switchlog.testing.deciding import DeciderTest

TERMS, ANY = Terms(lateness_ms=60_000), Terms(lateness_ms=60_000, any_order=True)
OPENED = FeedOpened("pbx", TERMS)
stream = DeciderTest(FEED)


def line(name: str, at: int = 1_000_000) -> Line:
    return Line(name, "contact_queued", at, contact="c1", queue="sales")


def fed(name: str, at: int = 1_000_000) -> CallFactFed:
    return CallFactFed("pbx", line(name, at))


def test_the_first_line_opens_the_stream():
    stream.when(FeedLines("pbx", TERMS, (line("a"), line("b")))).then(OPENED, fed("a"), fed("b"))


def test_a_repeat_tells_nothing_not_even_that_the_feed_goes_on():
    known = stream.given(OPENED, fed("a"), FeedEnded("pbx", 1))
    known.when(FeedLines("pbx", TERMS, (line("a"),))).then()
    known.when(FeedLines("pbx", TERMS, (line("a"), line("b"), line("b")))).then(OPENED, fed("b"))


def test_other_terms_are_told_with_the_first_new_line():
    stream.given(OPENED, fed("a")).when(FeedLines("pbx", ANY, (line("b"),))).then(FeedOpened("pbx", ANY), fed("b"))


def test_a_line_later_than_the_lateness_is_left_out_and_one_at_its_edge_is_taken():
    known = stream.given(OPENED, fed("a", 1_000_000))
    sorted_out = feeds.sort_out(known.state, TERMS, [line("b", 939_999), line("c", 940_000), line("a")])
    assert [one.line_id for one in sorted_out.new] == ["c"]
    assert sorted_out.refused == [(0, LATE), (2, DUPLICATE)]


def test_the_source_s_time_moves_within_a_batch():
    found = feeds.sort_out(stream.state, TERMS, [line("a", 1_000_000), line("b", 900_000)])
    assert found.refused == [(1, LATE)]


def test_in_any_order_nothing_is_too_late():
    assert feeds.sort_out(stream.given(fed("a", 10**12)).state, ANY, [line("b", 1)]).refused == []


def test_a_stream_without_lines_is_told_the_time_only_when_it_is_behind():
    known = stream.given(OPENED, fed("a", 1_000_000))
    known.when(AdvanceFeed("pbx", 1_060_000)).then()
    known.when(AdvanceFeed("pbx", 1_060_001)).then(FeedAdvanced("pbx", 1_060_001))
    stream.when(AdvanceFeed("pbx", 1_060_001)).then()


def test_what_was_told_of_time_makes_lines_late():
    known = stream.given(OPENED, FeedAdvanced("pbx", 2_000_000))
    assert feeds.sort_out(known.state, TERMS, [line("a", 1_000_000)]).refused == [(0, LATE)]


def test_an_end_is_told_once_with_the_number_of_lines():
    known = stream.given(OPENED, fed("a"), fed("b"))
    known.when(EndFeed("pbx")).then(FeedEnded("pbx", 2))
    known.given(FeedEnded("pbx", 2)).when(EndFeed("pbx")).then()
    stream.when(EndFeed("pbx")).then()


def test_opening_twice_is_opening_once():
    stream.when(OpenFeed("pbx", TERMS)).then(OPENED)
    stream.given(OPENED).when(OpenFeed("pbx", TERMS)).then()


def test_all_that_is_told_of_a_contact_goes_to_one_stream():
    names = {feeds.stream_of("pbx", Line(str(n), "contact_held", n, contact="c7", agent=f"a{n}")) for n in range(50)}
    assert len(names) == 1
    spread = {feeds.stream_of("pbx", Line(str(n), "contact_held", n, contact=f"c{n}")) for n in range(500)}
    assert spread == set(feeds.streams_of("pbx")) and len(spread) == 16


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 2**64 - 1), unique=True, max_size=300), st.integers(0, 2**32))
def test_what_was_learned_is_known_and_nothing_else_is(marks: list[int], seed: int):
    chance = random.Random(seed)
    known, told = (), 0
    while told < len(marks):
        few = chance.randint(1, 40)
        before = known
        known = feeds.learned(known, *marks[told : told + few])
        assert all(feeds.knows(before, mark) == (place < told) for place, mark in enumerate(marks[: told + few]))
        told += few
    assert all(feeds.knows(known, mark) for mark in marks)
    assert sum(map(len, known)) == len(marks) and len(known) <= 10
