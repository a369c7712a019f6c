"""Time, chance and who is where: the clockwork in which contacts and agents live their day."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from random import Random
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from contactcenter.contact.v1.types_pb2 import CHANNEL_CHAT, CHANNEL_VOICE
from contactcenter.routing.v1 import events_pb2 as routing_pb

from .streams import Streams

S = 1000
MINUTE = 60 * S
QUARTER = 15 * MINUTE
CHANNELS = {"voice": CHANNEL_VOICE, "chat": CHANNEL_CHAT}


def stamp(at: int) -> Timestamp:
    found = Timestamp()
    found.FromMilliseconds(at)
    return found


@dataclass(frozen=True)
class Queue:
    """How a queue is defined; times in milliseconds, 0 is off."""

    name: str
    pool: str
    channel: str
    threshold_ms: int = 20 * S
    short_ms: int = 0
    overflow_ms: int = 0
    overflow_to: str = ""
    max_wait_ms: int = 0
    max_length: int = 0


QUEUES = {
    queue.name: queue
    for queue in (
        Queue("sales", "front", "voice", short_ms=5 * S, overflow_ms=75 * S, overflow_to="second", max_length=4),
        Queue("care", "front", "voice", threshold_ms=30 * S, max_wait_ms=150 * S),
        Queue("web", "front", "chat", threshold_ms=60 * S, short_ms=4 * S),
        Queue("second", "back", "voice", threshold_ms=15 * S, max_length=5),
    )
}


@dataclass
class Agent:
    """``slots`` contacts at once of one channel; ``ringing`` is an offer, ``works`` are legs, wrap-ups included."""

    id: str
    team: str
    pool: str
    channel: str
    slots: int
    present: bool = False
    ready: bool = False
    leaving: bool = False
    ringing: bool = False
    works: set[str] = field(default_factory=set)

    @property
    def free(self) -> bool:
        return self.ready and not self.leaving and not self.ringing and len(self.works) < self.slots


@dataclass
class Contact:
    """A contact and where it stands; ``offer`` is (agent, offer id) while one is out, or after it was accepted.

    Who is ``patient`` waits for ever.
    """

    id: str
    channel: str
    queue: Queue
    leg: int = 0
    queued_at: int = 0
    accepted_at: int = 0
    arrived_at: int = 0
    waits: bool = False
    accepted: bool = False
    attempts: int = 0
    offer: tuple[Agent, str] | None = None
    ended: bool = False
    patient: bool = False


@dataclass
class World:
    """``now`` moves from one thing that happens to the next; all chance is ``chance``."""

    streams: Streams
    chance: Random
    now: int
    agents: list[Agent] = field(default_factory=list)
    waiting: dict[str, list[Contact]] = field(default_factory=lambda: {name: [] for name in QUEUES})
    quarters: set[tuple[str, int]] = field(default_factory=set)
    match: Callable[[str], None] = print  # given by who makes the world: brings a pool's contacts and agents together
    _seen: dict[str, int] = field(default_factory=dict)
    _plan: list[tuple[int, int, Callable[..., Any], tuple[Any, ...]]] = field(default_factory=list)
    _order: count = field(default_factory=count)  # type: ignore[type-arg]

    def at(self, when: int, what: Callable[..., Any], *told: Any) -> None:
        heapq.heappush(self._plan, (max(when, self.now), next(self._order), what, told))

    def after(self, ms: float, what: Callable[..., Any], *told: Any) -> None:
        self.at(self.now + round(ms), what, *told)

    def run(self) -> None:
        """Everything that happens, until nothing more does."""
        while self._plan:
            self.now, _, what, told = heapq.heappop(self._plan)
            what(*told)

    def happens(self, share: float) -> bool:
        return self.chance.random() < share

    def about(self, mean_ms: float, least_ms: float = 0) -> int:
        """An exponential time."""
        return round(least_ms + self.chance.expovariate(1 / mean_ms))

    # --- who says what -----------------------------------------------------------------------------------------------

    def contact(self, contact: Contact, fact: Any) -> None:
        """A contact's fact; whoever writes it may be some milliseconds late. The pool sees it after that."""
        late = self.chance.randrange(1, 40) if self.happens(0.1) else 0
        event = self.streams.say(f"contact-{contact.id}", fact, self.now, self.now + late)
        if contact.leg and fact.DESCRIPTOR.name in OBSERVED:
            self._forward(contact.queue.pool, late + self.chance.randrange(2, 30), contact_observed(event))

    def agent(self, agent: Agent, fact: Any) -> None:
        event = self.streams.say(f"agent-{agent.id}", fact, self.now, self.now)
        if agent.pool:
            self._forward(agent.pool, self.chance.randrange(2, 20), agent_observed(event))

    def _forward(self, pool: str, ms: int, fact: Any) -> None:
        """The pool sees it soon, each stream's facts in their order."""
        seen = self._seen[fact.source_stream] = max(self.now + ms, self._seen.get(fact.source_stream, 0))
        self.at(seen, self.pool, pool, fact)

    def pool(self, pool: str, fact: Any) -> None:
        self.streams.say(f"pool-{pool}", fact, self.now, self.now)


OBSERVED = {"ContactHeld", "ContactResumed", "ContactTransferred", "AgentDisconnected", "CustomerDisconnected"}
"""Facts that a pool sees and does nothing about here; the others it sees where it acts on them."""


def contact_observed(event: Any) -> Any:
    source = f"{event.meta.tenant_id}/{event.meta.stream}"
    return routing_pb.ContactObserved(source_stream=source, source_version=event.meta.version, fact=event)


def agent_observed(event: Any) -> Any:
    source = f"{event.meta.tenant_id}/{event.meta.stream}"
    return routing_pb.AgentObserved(source_stream=source, source_version=event.meta.version, fact=event)
