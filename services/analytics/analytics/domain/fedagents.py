"""What an agent of another switch contributes: states between its facts, and shifts that were planned.

A state lasts from the fact that says it to the next one, a day at most: so one more fact changes what lies within a day
of it and nothing else, and only the facts of some days are needed to take the old back and add the new (rule 29).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

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

Span = tuple[int, int]


def contribution(agent: str, facts: Sequence[Fact]) -> Amounts:
    """All that ``facts`` of neighbouring days, sorted, contribute."""
    out: Out = []
    shifts = [fact for fact in facts if fact.fact == SHIFT]
    stood = list(_stood(sorted((fact for fact in facts if fact.fact != SHIFT), key=_order)))
    for fact, state, end in stood:
        resting = fact.reason if state in ("not_ready", BREAK) else ""
        ledger.spans(agent, out, (state, resting, fact.planned and bool(resting), "", fact.team, ""), 0, fact.at, end)
    for shift in shifts:
        _planned(agent, out, shift, stood)
    found: Amounts = {}
    for kind, place, start, key, name, amount in out:
        levels.add(found, (kind, place, start, key, name), 1 if kind == SPAN else amount)
    return found


def days_of(fact: Fact) -> Iterator[tuple[int, Fact]]:
    """The UTC days that a fact is kept in, by number; a shift over midnight is one of each day."""
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


def _stood(facts: Sequence[Fact]) -> Iterator[tuple[Fact, str, int]]:
    """(fact, state, end): what the agent was, from each fact to the next one."""
    for fact, later in pairwise(facts):
        state = STATES[fact.fact]
        if state == "not_ready" and fact.reason == BREAK:
            state = BREAK
        if state and later.at - fact.at <= DAY_MS:
            yield fact, state, later.at


def _planned(agent: str, out: Out, shift: Fact, stood: Iterable[tuple[Fact, str, int]]) -> None:
    """Time planned and kept; ``score`` marks the first part of a shift, which is counted as one."""
    here = [(state, max(fact.at, shift.at), min(end, shift.until)) for fact, state, end in stood]
    inside = [one for one in here if one[1] < one[2]]
    for start, milliseconds in pieces(shift.at, shift.until):
        out.append((DAY, agent, start, shift.team, "scheduled_ms", milliseconds))
    for state, begin, end in inside:
        if state in ledger.AT_WORK:
            out += [(DAY, agent, start, shift.team, "adherent_ms", took) for start, took in pieces(begin, end)]
    if shift.score:
        out.append((DAY, agent, quarter(shift.at), shift.team, "scheduled", 1))
        if inside:
            out.append((DAY, agent, quarter(shift.at), shift.team, "present", 1))
