"""longest-idle@1: the agent free for the longest; the contact at the head, then of highest priority, then oldest."""

from __future__ import annotations

from routing.domain.members import Agent, Contact, Demand
from routing.domain.policies.policy import Policy
from routing.domain.ranked import Key


def rank(agent: Agent, demand: Demand) -> Key:
    """Agents without work first, then those with fewer open offers, then whoever became idle or got work first."""
    return (1 if agent.offers or agent.work else 0, len(agent.offers), agent.idle_since)


def order(contact: Contact) -> Key:
    """Whoever came back from an offer stands at the head (RT-2); then priority, then age, credit included (RT-3)."""
    return (0 if contact.attempts else 1, -contact.priority, contact.queued_at - contact.credit_ms)


def score(agent: Agent, demand: Demand, now: int) -> str:
    return f"idle_ms={now - agent.idle_since}"


longest_idle_1 = Policy("longest-idle@1", rank, order, score, "longest_idle")
