"""Who is on a board: agents, contacts and the offers between them."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from routing.domain.observed import Attributes, Capacity, Skills
from routing.domain.plans import NO_PLAN, Plan


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
    (their ``declined_by`` say the same). Empty ``queues``: every queue; ``ranks`` (greater is first) are by queue, for
    the others ``rank`` counts. ``turn`` numbers the last offer that rotation made to it.
    """

    id: str
    version: int = 0
    team: str = ""
    skills: dict[str, int] = field(default_factory=dict)
    capacity: Capacity = field(default_factory=Capacity)
    queues: tuple[str, ...] = ()
    rank: int = 0
    ranks: dict[str, int] = field(default_factory=dict)
    attributes: Attributes = ()
    checked_in: bool = False
    ready: bool = False
    leaving: bool = False
    to_pool: str = ""
    idle_since: int = 0
    turn: int = 0
    offers: dict[str, str] = field(default_factory=dict)
    work: dict[str, Work] = field(default_factory=dict)
    declined: dict[str, None] = field(default_factory=dict)

    @property
    def places(self) -> list[str]:
        """The channel of each place taken: an offer holds one, so that accepting it can never exceed the capacity."""
        return [*self.offers.values(), *[work.channel for work in self.work.values()]]

    def rank_in(self, queue: str) -> int:
        return self.ranks.get(queue, self.rank)


@dataclass(frozen=True, slots=True)
class Ring:
    """An offer while it is open, and the accepted one after that (``expires_at`` 0)."""

    offer_id: str
    agent: str
    team: str
    offered_at: int
    expires_at: int


NO_RING = Ring("", "", "", 0, 0)


@dataclass(slots=True)
class Contact:
    """A contact from ``ContactWaiting`` to ``ContactDequeued``; ``attempts`` counts its offers.

    ``rings`` are its open offers, one for each agent rung at once; once assigned, the accepted one alone. ``plan`` is
    what its queue does with it as it waits, ``steps_done`` how much of it is over, ``target`` (from 1) where agents are
    looked for; ``origin_queue`` is empty unless it came from elsewhere.
    """

    id: str
    version: int
    leg: int
    queue: str
    channel: str
    priority: int
    credit_ms: int
    queued_at: int
    arrived_at: int
    demand: Demand
    preferred_agent: str = ""
    phase: Phase = Phase.WAITING
    attempts: int = 0
    assigned_at: int = 0
    rings: dict[str, Ring] = field(default_factory=dict)
    declined_by: dict[str, None] = field(default_factory=dict)
    own_skills: Skills = ()
    attributes: Attributes = ()
    origin_queue: str = ""
    plan: Plan = NO_PLAN
    steps_done: int = 0
    target: int = 0
    estimated_wait_p50_ms: int = 0
    estimated_wait_p90_ms: int = 0

    @property
    def required(self) -> Skills:
        return self.demand.skills

    @property
    def ring(self) -> Ring:
        """The accepted offer, else the first of the open ones; ``NO_RING`` if there is none."""
        return next(iter(self.rings.values()), NO_RING)

    @property
    def agent(self) -> str:
        return self.ring.agent

    @property
    def team(self) -> str:
        return self.ring.team

    @property
    def offer_id(self) -> str:
        return self.ring.offer_id

    @property
    def offered_at(self) -> int:
        return self.ring.offered_at

    @property
    def expires_at(self) -> int:
        return self.ring.expires_at


def refusal(agent: Agent, channel: str) -> str:
    """Why ``agent`` may not be offered anything on ``channel`` now; empty when it may (AG-1, AG-2, CH-2, RT-2)."""
    return away(agent) or _no_room(agent, channel)


def away(agent: Agent) -> str:
    """Why ``agent`` may not be offered anything at all; empty when it depends on the channel."""
    if agent.leaving:
        return "LEAVING"
    if not agent.checked_in:
        return "NOT_CHECKED_IN"
    if not agent.ready:
        return "NOT_READY"
    for work in agent.work.values():
        if work.wrap_up:
            return "WRAP_UP"
    return ""


def _no_room(agent: Agent, channel: str) -> str:
    """By places on the channel, and by what everything that may not be interrupted for it costs together."""
    capacity = agent.capacity
    slots = dict(capacity.slots).get(channel)
    if not slots:
        return "NO_CHANNEL"
    places = len(agent.offers) + len(agent.work)
    if places >= slots and agent.places.count(channel) >= slots:
        return "NO_CAPACITY"
    return "NO_CAPACITY" if capacity.units and spent(agent, channel) > capacity.units else ""


def spent(agent: Agent, channel: str) -> int:
    """Units taken if one more of ``channel`` came; what may be interrupted yields to channels that may not."""
    capacity, costs = agent.capacity, dict(agent.capacity.costs)
    yields = () if channel in capacity.interruptible else capacity.interruptible
    return costs.get(channel, 0) + sum(costs.get(place, 0) for place in agent.places if place not in yields)


def merged(*requirements: Skills) -> Skills:
    """All skills, each at the highest level asked for; a level below 1 means 1."""
    if not any(requirements):
        return ()
    levels: dict[str, int] = {}
    for skill, level in (pair for skills in requirements for pair in skills):
        levels[skill] = max(levels.get(skill, 1), level)
    return tuple(sorted(levels.items()))
