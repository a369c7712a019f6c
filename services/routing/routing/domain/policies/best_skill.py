"""best-skill@1: the agent with the highest levels in the skills asked for; equal ones as by longest-idle@1."""

from __future__ import annotations

from routing.domain.members import Agent, Demand
from routing.domain.policies import longest_idle
from routing.domain.policies.policy import Policy
from routing.domain.ranked import Key


def level(agent: Agent, demand: Demand) -> int:
    """The sum over the skills asked for: those that are relaxed count no longer."""
    return sum(agent.skills.get(skill, 0) for skill, _ in demand.skills)


def rank(agent: Agent, demand: Demand) -> Key:
    return (-level(agent, demand), *longest_idle.rank(agent, demand))


def score(agent: Agent, demand: Demand, now: int) -> str:
    return f"level={level(agent, demand)}"


best_skill_1 = Policy("best-skill@1", rank, longest_idle.order, score, "best_skill")
