"""What a policy is: two orders under one name and version."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from routing.domain.members import Agent, Contact, Demand
from routing.domain.ranked import Key


@dataclass(frozen=True, slots=True)
class Policy:
    """``rank`` orders free agents for a demand, ``order`` waiting contacts for an agent: lowest key wins, then the id.

    Both are pure and see only their arguments, so an index may hold their results; of a demand they see what its line
    has in common. ``score`` (of a winner, demand, now) and ``tie_break`` are words for an explanation. ``parameters``
    are the settings it takes beside those that all take (``settings.py``). What a published name and version decides
    never changes: a new rule is a new version.
    """

    name: str
    rank: Callable[[Agent, Demand], Key]
    order: Callable[[Contact], Key]
    score: Callable[[Agent, Demand, int], str]
    tie_break: str
