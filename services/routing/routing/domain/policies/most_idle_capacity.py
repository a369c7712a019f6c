"""most-idle-capacity@1: the agent who could take the most further contacts of this channel; then as if idle."""

from __future__ import annotations

from routing.domain.members import Agent, Demand, spent
from routing.domain.policies.longest_idle import order
from routing.domain.policies.policy import Policy
from routing.domain.ranked import Key


def room(agent: Agent, demand: Demand) -> int:
    """By places on the channel, and by units where one contact of it costs any."""
    capacity, channel = agent.capacity, demand.channel
    slots, cost = dict(capacity.slots).get(channel, 0), dict(capacity.costs).get(channel, 0)
    free = slots - agent.places.count(channel)
    if capacity.units and cost:
        free = min(free, (capacity.units - spent(agent, channel)) // cost + 1)
    return max(free, 0)


def rank(agent: Agent, demand: Demand) -> Key:
    return (-room(agent, demand), agent.idle_since)


def score(agent: Agent, demand: Demand, now: int) -> str:
    return f"room={room(agent, demand)}"


most_idle_capacity_1 = Policy("most-idle-capacity@1", rank, order, score, "most_idle_capacity")
