"""What became of each contact, told from a pool's turns alone: of paper and of a real log alike. Times in ms."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from ...domain import observed as seen
from ...domain.events import (
    AgentObserved,
    ContactDequeued,
    ContactOffered,
    ContactWaiting,
    OfferDeclined,
    OfferExpired,
    Outcome,
)
from .engine import Told

WAITING = "waiting"


@dataclass(slots=True)
class Stay:
    """One leg of a contact in one queue; -1 is a time that has not come (or never does).

    ``offered_at`` is that of the last offer, ``left_at`` when it was connected or left the queue, ``ended_at`` when the
    talk was over or it left unanswered, ``free_at`` when the agent was done with it, wrap-up included.
    """

    contact: str
    leg: int
    queue: str
    channel: str
    queued_at: int
    outcome: str = WAITING
    offered_at: int = -1
    accepted_at: int = -1
    left_at: int = -1
    ended_at: int = -1
    free_at: int = -1
    agent: str = ""
    offers: int = 0
    lost_offers: int = 0

    @property
    def over(self) -> bool:
        """Nothing of it can change any more."""
        return self.free_at >= 0

    @property
    def answered_at(self) -> int:
        return self.left_at if self.outcome == Outcome.ANSWERED else -1

    def wait_ms(self, now: int) -> int:
        """Until it left the queue, or so far."""
        return (self.left_at if self.left_at >= 0 else now) - self.queued_at


class Stays:
    """Follow turns with ``take``; ``over`` gives what is complete, in the order in which the contacts were queued."""

    def __init__(self) -> None:
        self._stays: dict[tuple[str, int], Stay] = {}

    def take(self, told: Told) -> None:
        for event in told.events:
            follow = _FOLLOWED.get(type(event))
            if follow is not None:
                follow(self, event, told.at)

    def over(self) -> Iterator[Stay]:
        """Complete ones before the first that is not; each is given once."""
        done = []
        for stay in self._stays.values():
            if not stay.over:
                break
            done.append(stay)
        for stay in done:
            del self._stays[stay.contact, stay.leg]
            yield stay

    def rest(self) -> Iterator[Stay]:
        """All others, complete or not."""
        yield from self._stays.values()
        self._stays.clear()

    def _waits(self, event: ContactWaiting, at: int) -> None:
        key = event.contact, event.leg
        self._stays[key] = Stay(event.contact, event.leg, event.queue, event.channel, event.queued_at)

    def _offered(self, event: ContactOffered, at: int) -> None:
        stay = self._stays.get((event.contact, event.leg))
        if stay is not None:
            stay.offered_at, stay.offers = at, stay.offers + 1

    def _lost(self, event: OfferExpired | OfferDeclined, at: int) -> None:
        stay = self._stays.get((event.contact, event.leg))
        if stay is not None:
            stay.lost_offers += 1

    def _left(self, event: ContactDequeued, at: int) -> None:
        stay = self._stays.get((event.contact, event.leg))
        if stay is None:
            return
        stay.outcome, stay.left_at = str(event.outcome), event.left_at
        if event.outcome is Outcome.ANSWERED:
            stay.agent, stay.accepted_at = event.agent, event.accepted_at
        else:
            stay.ended_at = stay.free_at = event.left_at

    def _agent(self, event: AgentObserved, at: int) -> None:
        match event.fact:
            case seen.WrapUpStarted(contact=contact, leg=leg):
                if stay := self._stays.get((contact, leg)):
                    stay.ended_at = at
            case seen.WorkEnded(contact=contact, leg=leg) | seen.WrapUpEnded(contact=contact, leg=leg):
                if stay := self._stays.get((contact, leg)):
                    stay.ended_at = at if stay.ended_at < 0 else stay.ended_at
                    stay.free_at = at
            case _:
                pass


_FOLLOWED: dict[type[Any], Callable[[Stays, Any, int], None]] = {
    ContactWaiting: Stays._waits,
    ContactOffered: Stays._offered,
    OfferExpired: Stays._lost,
    OfferDeclined: Stays._lost,
    ContactDequeued: Stays._left,
    AgentObserved: Stays._agent,
}
