"""What an agent of another switch contributes: states between its facts, and shifts that were planned.

A state lasts from the fact that says it to the next one, a day at most, a shift two days at most: so one more fact
changes states within a day of it and the attendance of shifts that these touch and nothing else, and only the facts of
some days are needed to take the old back and add the new (rule 29).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, pairwise

from analytics.domain import ledger, levels
from analytics.domain.amounts import Amounts
from analytics.domain.counters import DAY, SPAN
from analytics.domain.fedstory import Fact
from analytics.domain.ledger import BREAK, Out
from analytics.domain.levels import DAY_MS, pieces, quarter

SHIFT = "shift_planned"
STATES = {
    "agent_signed_in": "signed_in",
    "agent_checked_in": "not_ready",
    "agent_not_ready": "not_ready",
    "agent_ready": "ready",
    "agent_checked_out": "signed_in",
    "agent_signed_out": "",
}
"""What an agent is from each fact on; "" is nothing. Who checks in is not ready until told so."""

OF_AGENTS = frozenset({*STATES, SHIFT})

MOST_SHIFT_MS = 2 * DAY_MS
"""A shift that is longer is cut."""

NEAR, AROUND = range(-1, 2), range(-4, 5)
"""From a day on which something changes, by days: states that change are told here, and here the shifts that these
touch, with all facts that decide whether they were kept (a day before a shift, its two days, a day after it)."""

Stood = tuple[Fact, str, int]
"""(fact, state, end): what the agent was, from each fact to the next one."""


def contribution(agent: str, near: Sequence[Fact], around: Sequence[Fact]) -> Amounts:
    """What facts of ``NEAR`` days contribute, but for attendance, and the attendance that those ``AROUND`` tell."""
    out: Out = []
    stood = list(_stood(near))
    for fact, state, end in stood:
        resting = fact.reason if state in ("not_ready", BREAK) else ""
        ledger.spans(agent, out, (state, resting, fact.planned and bool(resting), "", fact.team, ""), 0, fact.at, end)
    for shift in near:
        if shift.fact == SHIFT:
            _planned(agent, out, shift, stood)
    _attended(agent, out, around)
    found: Amounts = {}
    for kind, place, start, key, name, amount in out:
        levels.add(found, (kind, place, start, key, name), 1 if kind == SPAN else amount)
    return found


def days_of(fact: Fact) -> Iterator[tuple[int, Fact]]:
    """The UTC days that a fact is kept in, by number; a shift over midnight is in parts, ``score`` marks the first."""
    if fact.fact != SHIFT:
        yield fact.at // DAY_MS, fact
        return
    begin = fact.at
    while begin < fact.until:
        end = min(fact.until, begin - begin % DAY_MS + DAY_MS)
        yield begin // DAY_MS, fact._replace(at=begin, until=end, score=int(begin == fact.at))
        begin = end


def _order(fact: Fact) -> tuple[int, int, str]:
    """In one instant an agent comes before it goes."""
    return fact.at, _RANK[fact.fact], fact.line_id


_RANK = {word: rank for rank, word in enumerate(STATES)}


def _stood(facts: Iterable[Fact]) -> Iterator[Stood]:
    """States that last a day at most."""
    for fact, later in pairwise(sorted((fact for fact in facts if fact.fact != SHIFT), key=_order)):
        state = STATES[fact.fact]
        if state == "not_ready" and fact.reason == BREAK:
            state = BREAK
        if state and later.at - fact.at <= DAY_MS:
            yield fact, state, later.at


def _planned(agent: str, out: Out, shift: Fact, stood: Iterable[Stood]) -> None:
    """Time planned, and kept, of one part of a shift."""
    for start, milliseconds in pieces(shift.at, shift.until):
        out.append((DAY, agent, start, shift.team, "scheduled_ms", milliseconds))
    for fact, state, until in stood:
        begin, end = max(fact.at, shift.at), min(until, shift.until)
        if begin < end and state in ledger.AT_WORK:
            out += [(DAY, agent, start, shift.team, "adherent_ms", took) for start, took in pieces(begin, end)]


def _attended(agent: str, out: Out, facts: Sequence[Fact]) -> None:
    """Each shift is one where it begins, and was kept by whoever was signed in at any time of it."""
    parts = sorted((fact for fact in facts if fact.fact == SHIFT), key=lambda fact: (fact.line_id, fact.at))
    spans = [(fact.at, end) for fact, _, end in _stood(facts)] if parts else []
    for _, of_one in groupby(parts, key=lambda fact: fact.line_id):
        first, *more = of_one
        end = max(part.until for part in (first, *more))
        if not first.score:
            continue  # it began further away: nothing here changes it
        out.append((DAY, agent, quarter(first.at), first.team, "scheduled", 1))
        if any(since < end and first.at < until and since < until for since, until in spans):
            out.append((DAY, agent, quarter(first.at), first.team, "present", 1))
