"""Every policy by name@version; a new one is one file and one entry here."""

from __future__ import annotations

from routing.domain.policies.agent_rank import agent_rank_1
from routing.domain.policies.best_skill import best_skill_1
from routing.domain.policies.least_cost import least_cost_1
from routing.domain.policies.least_loaded import least_loaded_1
from routing.domain.policies.longest_idle import longest_idle_1
from routing.domain.policies.most_idle_capacity import most_idle_capacity_1
from routing.domain.policies.policy import Policy
from routing.domain.policies.round_robin import round_robin_1

POLICIES: dict[str, Policy] = {
    policy.name: policy
    for policy in (
        longest_idle_1,
        round_robin_1,
        least_loaded_1,
        least_cost_1,
        best_skill_1,
        agent_rank_1,
        most_idle_capacity_1,
    )
}

__all__ = ["POLICIES", "Policy"]
