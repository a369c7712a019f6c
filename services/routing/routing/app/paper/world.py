"""What a day on paper is made of: contacts that come, agents that are there, and how people behave. Milliseconds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from heapq import merge
from typing import Protocol

from ...domain import observed as seen
from ...domain.commands import Input
from ...domain.events import ContactOffered
from ...domain.observed import AgentFact, Capacity, ContactFact, Skills

DEFAULT_BACK_MS = 30_000


@dataclass(frozen=True, slots=True)
class Arrival:
    """One leg of a contact as it is queued at ``at``, and what travels with it, whoever serves it.

    ``talk_ms`` is from two-way media to the agent's end; ``patience_ms`` from ``at`` until the customer leaves if not
    connected by then, wherever rules have moved it (``None``: never). ``then`` is queued when the talk ends (a
    transfer); its own ``at`` is not read. The queue's own priority is added to ``priority``.
    """

    contact: str
    at: int
    queue: str
    channel: str
    talk_ms: int
    wrap_up_ms: int = 0
    patience_ms: int | None = None
    priority: int = 0
    credit_ms: int = 0
    skills: Skills = ()
    preferred_agent: str = ""
    leg: int = 1
    then: Arrival | None = None


@dataclass(frozen=True, slots=True)
class Shift:
    """An agent's presence from ``begin`` until ``end`` (``None``: for good); no offers during ``breaks``.

    Whoever is in a contact at ``end`` finishes it first, and its break then is what is left of it.
    """

    agent: str
    begin: int
    end: int | None
    capacity: Capacity
    queues: tuple[str, ...] = ()
    skills: Skills = ()
    team: str = ""
    breaks: tuple[tuple[int, int], ...] = ()


Cue = tuple[int, AgentFact | ContactFact | Input]
"""When, and what the pool is told then: a fact gets its stream and version from the engine, any other input goes in
as it is (orders, timers)."""


class Reply(Enum):
    ACCEPT = "accept"
    DECLINE = "decline"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Answer:
    """What an agent does about an offer, and how long after it was made."""

    reply: Reply = Reply.ACCEPT
    after_ms: int = 0


class People(Protocol):
    """How people behave. Answers may rest on the arguments alone (and a seed): the engine asks each question once."""

    def answer(self, offer: ContactOffered, arrival: Arrival) -> Answer:
        """The agent's answer to ``offer``; one that comes after the offer's end has no effect."""
        ...

    def connect_ms(self, arrival: Arrival, agent: str) -> int:
        """From accepting to two-way media."""
        ...

    def work_ms(self, arrival: Arrival, agent: str) -> tuple[int, int]:
        """Talk and wrap-up of ``arrival`` with ``agent``."""
        ...

    def back_ms(self, agent: str, at: int) -> int | None:
        """How long an agent that let an offer ring stays not ready; ``None``: until its next shift or break ends."""
        ...


class Willing:
    """Accepts at once, is connected at once, works as long as the contact brings with it."""

    def answer(self, offer: ContactOffered, arrival: Arrival) -> Answer:
        return _AT_ONCE

    def connect_ms(self, arrival: Arrival, agent: str) -> int:
        return 0

    def work_ms(self, arrival: Arrival, agent: str) -> tuple[int, int]:
        return arrival.talk_ms, arrival.wrap_up_ms

    def back_ms(self, agent: str, at: int) -> int | None:
        return DEFAULT_BACK_MS


_AT_ONCE = Answer()


def presence(shifts: Iterable[Shift], pool: str) -> Iterator[Cue]:
    """What agents do by the wall clock, in order of time; at one instant shifts end before others begin."""
    timed = [cue for shift in shifts for cue in _presence(shift, pool)]
    return iter(sorted(timed, key=lambda cue: (cue[0], not isinstance(cue[1], seen.AgentCheckedOut), cue[1].agent)))


def in_order(*cues: Iterable[Cue]) -> Iterator[Cue]:
    """Several sorted streams of cues as one; at one instant those of the first go first."""
    return merge(*cues, key=lambda cue: cue[0])


Presence = seen.JoinedPool | seen.AgentCheckedIn | seen.AgentReady | seen.AgentNotReady | seen.AgentCheckedOut


def _presence(shift: Shift, pool: str) -> Iterator[tuple[int, Presence]]:
    agent, begin = shift.agent, shift.begin
    yield begin, seen.JoinedPool(agent, pool, shift.team, shift.skills, shift.capacity, shift.queues)
    yield begin, seen.AgentCheckedIn(agent)
    yield begin, seen.AgentReady(agent)
    for start, stop in shift.breaks:
        yield start, seen.AgentNotReady(agent, "break")
        yield stop, seen.AgentReady(agent)
    if shift.end is not None:
        yield shift.end, seen.AgentCheckedOut(agent)
