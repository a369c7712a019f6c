"""Every policy by name@version; a new one is one file and one entry here."""

from __future__ import annotations

from routing.domain.policies.longest_idle import longest_idle_1
from routing.domain.policies.policy import Policy

POLICIES: dict[str, Policy] = {policy.name: policy for policy in (longest_idle_1,)}

__all__ = ["POLICIES", "Policy"]
