"""A board as people see it: who waits, who is offered what, who could be."""

from __future__ import annotations

from typing import Any

from switchlog.envelope import timestamp

from ..domain.members import Agent, Contact, Phase, Ring, refusal
from .log import Opened

Shown = dict[str, Any]


def pool(opened: Opened, now: int) -> Shown:
    """The whole pool; waiting contacts in the order in which an agent with every skill would get them."""
    board = opened.board
    contacts = sorted(board.contacts.values(), key=lambda one: (board.policy_for(one).order(one), one.id))
    return {
        "pool": board.pool,
        "version": opened.head,
        "generation": board.generation,
        "day": board.date,
        "policy": board.policy_name,
        "queues": sorted(board.queues),
        "waiting": [_contact(one, now) for one in contacts if one.phase is Phase.WAITING],
        "offers": [_offer(one, ring) for one in contacts if one.phase is Phase.OFFERED for ring in one.rings.values()],
        "assigned": [_contact(one, now) for one in contacts if one.phase is Phase.ASSIGNED],
        "agents": [_agent(agent) for _, agent in sorted(board.agents.items())],
    }


def queue_counts(opened: Opened, queue: str, now: int) -> Shown:
    """How one queue stands."""
    contacts = [contact for contact in opened.board.contacts.values() if contact.queue == queue]
    waits = [now - contact.queued_at for contact in contacts if contact.phase is not Phase.ASSIGNED]
    phases = [contact.phase for contact in contacts]
    return {
        "waiting": phases.count(Phase.WAITING),
        "offered": phases.count(Phase.OFFERED),
        "assigned": phases.count(Phase.ASSIGNED),
        "longest_wait_ms": max(waits, default=0),
    }


def _contact(contact: Contact, now: int) -> Shown:
    return {
        "contact": contact.id,
        "leg": contact.leg,
        "queue": contact.queue,
        "channel": contact.channel,
        "priority": contact.priority,
        "queued_at": timestamp(contact.queued_at),
        "waited_ms": max(0, now - contact.queued_at),
        "required_skills": [{"skill": skill, "min_level": level} for skill, level in contact.required],
        "offers": contact.attempts,
        "agent": contact.agent,
    }


def _offer(contact: Contact, ring: Ring) -> Shown:
    return {
        "offer_id": ring.offer_id,
        "contact": contact.id,
        "leg": contact.leg,
        "queue": contact.queue,
        "channel": contact.channel,
        "agent": ring.agent,
        "offered_at": timestamp(ring.offered_at),
        "expires_at": timestamp(ring.expires_at),
    }


def _agent(agent: Agent) -> Shown:
    """``refused`` says by channel why nothing may be offered now; empty: it may."""
    return {
        "agent": agent.id,
        "team": agent.team,
        "checked_in": agent.checked_in,
        "ready": agent.ready,
        "leaving": agent.leaving,
        "skills": [{"skill": skill, "level": level} for skill, level in sorted(agent.skills.items())],
        "refused": {channel: refusal(agent, channel) for channel, _ in agent.capacity.slots},
        "offers": sorted(agent.offers),
        "work": [{"contact": work.contact, "leg": work.leg, "wrap_up": work.wrap_up} for work in agent.work.values()],
        "idle_since": timestamp(agent.idle_since),
    }
