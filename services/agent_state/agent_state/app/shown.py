"""What people are shown of an agent and its offers: JSON with times in RFC 3339."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from switchlog.envelope import timestamp

from ..domain.ledger import Span
from ..domain.state import Agent, NotReady, Work, activity, mode
from .foreign import OfferMade

Json = dict[str, Any]


def shown_agent(agent: Agent, version: int) -> Json:
    """The whole agent, as ``GET /v1/agents/{id}`` answers it."""
    card = agent.profile.card
    return {
        "agent": agent.id,
        "version": version,
        "name": card.name,
        "team": agent.profile.team,
        "pool": agent.pool,
        "leaving_to": agent.leaving_to or None,
        "skills": [{"skill": skill.skill, "level": skill.level} for skill in agent.profile.skills],
        "capacity": [
            {
                "channel": slots.channel,
                "slots": slots.slots,
                "cost": slots.cost,
                "interruptible": slots.interruptible,
            }
            for slots in agent.profile.capacity.channels
        ],
        "units": agent.profile.capacity.units,
        "queues": list(card.queues),
        "priority": card.priority,
        "ranks": dict(card.ranks),
        "attributes": dict(card.attributes),
        "languages": list(card.languages),
        "wrap_up_s": card.wrap_up_ms / 1000,
        "auto_ready": card.auto_ready,
        **shown_state(agent),
        "contacts": shown_contacts(agent),
    }


def shown_state(agent: Agent) -> Json:
    """Where the agent stands: ``state`` is one of the words of the ledger."""
    presence = agent.presence
    known_mode = mode(presence)
    return {
        "state": activity(agent).value,
        "since": timestamp(agent.since),
        "mode": known_mode.value if known_mode else None,
        "ready": known_mode is not None and not isinstance(presence, NotReady),
        "reason": presence.reason if isinstance(presence, NotReady) else None,
        "planned": isinstance(presence, NotReady) and presence.planned,
        "break_requested": agent.wanted_break is not None,
    }


def shown_contacts(agent: Agent) -> list[Json]:
    return [shown_work(work) for work in agent.works]


def shown_work(work: Work) -> Json:
    ends_at = work.wrap_up_ends_at
    return {
        "contact": work.leg.contact,
        "leg": work.leg.leg,
        "queue": work.leg.queue,
        "channel": work.leg.channel,
        "started_at": timestamp(work.started_at),
        "state": "assigned" if ends_at is None else "wrap_up",
        "wrap_up_ends_at": timestamp(ends_at) if ends_at is not None else None,
    }


def shown_offer(offer: OfferMade) -> Json:
    return {
        "offer_id": offer.offer_id,
        "contact": offer.leg.contact,
        "leg": offer.leg.leg,
        "queue": offer.leg.queue,
        "channel": offer.leg.channel,
        "offered_at": timestamp(offer.offered_at),
        "expires_at": timestamp(offer.expires_at),
        "queued_at": timestamp(offer.queued_at),
        "traceparent": offer.traceparent,
    }


def shown_ledger(spans: Sequence[Span]) -> list[Json]:
    return [{"state": span.activity.value, "from": timestamp(span.start), "to": timestamp(span.end)} for span in spans]
