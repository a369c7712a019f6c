"""Counts of one queue and quarter hour, by channel, agent and team: the row that every fold of contacts adds to.

A wait is kept three ways: by outcome in seconds rounded up, from which the counts within any threshold follow (answered
at exactly T is in); as a sum of milliseconds; and by outcome in the buckets of an HdrHistogram of two digits.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

QUARTER_MS = 900_000
DAY_MS = 24 * 3600 * 1000
COHORT, EVENT = "cohort", "event"
ACCEPTED = "accepted"
"""The word under which ``Tally`` keeps t_acc - t_enq beside the outcomes."""

Counts = dict[int, int]
Sums = dict[str, int]


@dataclass(slots=True)
class Tally:
    """One group's counts; ``waits``, ``buckets`` and ``sums_ms`` are by outcome, ``offers`` by how they ended.

    ``counts`` are all the others, under the names of the definitions: numbers, and sums ending in ``_ms``.
    """

    offered: int = 0
    waits: dict[str, Counts] = field(default_factory=dict)
    sums_ms: Sums = field(default_factory=dict)
    buckets: dict[str, Counts] = field(default_factory=dict)
    offers: Sums = field(default_factory=dict)
    longest_ms: int = 0
    counts: Sums = field(default_factory=dict)


class Waiting(NamedTuple):
    """A leg that waits; ``p50_ms`` and ``p90_ms`` are the wait that was estimated for it, 0: none was."""

    channel: str
    queued_at: int
    arrived_at: int
    p50_ms: int = 0
    p90_ms: int = 0


class Serving(NamedTuple):
    """An answered leg that is not handled yet; ``wrap_up_at`` is when its wrap-up began, -1 before."""

    group: str
    wrap_up_at: int = -1


class Early(NamedTuple):
    """Work on a waiting leg that ended, by the agent's stream, before the leg was seen answered; -1: no wrap-up."""

    agent: str
    wrap_up_at: int = -1
    ended_at: int = -1


@dataclass(slots=True)
class Cell:
    """A queue's quarter hour as one source partition told it.

    ``groups`` are by ``group``. ``waiting``, ``serving`` and ``early`` are by (contact, leg) as text, ``ringing`` leads
    from an open offer to its group. ``final_ms`` is the T whose verdicts the log called final, -1 before. ``version``
    is the offset after the last record that it reflects; what stands below ``guard``, the version it was loaded with,
    is already in it.
    """

    tenant: str
    queue: str
    start: int
    attribution: str = COHORT
    pool: str = ""
    groups: dict[str, Tally] = field(default_factory=dict)
    waiting: dict[str, Waiting] = field(default_factory=dict)
    serving: dict[str, Serving] = field(default_factory=dict)
    early: dict[str, Early] = field(default_factory=dict)
    ringing: dict[str, str] = field(default_factory=dict)
    final_ms: int = -1
    version: int = 0
    guard: int = 0

    @property
    def key(self) -> CellKey:
        return self.tenant, self.queue, self.start, self.attribution

    @property
    def final(self) -> bool:
        """Every contact of the cohort has left, and by the log's clock none can be queued into it any more."""
        return self.final_ms >= 0 and not self.waiting

    @property
    def quiet(self) -> bool:
        """Nothing is expected that could only be told with this cell at hand."""
        return not (self.waiting or self.serving or self.ringing)


CellKey = tuple[str, str, int, str]
"""(tenant, queue, start of the quarter hour in epoch milliseconds, attribution)."""


def quarter(at: int) -> int:
    """The start of the quarter hour that ``at`` is in."""
    return at - at % QUARTER_MS


def pieces(begin: int, end: int) -> Iterator[tuple[int, int]]:
    """(quarter hour, milliseconds in it) of the time from ``begin`` to ``end``; nothing if it ends before it begins."""
    while begin < end:
        start = quarter(begin)
        until = min(end, start + QUARTER_MS)
        yield start, until - begin
        begin = until


def leg_key(contact: str, leg: int) -> str:
    return f"{contact}/{leg}"


def group(channel: str, agent: str = "", team: str = "") -> str:
    """The key of a cell's group; ``parted`` is its inverse (no id has a slash in it)."""
    return f"{channel}/{agent}/{team}"


def parted(key: str) -> tuple[str, str, str]:
    """(channel, agent, team)."""
    channel, agent, team = key.split("/")
    return channel, agent, team


# --- what may happen to a cell ---------------------------------------------------------------------------------------


def arrive(cell: Cell, channel: str) -> None:
    """A contact is offered to the queue."""
    tally_of(cell, group(channel)).offered += 1


def wait(cell: Cell, leg: str, waiting: Waiting) -> None:
    """It waits; whatever was estimated for it is counted."""
    arrive(cell, waiting.channel)
    cell.waiting[leg] = waiting
    estimated(cell, waiting)


