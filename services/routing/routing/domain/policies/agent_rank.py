"""agent-rank@1: the agent of the greatest rank in the queue 优先振铃; equal ones as by longest-idle@1."""

from __future__ import annotations

from routing.domain.members import Agent, Demand
from routing.domain.policies import longest_idle
from routing.domain.policies.policy import Policy
from routing.domain.ranked import Key


def rank(agent: Agent, demand: Demand) -> Key:
    return (-agent.rank_in(demand.queue), *longest_idle.rank(agent, demand))


def score(agent: Agent, demand: Demand, now: int) -> str:
    return f"rank={agent.rank_in(demand.queue)}"


agent_rank_1 = Policy("agent-rank@1", rank, longest_idle.order, score, "agent_rank")
