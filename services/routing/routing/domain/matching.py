"""Contacts and agents brought together by the policy of each queue, and the words that explain it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha1
from heapq import merge
from itertools import chain

from routing.domain.events import (
    ContactAssigned,
    ContactOffered,
    Event,
    Explanation,
    OfferAccepted,
    OfferWithdrawn,
    Withdrawal,
)
from routing.domain.evolve import evolve
from routing.domain.lines import Head, Line
from routing.domain.members import Agent, Contact, Phase, Ring
from routing.domain.ranked import Key
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
    board = turn.board
    open_ones = [c for id in contacts if (c := board.contacts.get(id)) and c.phase is not Phase.ASSIGNED]
    if len(open_ones) > 1:
        open_ones.sort(key=lambda c: _place(board, c))
    for contact in open_ones:
        ring(turn, contact)
    for id in agents:
        while (agent := board.agents.get(id)) and (next_contact := contact_for(board, agent)):
            offer(turn, next_contact, agent)
            ring(turn, next_contact)
        while (agent := board.agents.get(id)) and (ringing := ringing_for(board, agent)):
            offer(turn, ringing, agent)


def ring(turn: Turn, contact: Contact) -> None:
    """Offer ``contact`` until as many agents are rung at once as its queue wants, or nobody else is free."""
    while turn.board.may_ring(contact):
        agent = agent_for(turn.board, contact)
        if agent is None:
            return
        offer(turn, contact, agent)


def agent_for(board: Board, contact: Contact) -> Agent | None:
    """The free agent who comes first for ``contact``: the preferred one, else by the policy's rank."""
    first = next(_in_order(board.lines.of(contact, board.setting(contact)), contact), None)
    return None if first is None else board.agents[first]


def contact_for(board: Board, agent: Agent) -> Contact | None:
    """The contact that comes first for ``agent`` among the heads of all lines it is free for."""
    heads = board.lines.heads(agent)
    if not heads:
        return None
    first = min(heads, key=lambda head: _by_share(board, head)) if board.weighted else min(heads)
    return board.contacts[first[1]]


def ringing_for(board: Board, agent: Agent) -> Contact | None:
    """The contact that rings others already, and fewer than its queue wants, and comes first for ``agent`` (RT-2)."""
    fit = [one for id in board.ringing if board.may_ring(one := board.contacts[id]) and _may_have(board, one, agent)]
    return min(fit, key=lambda one: _place(board, one), default=None)


def _may_have(board: Board, contact: Contact, agent: Agent) -> bool:
    lines = board.lines.of(contact, board.setting(contact))
    return agent.id not in _passed(contact) and any(agent.id in line.free for line in lines)


def _by_share(board: Board, head: Head) -> tuple[int, int, Head]:
    """After those who came back from an offer, whose queue has had the least of its share."""
    key, _, share = head
    return key[0], board.share_at(share), head


def _place(board: Board, contact: Contact) -> tuple[Key, str]:
    return board.policy_for(contact).order(contact), contact.id


def _in_order(lines: Sequence[Line], contact: Contact) -> Iterator[str]:
    """Free agents as ``contact`` would get them, without those who let it go or are rung already."""
    passed = _passed(contact)
    preferred = contact.preferred_agent
    if preferred and preferred not in passed and any(preferred in line.free for line in lines):
        passed = {*passed, preferred}
        yield preferred
    free = [line.free.entries() for line in lines if line.free]
    for _, id in merge(*free) if len(free) > 1 else chain(*free):
        if id not in passed:
            yield id


def _passed(contact: Contact) -> set[str]:
    return {*contact.declined_by, *[one.agent for one in contact.rings.values()]}


def offer(turn: Turn, contact: Contact, agent: Agent, why: Explanation | None = None) -> None:
    """Ring ``agent``; where the queue says so it has accepted at once. ``why``: unless by the policy."""
    board, attempt = turn.board, contact.attempts + 1
    queue = board.queue(contact.queue)
    parts = (board.tenant, board.pool, contact.id, contact.leg, contact.queue, contact.queued_at, attempt)
    made = ContactOffered(
        offer_id=_uuid5("|".join(map(str, parts))),
        contact=contact.id,
        leg=contact.leg,
        queue=contact.queue,
        agent=agent.id,
        team=agent.team,
        channel=contact.channel,
        attempt=attempt,
        queued_at=contact.queued_at,
        expires_at=turn.now + queue.offer_timeout_ms,
        policy=policy_name(board, contact),
        explanation=why or explain(turn, contact, agent),
    )
    turn.happen(made)
    if queue.auto_accept:
        accept(turn, contact, contact.rings[made.offer_id], automatic=True)


