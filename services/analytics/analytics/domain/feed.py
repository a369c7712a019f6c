"""The rule book of a feed: lines of another switch become facts of a stream, each once, in any order within its terms.

A source has 16 streams; a line goes to the one that its contact (or agent) hashes to, so all that is told of a contact
is in one stream. Repeats are found by 64-bit hashes of line ids (kernel rule 29): among a million lines two ids are
taken for one with a chance of 3 in 10^8.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import NamedTuple, assert_never
from zlib import crc32

from switchlog.decider import Decider

STREAMS = 16
LINES = 999
"""So many lines and the opening of the stream fit one append of 1 000 events."""

ADVANCE_MS = 60_000
"""A stream without lines is told the source's time when it is behind by more."""

LATENESS_MS = 600_000
DUPLICATE, LATE = "DUPLICATE", "TOO_LATE"

Hashes = tuple["array[int]", ...]
"""Sorted runs, each at least twice as long as the next: a line is added and found in O(log n), 8 bytes each."""


class Line(NamedTuple):
    """One line, checked; times are epoch milliseconds, empty and ``None`` mean that it does not say."""

    line_id: str
    fact: str
    at: int
    contact: str = ""
    queue: str = ""
    agent: str = ""
    channel: str = ""
    priority: int = 0
    attributes: tuple[tuple[str, str], ...] = ()
    outcome: str = ""
    reason: str = ""
    planned: bool | None = None
    score: int | None = None
    to_queue: str = ""
    planned_from: int = 0
    planned_to: int = 0
    amount_micros: int | None = None
    currency: str = ""
    team: str = ""
    leg: int = 0


@dataclass(frozen=True, slots=True)
class Terms:
    """Lines come at most ``lateness_ms`` late by the source's own time; or in ``any_order``: final at the end only."""

    lateness_ms: int = LATENESS_MS
    any_order: bool = False


# --- facts -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FeedOpened:
    source: str
    terms: Terms


@dataclass(frozen=True, slots=True)
class CallFactFed:
    source: str
    line: Line


@dataclass(frozen=True, slots=True)
class FeedAdvanced:
    """No line for this stream, but the source's time stands at ``at``."""

    source: str
    at: int


@dataclass(frozen=True, slots=True)
class FeedEnded:
    source: str
    accepted: int


FeedEvent = FeedOpened | CallFactFed | FeedAdvanced | FeedEnded


# --- orders ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OpenFeed:
    source: str
    terms: Terms


@dataclass(frozen=True, slots=True)
class FeedLines:
    source: str
    terms: Terms
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class AdvanceFeed:
    source: str
    at: int


@dataclass(frozen=True, slots=True)
class EndFeed:
    source: str


FeedCommand = OpenFeed | FeedLines | AdvanceFeed | EndFeed


# --- the rules -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Feed:
    """One stream of a source. ``clock`` is the latest time told, ``known`` the hashes of all its lines."""

    terms: Terms | None = None
    ended: bool = False
    clock: int = 0
    accepted: int = 0
    known: Hashes = ()

    @property
    def open(self) -> bool:
        return self.terms is not None and not self.ended


class Sorted(NamedTuple):
    """What becomes of lines: ``new`` are to be told, ``refused`` are (place among the lines, DUPLICATE or TOO_LATE)."""

    new: list[Line]
    refused: list[tuple[int, str]]


def sort_out(feed: Feed, terms: Terms, lines: Sequence[Line]) -> Sorted:
    """Repeats and lines later than the terms allow are left out; the source's time is that of the lines before."""
    found, clock, here = Sorted([], []), feed.clock, set[int]()
    for place, line in enumerate(lines):
        mark = line_hash(line.line_id)
        if mark in here or knows(feed.known, mark):
            found.refused.append((place, DUPLICATE))
        elif not terms.any_order and line.at < clock - terms.lateness_ms:
            found.refused.append((place, LATE))
        else:
            here.add(mark)
            clock = max(clock, line.at)
            found.new.append(line)
    return found


def decide(command: FeedCommand, feed: Feed, now: int) -> Sequence[FeedEvent]:
    match command:
        case OpenFeed(source, terms):
            return _opened(source, terms, feed)
        case FeedLines(source, terms, lines):
            new = sort_out(feed, terms, lines).new
            return [*_opened(source, terms, feed), *(CallFactFed(source, line) for line in new)] if new else []
        case AdvanceFeed(source, at):
            behind = feed.open and at - feed.clock > ADVANCE_MS
            return [FeedAdvanced(source, at)] if behind else []
        case EndFeed(source):
            return [FeedEnded(source, feed.accepted)] if feed.open else []
        case _:
            assert_never(command)


def _opened(source: str, terms: Terms, feed: Feed) -> list[FeedEvent]:
    return [] if feed.open and feed.terms == terms else [FeedOpened(source, terms)]


def evolve(feed: Feed, event: FeedEvent) -> Feed:
    match event:
        case CallFactFed(_, line):
            known = learned(feed.known, line_hash(line.line_id))
            return Feed(feed.terms, feed.ended, max(feed.clock, line.at), feed.accepted + 1, known)
        case FeedOpened(_, terms):
            return replace(feed, terms=terms, ended=False)
        case FeedAdvanced(_, at):
            return replace(feed, clock=max(feed.clock, at))
        case FeedEnded():
            return replace(feed, ended=True)
        case _:
            assert_never(event)


FEED: Decider[FeedCommand, Feed, FeedEvent] = Decider(Feed(), decide, evolve)


# --- hashes ----------------------------------------------------------------------------------------------------------


def line_hash(line_id: str) -> int:
    """64 bits."""
    return int.from_bytes(blake2b(line_id.encode(), digest_size=8).digest())


def knows(known: Hashes, mark: int) -> bool:
    for run in known:
        place = bisect_left(run, mark)
        if place < len(run) and run[place] == mark:
            return True
    return False


def learned(known: Hashes, *marks: int) -> Hashes:
    """``known`` and ``marks``; what was ``known`` before stays as it is."""
    run = array("Q", sorted(marks))
    while known and len(known[-1]) < 2 * len(run):
        run = array("Q", sorted(known[-1] + run))
        known = known[:-1]
    return (*known, run)


def stream_of(source: str, line: Line) -> str:
    """The stream's name: by the contact, else the agent, else the line itself."""
    return stream_name(source, crc32((line.contact or line.agent or line.line_id).encode()) % STREAMS)


def stream_name(source: str, number: int) -> str:
    return f"feed-{source}-{number}"


def streams_of(source: str) -> Iterable[str]:
    return (stream_name(source, number) for number in range(STREAMS))
