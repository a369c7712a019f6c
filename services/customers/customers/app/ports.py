"""What this service needs from elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class LastAgent:
    """The agent who spoke with a person last, in which queue, and when they were connected (epoch milliseconds)."""

    agent: str
    queue: str
    served_at: int


class Over:
    """A contact has ended."""


class LastAgents(Protocol):
    """Who served whom last, by customer reference."""

    async def get(self, tenant: str, customer_ref: str) -> LastAgent | None: ...

    async def forget(self, tenant: str, customer_ref: str) -> None:
        """For ever: what is heard of the reference later stays without effect."""
        ...
