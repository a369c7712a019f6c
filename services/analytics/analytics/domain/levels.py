"""Counts of one queue and quarter hour: every change needs only the fact and the row itself, so rows replay alone.

A wait is kept three ways: by outcome in seconds rounded up, from which the counts within any threshold follow (answered
at exactly T is in); as a sum of milliseconds; and by outcome in the buckets of an HdrHistogram of two digits.
"""

from __future__ import annotations

from dataclasses import dataclass, field

QUARTER_MS = 900_000
ACCEPTED = "accepted"
"""The word under which ``Tally`` keeps t_acc - t_enq beside the outcomes."""

Counts = dict[int, int]


@dataclass(slots=True)
class Tally:
    """One channel's counts; ``waits``, ``buckets`` and ``sums_ms`` are by outcome, ``offers`` by how they ended."""

    offered: int = 0
    waits: dict[str, Counts] = field(default_factory=dict)
    sums_ms: dict[str, int] = field(default_factory=dict)
    buckets: dict[str, Counts] = field(default_factory=dict)
    offers: dict[str, int] = field(default_factory=dict)
    longest_ms: int = 0


@dataclass(slots=True)
class Cell:
    """A queue's quarter hour as one source partition told it.

    ``waiting`` is (contact, leg) as text -> (channel, queued_at); ``final_ms`` the T whose verdicts the log called
    final, -1 before. ``version`` is the offset after the last record that it reflects; what stands below ``guard``, the
    version it was loaded with, is already in it.
    """

    tenant: str
    queue: str
    start: int
    pool: str = ""
    channels: dict[str, Tally] = field(default_factory=dict)
    waiting: dict[str, tuple[str, int]] = field(default_factory=dict)
    final_ms: int = -1
    version: int = 0
    guard: int = 0

    @property
    def key(self) -> CellKey:
        return self.tenant, self.queue, self.start

    @property
    def final(self) -> bool:
        """Every contact of the cohort has left, and by the log's clock none can be queued into it any more."""
        return self.final_ms >= 0 and not self.waiting


CellKey = tuple[str, str, int]
"""(tenant, queue, start of the quarter hour in epoch milliseconds)."""


def quarter(at: int) -> int:
    """The start of the quarter hour that ``at`` is in."""
    return at - at % QUARTER_MS


def leg_key(contact: str, leg: int) -> str:
    return f"{contact}/{leg}"


def wait(cell: Cell, leg: str, channel: str, queued_at: int) -> None:
    """A contact waits: it is offered to the queue."""
    _tally(cell, channel).offered += 1
    cell.waiting[leg] = (channel, queued_at)


def leave(cell: Cell, leg: str, channel: str, outcome: str, waited_ms: int, accepted_ms: int = -1) -> None:
    """A wait has ended; ``accepted_ms`` is how long it took an agent to accept, -1 where none did.

    Of a contact whose arrival is not on the topic any more the arrival is counted here: the identity holds always.
    """
    tally = _tally(cell, channel)
    if cell.waiting.pop(leg, None) is None:
        tally.offered += 1
    _count(tally, outcome, waited_ms)
    tally.longest_ms = max(tally.longest_ms, waited_ms)
    if accepted_ms >= 0:
        _count(tally, ACCEPTED, accepted_ms)


def offer(cell: Cell, channel: str, what: str) -> None:
    """An offer was ``made``, or it ended ``accepted declined expired withdrawn``."""
    offers = _tally(cell, channel).offers
    offers[what] = offers.get(what, 0) + 1


def merged(tallies: list[Tally]) -> Tally:
    """The sum of ``tallies``: counts and sums are added, never averages; the longest wait is a maximum."""
    total = Tally()
    for tally in tallies:
        total.offered += tally.offered
        total.longest_ms = max(total.longest_ms, tally.longest_ms)
        _add(total.sums_ms, tally.sums_ms)
        _add(total.offers, tally.offers)
        for outcome, counts in tally.waits.items():
            _add(total.waits.setdefault(outcome, {}), counts)
        for outcome, counts in tally.buckets.items():
            _add(total.buckets.setdefault(outcome, {}), counts)
    return total


def bucket(milliseconds: int) -> int:
    """The least value that an HdrHistogram of two digits does not tell from ``milliseconds``."""
    shift = max(0, milliseconds.bit_length() - 8)
    return milliseconds >> shift << shift


def _tally(cell: Cell, channel: str) -> Tally:
    tally = cell.channels.get(channel)
    if tally is None:
        tally = cell.channels[channel] = Tally()
    return tally


def _count(tally: Tally, outcome: str, milliseconds: int) -> None:
    _one_more(tally.waits, outcome, -(-milliseconds // 1000))
    _one_more(tally.buckets, outcome, bucket(milliseconds))
    tally.sums_ms[outcome] = tally.sums_ms.get(outcome, 0) + milliseconds


def _one_more(by_outcome: dict[str, Counts], outcome: str, value: int) -> None:
    counts = by_outcome.get(outcome)
    if counts is None:
        counts = by_outcome[outcome] = {}
    counts[value] = counts.get(value, 0) + 1


def _add(total: dict, more: dict) -> None:  # type: ignore[type-arg]  # any key, int values
    for key, count in more.items():
        total[key] = total.get(key, 0) + count
