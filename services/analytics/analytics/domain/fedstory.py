"""A fact of another switch as it is kept, and a contact on its way through its facts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from analytics.domain import legs, levels
from analytics.domain.amounts import Waits
from analytics.domain.counters import Contribution
from analytics.domain.levels import COHORT, EVENT, Waiting, group, quarter


class Fact(NamedTuple):
    """A line as it is kept, in order of time, then id; a NamedTuple sorts so by itself."""

    at: int
    line_id: str
    fact: str
    queue: str = ""
    agent: str = ""
    team: str = ""
    channel: str = ""
    outcome: str = ""
    reason: str = ""
    score: int = 0
    amount_micros: int = 0
    currency: str = ""
    planned: bool = False
    until: int = 0


@dataclass(slots=True)
class Story:
    """A contact on its way through its facts; ``leg`` is the present one, 0: none yet."""

    name: str
    facts: Sequence[Fact]
    out: list[Contribution] = field(default_factory=list)
    leg: int = 0
    waiting: Waiting | None = None
    queue: str = ""
    offers: dict[str, tuple[str, int]] = field(default_factory=dict)
    answered_at: dict[int, int] = field(default_factory=dict)
    wrap_ups: dict[int, int] = field(default_factory=dict)
    handled: set[int] = field(default_factory=set)
    contact: legs.Contact = field(init=False)

    def __post_init__(self) -> None:
        channel = next((fact.channel for fact in self.facts if fact.channel), "unspecified")
        self.contact = legs.Contact(self.name, channel)

    @property
    def channel(self) -> str:
        return self.contact.channel

    @property
    def served(self) -> legs.Leg | None:
        """The present leg, once an agent has it."""
        leg = self.contact.legs.get(self.leg)
        return leg if leg is not None and leg.connected else None

    @property
    def talking(self) -> bool:
        return self.served is not None and not self.served.closed

    def open_leg(self, agent: str) -> int:
        """The last leg that ``agent`` (any, where that is not said) is still connected to, 0: none."""
        return max((number for number, leg in self._legs_of(agent) if not leg.closed), default=0)

    def leg_of(self, agent: str) -> int:
        """As ``open_leg``, else the last one that is over."""
        return self.open_leg(agent) or max((number for number, _ in self._legs_of(agent)), default=0)

    def wrapping(self, agent: str) -> int:
        """The first leg of ``agent`` whose wrap-up runs, 0: none."""
        running = (number for number in self.wrap_ups if number not in self.handled)
        return next((one for one in running if not agent or agent == self.contact.legs[one].agent), 0)

    def _legs_of(self, agent: str) -> Iterator[tuple[int, legs.Leg]]:
        connected = [(number, leg) for number, leg in self.contact.legs.items() if leg.connected]
        return ((number, leg) for number, leg in connected if not agent or agent == leg.agent)

    def of_queue(self, at: int, key: str, name: Any, amount: int = 1) -> None:
        """In the waiting leg's cohort and at ``at``."""
        assert self.waiting is not None
        self.out.append((COHORT, self.queue, quarter(self.waiting.queued_at), key, name, amount))
        self.out.append((EVENT, self.queue, quarter(at), key, name, amount))

    def dirt(self, fact: Fact, what: str) -> None:
        """Count what does not fit; the figures are made of the rest."""
        key = group(self.channel)
        self.out.append((EVENT, fact.queue or self.queue, quarter(fact.at), key, f"dirt_{what}", 1))

    def close(self) -> None:
        if self.waiting is not None:
            said = Waits(levels.leg_key(self.name, self.leg), self.waiting)
            self.out.append((COHORT, self.queue, quarter(self.waiting.queued_at), group(self.channel), said, 1))
