"""Cells, agents' days and tickets into answered rows: sums by interval and group, and what may still change of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import NamedTuple
from zoneinfo import ZoneInfo

from analytics.domain.counters import Day
from analytics.domain.finality import Facts, Flags, counts_anything, facts_of
from analytics.domain.formulas import OUTCOMES, Level, figures, level, sl_strict
from analytics.domain.intervals import Span
from analytics.domain.levels import (
    COHORT,
    QUARTER_MS,
    Cell,
    Counts,
    Tally,
    Waiting,
    add,
    add_all,
    add_tally,
    parted,
    quarter,
)
from analytics.domain.rollups import WORK, Rollup, Worked, by_quarter
from analytics.domain.targets import Target, Targets
from analytics.domain.tickets import Ticket, settled

COLUMNS = ("queue", "channel", "agent", "team")
OF_TIME = frozenset(
    {*WORK, "signed_in_ms", "checked_in_ms", "ready_ms", "in_wrap_up_ms", "not_ready_ms", "break_ms", "chat_busy_ms"}
    | {"chat_slot_ms", "chat_capacity_ms", "scheduled_ms", "adherent_ms", "scheduled", "present"}
    | {"help_requests", "help_wait_ms"}
)
"""Sums of agents' days; whatever else a day holds is in the cells too."""
FCR = frozenset({"fcr_open", "fcr_final"})

Key = tuple[str, ...]
"""The values of the columns grouped by."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a question fixes for all rows; ``queues`` and the other filters are empty where all are meant."""

    step: str
    tz: ZoneInfo
    threshold_s: int
    formulas: tuple[str, ...]
    attribution: str = COHORT
    group_by: tuple[str, ...] = ("queue",)
    queues: frozenset[str] = frozenset()
    channels: frozenset[str] = frozenset()
    agents: frozenset[str] = frozenset()
    teams: frozenset[str] = frozenset()

    @property
    def by_agent(self) -> bool:
        """Whether it matters which agent did what."""
        return bool(self.agents or self.teams or {"agent", "team"} & set(self.group_by))

    @property
    def of_agents(self) -> bool:
        """Whether agents' whole time is told: it is of no queue and of no channel."""
        return not (self.queues or self.channels or {"queue", "channel"} & set(self.group_by))

    def wants(self, channel: str, agent: str, team: str) -> bool:
        return (
            (not self.channels or channel in self.channels)
            and (not self.agents or agent in self.agents)
            and (not self.teams or team in self.teams)
        )


@dataclass(frozen=True, slots=True)
class Place:
    """A queue whose cells are asked for, with its target, its pool's time, and how old its newest input is.

    Without a ``pool`` are those that only tickets name, and "", to which contacts count that were never queued.
    """

    queue: str
    pool: str = ""
    target_s: int = 20
    clock: int = 0
    freshness_ms: int = 0
    targets: Targets | None = None


class Reached(NamedTuple):
    """The target that held when an interval began, and whether it was reached (``None``: nobody was to be answered)."""

    target: Target
    met: bool | None


@dataclass(frozen=True, slots=True)
class Row:
    """Figures of one interval and group (column -> value); ``tally`` is what they were made of.

    ``target`` is told of rows of one queue that has one.
    """

    groups: Mapping[str, str]
    start: int
    end: int
    level: Level
    figures: Mapping[str, float | None]
    tally: Tally
    flags: Flags
    freshness_ms: int
    target: Reached | None = None

    @property
    def waits(self) -> list[Counts]:
        """The histograms of waits that have ended, whatever the outcome."""
        return [self.tally.buckets[outcome] for outcome in OUTCOMES if outcome in self.tally.buckets]


@dataclass(slots=True)
class Sum:
    """One row so far; ``waited`` and ``arrived`` are how long those have waited who still do, milliseconds."""

    tally: Tally = field(default_factory=Tally)
    waited: list[int] = field(default_factory=list)
    arrived: list[int] = field(default_factory=list)

    @property
    def counts_anything(self) -> bool:
        """Whether a row is made of it."""
        return bool(self.waited) or counts_anything(self.tally)


