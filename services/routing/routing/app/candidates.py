"""Everybody who could have been offered a contact, and why each was or was not: recomputed, never stored (RT-10)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from heapq import merge

from ..domain.lines import Line
from ..domain.members import Agent, Contact
from ..domain.state import Board

NOT_QUALIFIED, NOT_PREFERRED, DECLINED, RINGING = "NOT_QUALIFIED", "NOT_PREFERRED", "DECLINED", "RINGING"


@dataclass(frozen=True, slots=True)
class Candidate:
    """``reason`` is empty for one who could have been chosen; ``detail`` says what is missing, or what it has in hand.

    ``score`` is in the policy's own words; ``chosen`` is the one who was offered the contact.
    """

    agent: str
    team: str
    reason: str = ""
    detail: str = ""
    score: str = ""
    chosen: bool = False


def candidates(board: Board, contact: Contact, now: int, chosen: str = "") -> tuple[Candidate, ...]:
    """All agents of the pool: first those who could have it, in the order of the policy, then the others by reason."""
    lines = board.lines.of(contact, board.setting(contact))
    free = [_free(board.agents[id], contact, _line_of(id, lines), now, chosen) for id in _in_order(lines, contact)]
    taken = {one.agent for one in free}
    others = [_refused(agent, contact, lines) for id, agent in sorted(board.agents.items()) if id not in taken]
    able, passed = [one for one in free if not one.reason], [one for one in free if one.reason]
    return (*able, *passed, *sorted(others, key=lambda one: one.reason))


def reasons(all_of_them: Iterable[Candidate]) -> dict[str, int]:
    """How many were passed over for which reason, the most frequent first."""
    return dict(Counter(one.reason for one in all_of_them if one.reason).most_common())


def could_have(board: Board, contact: Contact, agent: str) -> bool:
    """Whether ``agent`` may be offered ``contact`` now."""
    lines = board.lines.of(contact, board.setting(contact))
    return any(agent in line.free for line in lines) and agent not in contact.declined_by


def _in_order(lines: Sequence[Line], contact: Contact) -> Iterator[str]:
    """Those who are free, as the contact would get them: the preferred one before all others."""
    ranked = list(dict.fromkeys(id for _, id in merge(*(line.free.entries() for line in lines))))
    return iter(sorted(ranked, key=lambda id: id != contact.preferred_agent))


def _line_of(agent: str, lines: Sequence[Line]) -> Line:
    return next(line for line in lines if agent in line.members)


def _free(agent: Agent, contact: Contact, line: Line, now: int, chosen: str) -> Candidate:
    rung = any(ring.agent == agent.id for ring in contact.rings.values())
    reason = DECLINED if agent.id in contact.declined_by else RINGING if rung else ""
    score = line.policy.score(agent, line.demand, now)
    return Candidate(agent.id, agent.team, reason, ", ".join(_occupied(agent)), score, agent.id == chosen)


def _refused(agent: Agent, contact: Contact, lines: Sequence[Line]) -> Candidate:
    reason = next((line.members[agent.id] for line in lines if agent.id in line.members), None)
    if reason is None:
        reason = NOT_PREFERRED if contact.demand.agent else NOT_QUALIFIED
        return Candidate(agent.id, agent.team, reason, "; ".join(_lacking(agent, contact)))
    return Candidate(agent.id, agent.team, reason, ", ".join(_occupied(agent)))


def _lacking(agent: Agent, contact: Contact) -> Iterator[str]:
    demand = contact.demand
    if agent.queues and demand.queue not in agent.queues:
        yield f"serves {','.join(agent.queues)} only"
    for skill, level in demand.skills:
        has = agent.skills.get(skill, 0)
        if has < level:
            yield f"{skill}>={level}, has {has}"
    if demand.expression:
        yield demand.expression


def _occupied(agent: Agent) -> Iterator[str]:
    """What holds the places of an agent."""
    yield from (f"{one.contact}{' (wrap-up)' if one.wrap_up else ''}" for one in agent.work.values())
    yield from (f"offer {id[:8]}" for id in sorted(agent.offers))
