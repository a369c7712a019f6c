"""A pool on a stage: tests say what it is told, and read what happened."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from routing.domain import carry
from routing.domain import observed as seen
from routing.domain.commands import AcceptOffer, DeclineOffer, DefineQueue, Input
from routing.domain.decide import decide_one
from routing.domain.events import AgentObserved, ContactObserved, ContactOffered, Event, Queue, TimerElapsed, TimerKind
from routing.domain.evolve import evolve
from routing.domain.replay import Recorded
from routing.domain.state import Board
from routing.domain.waiting import timer_of

START = 1_750_000_000_000
CHAT = seen.Capacity((("chat", 1),))


class Scene:
    """Keeps board, log and versions; every method answers the facts that the turn caused after the observed one."""

    def __init__(self) -> None:
        self.board = Board("t1", "p1")
        self.log: list[Recorded] = []
        self.now = START
        self._versions: dict[str, int] = {}
        self._commands = 0

    def tell(self, item: Input) -> list[Event]:
        events = decide_one(item, self.board, self.now)
        self.log += [(event, self.now) for event in events]
        assert carry.pack(fold(self.log)) == carry.pack(self.board), "a fold of the log is the live board"
        return events

    def later(self, milliseconds: int) -> Scene:
        self.now += milliseconds
        return self

    def queue(self, id: str = "q1", **options: Any) -> list[Event]:
        return self.tell(DefineQueue(Queue(id, **options), self._command()))[1:]

    def contact(self, fact: seen.ContactFact) -> list[Event]:
        source = f"t1/contact-{fact.contact}"
        return self.tell(ContactObserved(source, self._version(source), fact))[1:]

    def agent(self, fact: seen.AgentFact) -> list[Event]:
        source = f"t1/agent-{fact.agent}"
        return self.tell(AgentObserved(source, self._version(source), fact))[1:]

    def queued(self, contact: str, queue: str = "q1", **options: Any) -> list[Event]:
        fact = seen.ContactQueued(contact, 1, queue, "p1", "chat", self.now)
        return self.contact(replace(fact, **options))

    def ready(
        self, agent: str, skills: seen.Skills = (), slots: tuple[tuple[str, int], ...] = (("chat", 1),)
    ) -> list[Event]:
        """The agent joins, checks in and becomes ready."""
        self.agent(seen.JoinedPool(agent, "p1", "team1", skills, seen.Capacity(slots)))
        self.agent(seen.AgentCheckedIn(agent))
        return self.agent(seen.AgentReady(agent))

    def joins(self, agent: str, slots: tuple[tuple[str, int], ...] = (("chat", 1),), **options: Any) -> list[Event]:
        """The agent joins ready to take offers."""
        given = {"team": "team1", "capacity": seen.Capacity(slots), "checked_in": True, "ready": True} | options
        return self.agent(seen.JoinedPool(agent, "p1", **given))

    def done(self, contact: str, agent: str, leg: int = 1) -> list[Event]:
        """The conversation is over, without wrap-up."""
        return self.agent(seen.WorkEnded(agent, contact, leg))

    def served(self, contact: str, **options: Any) -> str:
        """``contact`` is queued, offered, accepted and answered; by whom."""
        offered = only_offer(self.queued(contact, **options))
        self.accept(offered.offer_id, offered.agent)
        self.contact(seen.AgentConnected(contact, 1, offered.agent, self.now))
        return offered.agent

    def accept(self, offer_id: str, agent: str, **options: Any) -> list[Event]:
        return self.tell(AcceptOffer(offer_id, agent, self._command(), **options))

    def decline(self, offer_id: str, agent: str) -> list[Event]:
        return self.tell(DeclineOffer(offer_id, agent, self._command()))

    def expire(self, offer_id: str) -> list[Event]:
        return self.tell(TimerElapsed(TimerKind.OFFER, self.now, offer_id))

    def step(self, contact: str) -> list[Event]:
        """The next step of a waiting contact, at its time."""
        timer = timer_of(self.board.contacts[contact])
        assert timer is not None
        self.now = max(self.now, timer.due_at)
        return self.tell(timer)[1:]

    def assigned(self, contact: str, agent: str) -> None:
        """``contact`` is queued, offered to ``agent`` and accepted."""
        offered = only_offer(self.queued(contact))
        assert offered.agent == agent
        self.accept(offered.offer_id, agent)

    def _version(self, source: str) -> int:
        self._versions[source] = self._versions.get(source, 0) + 1
        return self._versions[source]

    def _command(self) -> str:
        self._commands += 1
        return f"command-{self._commands}"


def fold(log: list[Recorded]) -> Board:
    board = Board("t1", "p1")
    for event, at in log:
        evolve(board, event, at)
    return board


def offers(events: list[Event]) -> list[ContactOffered]:
    return [event for event in events if isinstance(event, ContactOffered)]


def only_offer(events: list[Event]) -> ContactOffered:
    (offer,) = offers(events)
    return offer


def pairs(events: list[Event]) -> list[tuple[str, str]]:
    """(contact, agent) of every offer made."""
    return [(offer.contact, offer.agent) for offer in offers(events)]


def names(events: list[Event]) -> list[str]:
    return [type(event).__name__ for event in events]
