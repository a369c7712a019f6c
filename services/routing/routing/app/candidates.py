"""Everybody who could have been offered a contact, and why each was or was not: recomputed, never stored (RT-10)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ..domain.lines import Line
from ..domain.members import Agent, Contact
from ..domain.state import Board

NOT_QUALIFIED, DECLINED = "NOT_QUALIFIED", "DECLINED"


@dataclass(frozen=True, slots=True)
class Candidate:
    """``reason`` is empty for one who could have been chosen; ``detail`` says what exactly is missing.

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
    line = board.lines.line(contact, board.agents.values())
    free = [_free(board, contact, board.agents[id], now, chosen) for id in line.free]
    others = [_refused(contact, agent, line) for _, agent in sorted(board.agents.items()) if agent.id not in line.free]
    able, declined = [one for one in free if not one.reason], [one for one in free if one.reason]
    return (*able, *declined, *sorted(others, key=lambda one: one.reason))


def reasons(all_of_them: Iterable[Candidate]) -> dict[str, int]:
    """How many were passed over for which reason, the most frequent first."""
    return dict(Counter(one.reason for one in all_of_them if one.reason).most_common())


def _free(board: Board, contact: Contact, agent: Agent, now: int, chosen: str) -> Candidate:
    reason = DECLINED if agent.id in contact.declined_by else ""
    score = board.policy.score(agent, now)
    return Candidate(agent.id, agent.team, reason, score=score, chosen=agent.id == chosen)


def _refused(contact: Contact, agent: Agent, line: Line) -> Candidate:
    reason = line.why_not.get(agent.id)
    if reason is None:
        return Candidate(agent.id, agent.team, NOT_QUALIFIED, "; ".join(_lacking(contact, agent)))
    return Candidate(agent.id, agent.team, reason, _occupied(agent))


def _lacking(contact: Contact, agent: Agent) -> Iterator[str]:
    if agent.queues and contact.queue not in agent.queues:
        yield f"queues={','.join(agent.queues)}"
    for skill, level in contact.required:
        has = agent.skills.get(skill, 0)
        if has < level:
            yield f"{skill}>={level} has {has}"


def _occupied(agent: Agent) -> str:
    """What holds the places of an agent."""
    work = [f"{one.contact}{' wrap_up' if one.wrap_up else ''}" for one in agent.work.values()]
    return ", ".join([*work, *(f"offer {id[:8]}" for id in sorted(agent.offers))])
