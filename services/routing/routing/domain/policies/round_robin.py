"""round-robin@1: agents take turns, whoever's turn was longest ago first, busy or idle before it."""

from __future__ import annotations

from routing.domain.members import Agent, Demand
from routing.domain.policies.longest_idle import order
from routing.domain.policies.policy import Policy
from routing.domain.ranked import Key


def rank(agent: Agent, demand: Demand) -> Key:
    """Turns are numbered as offers are made by rotation; who had none yet comes first."""
    return (agent.turn,)


def score(agent: Agent, demand: Demand, now: int) -> str:
    return f"turn={agent.turn}"


round_robin_1 = Policy("round-robin@1", rank, order, score, "rotation")