def estimated(cell: Cell, waiting: Waiting) -> None:
    """The estimate told to a contact that now waits."""
    if waiting.p90_ms > 0:
        counts = tally_of(cell, group(waiting.channel)).counts
        add(counts, "ewt_n", 1)
        add(counts, "ewt_p50_ms", waiting.p50_ms)
        add(counts, "ewt_p90_ms", waiting.p90_ms)


def leave(cell: Cell, leg: str, key: str, outcome: str, waited_ms: int, accepted_ms: int = -1) -> None:
    """A wait has ended, counted to the group ``key``; ``accepted_ms`` is t_acc - t_enq, -1 where no agent accepted.

    Of a contact whose arrival is not on the topic any more the arrival is counted here: the identity holds always.
    """
    if cell.waiting.pop(leg, None) is None:
        arrive(cell, parted(key)[0])
    outcome_of(cell, key, outcome, waited_ms, accepted_ms)


def outcome_of(cell: Cell, key: str, outcome: str, waited_ms: int, accepted_ms: int = -1) -> None:
    """Count how a wait ended."""
    tally = cell.groups.get(key)
    if tally is None:
        tally = cell.groups[key] = Tally()
    _count(tally, outcome, waited_ms)
    buckets, least = tally.buckets.get(outcome), bucket(waited_ms)
    if buckets is None:
        tally.buckets[outcome] = {least: 1}
    else:
        buckets[least] = buckets.get(least, 0) + 1
    if waited_ms > tally.longest_ms:
        tally.longest_ms = waited_ms
    if accepted_ms >= 0:
        _count(tally, ACCEPTED, accepted_ms)


def scored(cell: Cell, waiting: Waiting, waited_ms: int) -> None:
    """An answered contact's wait beside what had been estimated."""
    if waiting.p90_ms > 0:
        counts = tally_of(cell, group(waiting.channel)).counts
        add(counts, "ewt_scored", 1)
        add(counts, "ewt_p50_met", waited_ms <= waiting.p50_ms)
        add(counts, "ewt_p90_met", waited_ms <= waiting.p90_ms)


def offer(cell: Cell, key: str, what: str) -> None:
    """An offer was ``made``, or it ended ``accepted declined expired withdrawn``."""
    offers = tally_of(cell, key).offers
    offers[what] = offers.get(what, 0) + 1


def tally_of(cell: Cell, key: str) -> Tally:
    """The counts of the group ``key``."""
    tally = cell.groups.get(key)
    if tally is None:
        tally = cell.groups[key] = Tally()
    return tally


def observe(tally: Tally, name: str, milliseconds: int, times: int = 1) -> None:
    """A duration that is kept as number, sum and histogram: ``<name>s``, ``<name>_ms`` and the buckets ``<name>``."""
    add(tally.counts, f"{name}s", times)
    add(tally.counts, f"{name}_ms", milliseconds * times)
    counts = tally.buckets.setdefault(name, {})
    add(counts, bucket(milliseconds), times)


def merged(tallies: Iterable[Tally]) -> Tally:
    """The sum of ``tallies``."""
    total = Tally()
    for tally in tallies:
        add_tally(total, tally)
    return total


def add_tally(total: Tally, more: Tally) -> None:
    """Counts and sums are added, never averages; the longest wait is a maximum."""
    total.offered += more.offered
    total.longest_ms = max(total.longest_ms, more.longest_ms)
    add_all(total.sums_ms, more.sums_ms)
    add_all(total.offers, more.offers)
    add_all(total.counts, more.counts)
    for outcome, counts in more.waits.items():
        add_all(total.waits.setdefault(outcome, {}), counts)
    for outcome, counts in more.buckets.items():
        add_all(total.buckets.setdefault(outcome, {}), counts)


def bucket(milliseconds: int) -> int:
    """The least value that an HdrHistogram of two digits does not tell from ``milliseconds``."""
    shift = max(0, milliseconds.bit_length() - 8)
    return milliseconds >> shift << shift


def _count(tally: Tally, outcome: str, milliseconds: int) -> None:
    """In seconds rounded up, and in sum."""
    waits, seconds, sums = tally.waits.get(outcome), -(-milliseconds // 1000), tally.sums_ms
    if waits is None:
        tally.waits[outcome], sums[outcome] = {seconds: 1}, milliseconds
    else:
        waits[seconds] = waits.get(seconds, 0) + 1
        sums[outcome] += milliseconds


def add(counts: dict, name: object, amount: int) -> None:  # type: ignore[type-arg]  # any key, int values
    """``counts[name] += amount``."""
    counts[name] = counts.get(name, 0) + amount


def add_all(total: dict, more: dict) -> None:  # type: ignore[type-arg]  # any key, int values
    """Add ``more`` to ``total``, name by name."""
    if not total:
        total.update(more)
        return
    for key, count in more.items():
        total[key] = total.get(key, 0) + count
