"""least-cost@1: the agent whose contacts cost the fewest units (100 for a call, 20 for a chat); then as if idle."""

from __future__ import annotations

from routing.domain.members import Agent, Demand
from routing.domain.policies.longest_idle import order
from routing.domain.policies.policy import Policy
from routing.domain.ranked import Key


def cost(agent: Agent) -> int:
    costs = dict(agent.capacity.costs)
    return sum(costs.get(place, 0) for place in agent.places)


def rank(agent: Agent, demand: Demand) -> Key:
    return (cost(agent), agent.idle_since)


def score(agent: Agent, demand: Demand, now: int) -> str:
    return f"cost={cost(agent)}"


least_cost_1 = Policy("least-cost@1", rank, order, score, "least_cost")