@dataclass
class Sheet:
    """The rows of some intervals in a row, ``spans``, while they are added up: nothing of it is in the store.

    ``places`` are all queues that count; ``now`` is when those who wait are looked at.
    """

    asked: Asked
    spans: Sequence[Span]
    places: Sequence[Place]
    now: int
    sums: dict[tuple[Span, Key], Sum] = field(default_factory=dict)
    flags: dict[tuple[Span, str], Flags] = field(default_factory=dict)
    groups: dict[tuple[str, str], Key | None] = field(default_factory=dict)
    of_quarter: dict[int, Span] = field(init=False)
    freshness_ms: dict[str, int] = field(init=False)
    targets: dict[str, Targets] = field(init=False)

    def __post_init__(self) -> None:
        self.of_quarter = {at: span for span in self.spans for at in range(span[0], span[1], QUARTER_MS)}
        pooled = [place for place in self.places if place.pool]
        self.freshness_ms = {place.queue: place.freshness_ms for place in pooled}
        self.targets = {place.queue: place.targets for place in pooled if place.targets}
        if self.asked.attribution == COHORT:
            for span, place in product(self.spans, pooled):
                said = _by_the_clock(place, span[1], self.asked.threshold_s)
                key = self._flagged(span, place)
                self.flags[key] = self.flags.get(key, said) & said

    def take_cells(self, place: Place, cells: Sequence[Cell]) -> None:
        """A queue's cells of the attribution asked for, all of every quarter hour at once."""
        for cell in cells:
            self._take_groups(place.queue, cell.start, cell.groups)
            self._take_waiting(place.queue, cell.start, cell.waiting.values())
        for start, parts in by_quarter(cells).items():
            if self._flagged(self.of_quarter[start], place) in self.flags:
                self._take_facts(place, start, facts_of(place.queue, parts))

    def take_work(self, place: Place, found: Iterable[Worked]) -> None:
        """Of a queue's event cells only agents' work with its contacts."""
        for start, key, sums in found:
            if (whose := self._whose(place.queue, key)) is not None:
                add_all(self._sum(start, whose).tally.counts, sums)

    def take_rollup(self, place: Place, start: int, rollup: Rollup) -> None:
        """A queue's local day, of the attribution asked for, in place of its cells."""
        self._take_groups(place.queue, start, rollup.groups)
        self._take_waiting(place.queue, start, rollup.waiting)
        self._take_facts(place, start, rollup.facts)
        if not self.asked.of_agents:
            self.take_work(place, ((start, key, sums) for key, sums in rollup.work.items()))

    def take_day(self, day: Day) -> None:
        """An agent's time, of the quarter hours of these intervals."""
        for start, teams in day.quarters.items():
            for team, sums in teams.items():
                if start in self.of_quarter and self.asked.wants("", day.agent, team):
                    found = {name: amount for name, amount in sums.items() if name in OF_TIME}
                    self._add_counts(start, self._key("", "", day.agent, team), found)

    def take_ticket(self, ticket: Ticket, repeated: bool) -> None:
        """A ticket first resolved in these intervals; ``repeated`` is what is known so far."""
        if not self.asked.wants(ticket.channel, ticket.resolved_by, ""):
            return
        found = {"fcr_resolved": 1, "fcr_once": int(not repeated)}
        if settled(ticket, self.now):
            found |= {"fcr_final_resolved": 1, "fcr_final_once": int(not repeated)}
        at = self._key(ticket.queue, ticket.channel, ticket.resolved_by, "")
        self._add_counts(quarter(ticket.resolved_at), at, found)

    def rows(self) -> list[Row]:
        """By start, then by group: where anything counts. What no agent did is no agent's and no team's row."""
        own = [place for place, column in enumerate(self.asked.group_by) if column in ("agent", "team")]
        found = sorted(at for at, known in self.sums.items() if known.counts_anything)
        return [self.row(span, key) for span, key in found if all(key[place] for place in own)]

    def row(self, span: Span, key: Key) -> Row:
        """As known so far; also where nothing is."""
        asked, known = self.asked, self.sums.get((span, key), Sum())
        if asked.of_agents:
            known.tally.counts |= {name: known.tally.counts.get(name, 0) for name in TOLD_OF_AGENTS}
        found = level(known.tally, known.waited, asked.threshold_s, known.arrived)
        groups = dict(zip(asked.group_by, key, strict=True))
        return Row(
            groups=groups,
            start=span[0],
            end=span[1],
            level=found,
            figures=figures(found, asked.formulas),
            tally=known.tally,
            flags=self.flags.get((span, groups.get("queue", "")), Flags()),
            freshness_ms=self.freshness_ms.get(groups.get("queue", ""), max(self.freshness_ms.values(), default=0)),
            target=self._reached(self.targets.get(groups.get("queue", "")), span[0], known),
        )

    def _reached(self, targets: Targets | None, at: int, known: Sum) -> Reached | None:
        target = targets.at(at) if targets else None
        if target is None or not target.share:
            return None
        share = sl_strict(level(known.tally, known.waited, target.threshold_s))
        return Reached(target, None if share is None else share >= target.share)

    def _take_facts(self, place: Place, start: int, facts: Facts) -> None:
        key = self._flagged(self.of_quarter[start], place)
        if key in self.flags:
            self.flags[key] &= _by_the_facts(place, facts, self.asked.threshold_s)

    def _take_groups(self, queue: str, start: int, groups: Mapping[str, Tally]) -> None:
        for key, tally in groups.items():
            if (whose := self._whose(queue, key)) is not None:
                into = self._sum(start, whose).tally
                add_tally(into, tally)
                for name in WORK if self.asked.of_agents else ():
                    # the agents' days tell their work with this queue's contacts too
                    add(into.counts, name, -tally.counts.get(name, 0))

    def _take_waiting(self, queue: str, start: int, waiting: Iterable[Waiting]) -> None:
        for said in waiting:
            if self.asked.wants(said.channel, "", ""):
                into = self._sum(start, self._key(queue, said.channel, "", ""))
                into.waited.append(max(0, self.now - said.queued_at))
                into.arrived.append(max(0, self.now - said.arrived_at))

    def _add_counts(self, start: int, key: Key, found: Mapping[str, int]) -> None:
        counts = self._sum(start, key).tally.counts
        for name, amount in found.items():
            add(counts, name, amount)

    def _sum(self, start: int, key: Key) -> Sum:
        at = self.of_quarter[start], key
        found = self.sums.get(at)
        if found is None:
            found = self.sums[at] = Sum()
        return found

    def _whose(self, queue: str, group: str) -> Key | None:
        """The row that a cell's group counts to, if it is asked for at all."""
        at = queue, group
        if at not in self.groups:
            whose = parted(group)
            self.groups[at] = self._key(queue, *whose) if self.asked.wants(*whose) else None
        return self.groups[at]

    def _key(self, *values: str) -> Key:
        """Of queue, channel, agent and team what is grouped by."""
        return tuple(values[COLUMNS.index(column)] for column in self.asked.group_by)

    def _flagged(self, span: Span, place: Place) -> tuple[Span, str]:
        """A row of one queue has its flags; any other has those that all queues asked for have."""
        return span, place.queue if "queue" in self.asked.group_by else ""


TOLD_OF_AGENTS = ("busy_ms", "ready_ms", "signed_in_ms")


def _by_the_clock(place: Place, end: int, threshold_s: int) -> Flags:
    """As long as nothing was queued into the interval: its pool's time decides whether anything can be."""
    over = place.clock >= end + threshold_s * 1000
    return Flags(over, over, over)


def _by_the_facts(place: Place, facts: Facts, threshold_s: int) -> Flags:
    """What all cells of a queue's quarter hours say: of its target's threshold the fact, of others the clock."""
    if not place.pool:
        return Flags(True, True, facts.over)
    verdicts = threshold_s != place.target_s or facts.verdicts
    final = verdicts and facts.final
    return Flags(verdicts, final, final and facts.durations)
