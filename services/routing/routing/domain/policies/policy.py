"""What a policy is: two orders under one name and version."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from routing.domain.members import Agent, Contact
from routing.domain.ranked import Key


@dataclass(frozen=True, slots=True)
class Policy:
    """``rank`` orders free agents for a contact, ``order`` waiting contacts for an agent: lowest key wins, then the id.

    Both are pure and see only their argument, so an index may hold their results. ``score`` (of a winner, now) and
    ``tie_break`` are words for an explanation. What a published name and version decides never changes: a new rule is a
    new version.
    """

    name: str
    rank: Callable[[Agent], Key]
    order: Callable[[Contact], Key]
    score: Callable[[Agent, int], str]
    tie_break: str
