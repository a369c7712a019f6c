"""least-loaded@1: the agent with the fewest contacts, offered or held; then who was idle or got work longest ago."""

from __future__ import annotations

from routing.domain.members import Agent, Demand
from routing.domain.policies.longest_idle import order
from routing.domain.policies.policy import Policy
from routing.domain.ranked import Key


def load(agent: Agent) -> int:
    return len(agent.offers) + len(agent.work)


def rank(agent: Agent, demand: Demand) -> Key:
    return (load(agent), agent.idle_since)


def score(agent: Agent, demand: Demand, now: int) -> str:
    return f"load={load(agent)}"


least_loaded_1 = Policy("least-loaded@1", rank, order, score, "least_loaded")
