"""Who is on a board: agents, contacts and the offers between them."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from routing.domain.observed import Capacity, Skills

Attributes = tuple[tuple[str, str], ...]
"""(key, value) pairs, sorted by key."""


class Phase(StrEnum):
    WAITING = "waiting"
    OFFERED = "offered"
    ASSIGNED = "assigned"


class Demand(NamedTuple):
    """What a waiting contact asks of its agent now: contacts of equal demands are the same to every agent.

    ``queue``: whose members are looked at, by whose policy; ``groups``: further teams whose agents will do though they
    are no members; ``expression`` (CEL) must hold of the agent, with ``given`` as ``contact.attributes`` in it (empty
    unless it reads them); ``agent``: nobody else; ``order_by``: another policy's ``name@version`` than the queue's.
    """

    queue: str
    channel: str
    skills: Skills = ()
    groups: tuple[str, ...] = ()
    expression: str = ""
    given: Attributes = ()
    agent: str = ""
    order_by: str = ""


def both(*expressions: str) -> str:
    """The expression that holds when all of them hold; empty ones ask nothing."""
    asked = list(dict.fromkeys(filter(None, expressions)))
    return asked[0] if len(asked) == 1 else " && ".join(f"({one})" for one in asked)


@dataclass(slots=True)
class Work:
    """A leg that holds a place of its agent, from ``ContactAssigned`` to ``CapacityReleased``."""

    contact: str
    leg: int
    queue: str
    channel: str
    wrap_up: bool = False


def leg_key(contact: str, leg: int) -> str:
    """One piece of work: the same contact may come back to the same agent on a later leg."""
    return f"{contact}#{leg}"


@dataclass(slots=True)
class Agent:
    """``offers`` (by offer id, to its channel) and ``work`` (by leg key) take places.

    ``declined`` are the waiting contacts that it let go since it last became ready: it is not offered them again before
    (their ``declined_by`` say the same).
    """

    id: str
    version: int = 0
    team: str = ""
    skills: dict[str, int] = field(default_factory=dict)
    capacity: Capacity = field(default_factory=Capacity)
    queues: tuple[str, ...] = ()
    checked_in: bool = False
    ready: bool = False
    leaving: bool = False
    to_pool: str = ""
    idle_since: int = 0
    offers: dict[str, str] = field(default_factory=dict)
    work: dict[str, Work] = field(default_factory=dict)
    declined: dict[str, None] = field(default_factory=dict)

    @property
    def places(self) -> list[str]:
        """The channel of each place taken: an offer holds one, so that accepting it can never exceed the capacity."""
        return [*self.offers.values(), *(work.channel for work in self.work.values())]


@dataclass(slots=True)
class Contact:
    """A contact from ``ContactWaiting`` to ``ContactDequeued``; ``attempts`` counts its offers."""

    id: str
    version: int
    leg: int
    queue: str
    channel: str
    priority: int
    credit_ms: int
    queued_at: int
    arrived_at: int
    required: Skills
    preferred_agent: str = ""
    phase: Phase = Phase.WAITING
    attempts: int = 0
    offer_id: str = ""
    offered_at: int = 0
    expires_at: int = 0
    assigned_at: int = 0
    agent: str = ""
    team: str = ""
    declined_by: dict[str, None] = field(default_factory=dict)


def refusal(agent: Agent, channel: str) -> str:
    """Why ``agent`` may not be offered anything on ``channel`` now; empty when it may (AG-1, AG-2, CH-2, RT-2)."""
    if agent.leaving:
        return "LEAVING"
    if not agent.checked_in:
        return "NOT_CHECKED_IN"
    if not agent.ready:
        return "NOT_READY"
    if any(work.wrap_up for work in agent.work.values()):
        return "WRAP_UP"
    return _no_room(agent, channel)


def _no_room(agent: Agent, channel: str) -> str:
    slots, costs, places = dict(agent.capacity.slots), dict(agent.capacity.costs), agent.places
    if not slots.get(channel):
        return "NO_CHANNEL"
    if places.count(channel) >= slots[channel]:
        return "NO_CAPACITY"
    spent = sum(costs.get(place, 0) for place in places) + costs.get(channel, 0)
    return "NO_CAPACITY" if agent.capacity.units and spent > agent.capacity.units else ""


def lacks(agent: Agent, queue: str, required: Skills) -> bool:
    """Whether ``agent`` never serves such a contact, however free."""
    if agent.queues and queue not in agent.queues:
        return True
    return not all(agent.skills.get(skill, 0) >= level for skill, level in required)


def merged(*requirements: Skills) -> Skills:
    """All skills, each at the highest level asked for; a level below 1 means 1."""
    levels: dict[str, int] = {}
    for skill, level in (pair for skills in requirements for pair in skills):
        levels[skill] = max(levels.get(skill, 1), level)
    return tuple(sorted(levels.items()))