def _uuid5(name: str) -> str:
    """``uuid.uuid5(OFFERS, name).hex``, in a third of its time: one is made for every offer."""
    made = bytearray(sha1(OFFERS.bytes + name.encode(), usedforsecurity=False).digest()[:16])
    made[6], made[8] = made[6] & 0x0F | 0x50, made[8] & 0x3F | 0x80
    return made.hex()


def accept(turn: Turn, contact: Contact, ring: Ring, command_id: str = "", *, automatic: bool = False) -> list[str]:
    """The contact is this agent's; the others that rang are told so in the same turn (RT-2). Who was freed by that."""
    others = [one for one in contact.rings.values() if one is not ring]
    about = terms(contact, ring)
    accepted = OfferAccepted(*about, ring.offered_at, command_id, automatic)
    assigned = ContactAssigned(
        *about,
        contact.channel,
        contact.queued_at,
        turn.now,
        policy_name(turn.board, contact),
        turn.board.queue(contact.queue).wrap_up_ms,
    )
    taken = [OfferWithdrawn(*terms(contact, one), reason=Withdrawal.TAKEN) for one in others]
    turn.happen(accepted, *taken, assigned)
    return [one.agent for one in others]


def terms(contact: Contact, ring: Ring) -> tuple[str, str, int, str, str, str]:
    """What every fact about an offer begins with."""
    return ring.offer_id, contact.id, contact.leg, contact.queue, ring.agent, ring.team


def policy_name(board: Board, contact: Contact) -> str:
    """With the engine's version where an expression had a say: another engine may decide otherwise."""
    name = board.policy_for(contact).name
    return f"{name}+{board.expressions.engine}" if contact.demand.expression else name


def explain(turn: Turn, contact: Contact, winner: Agent) -> Explanation:
    """Counts by class, kept by the index: the full list is recomputed by replay, never stored (RT-10)."""
    board = turn.board
    lines = board.lines.of(contact, board.setting(contact))
    line = next(line for line in lines if winner.id in line.members)
    return Explanation(
        considered=len(board.agents),
        refused=tuple(sorted(_refused(board, contact, lines).items())),
        tie_break=_tie_break(lines, line, contact, winner),
        winner=winner.id,
        score=line.policy.score(winner, line.demand, turn.now),
    )


def passed_over(board: Board, contact: Contact) -> tuple[tuple[str, int], ...]:
    """How many agents could not be offered ``contact``, by reason."""
    return tuple(sorted(_refused(board, contact, board.lines.of(contact, board.setting(contact))).items()))


def _refused(board: Board, contact: Contact, lines: Sequence[Line]) -> dict[str, int]:
    refused: dict[str, int] = {}
    for line in lines:
        for reason, count in line.refused.items():
            if reason and count:
                refused[reason] = refused.get(reason, 0) + count
    unfit = len(board.agents) - sum(len(line.members) for line in lines)
    if unfit:
        refused["NOT_PREFERRED" if contact.demand.agent else "NOT_QUALIFIED"] = unfit
    for reason, agents in (("DECLINED", contact.declined_by), ("RINGING", [r.agent for r in contact.rings.values()])):
        passed = sum(id in line.free for id in agents for line in lines) if agents else 0
        if passed:
            refused[reason] = passed
    return refused


def _tie_break(lines: Sequence[Line], line: Line, contact: Contact, winner: Agent) -> str:
    """By what the winner comes before the next."""
    if winner.id == contact.preferred_agent:
        return "preferred_agent"
    other = next((id for id in _in_order(lines, contact) if id != winner.id), None)
    if other is None:
        return ""
    key = next(one.free.key(other) for one in lines if other in one.free)
    return "agent_id" if key == line.free.key(winner.id) else line.policy.tie_break
