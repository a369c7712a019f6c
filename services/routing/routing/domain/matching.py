"""Contacts and agents brought together by the pool's policy, and the words that explain it."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field

from routing.domain.events import ContactOffered, Event, Explanation
from routing.domain.evolve import evolve
from routing.domain.lines import Line
from routing.domain.members import Agent, Contact, Phase
from routing.domain.state import Board

# Offers are ours alone, so their ids need only be the same whenever the same offer is decided again.
OFFERS = uuid.UUID("3d0f6f0a-94a2-5c55-9d1c-7f5b8f6f2c11")


@dataclass(slots=True)
class Turn:
    """One input being decided: what happened so far, and the board with all of it applied."""

    board: Board
    now: int
    events: list[Event] = field(default_factory=list)

    def happen(self, *events: Event) -> None:
        for event in events:
            evolve(self.board, event, self.now)
            self.events.append(event)


def bring_together(turn: Turn, contacts: Sequence[str] = (), agents: Sequence[str] = ()) -> None:
    """Offer what can be offered, now that ``contacts`` wait (again) and ``agents`` may be free (again)."""
    order = turn.board.policy.order
    waiting = [c for id in contacts if (c := turn.board.contacts.get(id)) and c.phase is Phase.WAITING]
    for contact in sorted(waiting, key=lambda c: (order(c), c.id)):
        if agent := agent_for(turn.board, contact):
            offer(turn, contact, agent)
    for id in agents:
        while (agent := turn.board.agents.get(id)) and (next_contact := contact_for(turn.board, agent)):
            offer(turn, next_contact, agent)


def agent_for(board: Board, contact: Contact) -> Agent | None:
    """The free agent who comes first for ``contact``: the preferred one, else by the policy's rank."""
    free = board.lines.line(contact, board.agents.values()).free
    if contact.preferred_agent in free and contact.preferred_agent not in contact.declined_by:
        return board.agents[contact.preferred_agent]
    return next((board.agents[id] for id in free if id not in contact.declined_by), None)


def contact_for(board: Board, agent: Agent) -> Contact | None:
    """The contact that comes first for ``agent`` among the heads of all lines it is free for."""
    heads = [c for line in board.lines.served_by(agent) if (c := _head(board, line, agent))]
    return min(heads, key=lambda c: (board.policy.order(c), c.id), default=None)


def _head(board: Board, line: Line, agent: Agent) -> Contact | None:
    waiting = (board.contacts[id] for id in line.waiting)
    return next((contact for contact in waiting if agent.id not in contact.declined_by), None)


def offer(turn: Turn, contact: Contact, agent: Agent) -> None:
    board, attempt = turn.board, contact.attempts + 1
    parts = (board.tenant, board.pool, contact.id, contact.leg, contact.queue, contact.queued_at, attempt)
    turn.happen(
        ContactOffered(
            offer_id=uuid.uuid5(OFFERS, "|".join(map(str, parts))).hex,
            contact=contact.id,
            leg=contact.leg,
            queue=contact.queue,
            agent=agent.id,
            team=agent.team,
            channel=contact.channel,
            attempt=attempt,
            queued_at=contact.queued_at,
            expires_at=turn.now + board.queue(contact.queue).offer_timeout_ms,
            policy=board.policy_name,
            explanation=explain(turn, contact, agent),
        )
    )


def explain(turn: Turn, contact: Contact, winner: Agent) -> Explanation:
    """Counts by class, kept by the index: the full list is recomputed by replay, never stored (RT-10)."""
    board = turn.board
    line = board.lines.line(contact, board.agents.values())
    refused = {reason: count for reason, count in line.refused.items() if reason and count > 0}
    unfit = len(board.agents) - len(line.why_not)
    if unfit:
        refused["NOT_QUALIFIED"] = unfit
    turned_down = sum(id in line.free for id in contact.declined_by)
    if turned_down:
        refused["DECLINED"] = turned_down
    return Explanation(
        considered=len(board.agents),
        refused=tuple(sorted(refused.items())),
        tie_break=_tie_break(board, line, contact, winner),
        winner=winner.id,
        score=board.policy.score(winner, turn.now),
    )


def _tie_break(board: Board, line: Line, contact: Contact, winner: Agent) -> str:
    if winner.id == contact.preferred_agent:
        return "preferred_agent"
    other = next((id for id in line.free if id != winner.id and id not in contact.declined_by), None)
    if other is None:
        return ""
    same = line.free.key(other) == line.free.key(winner.id)
    return "agent_id" if same else board.policy.tie_break
