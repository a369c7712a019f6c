"""``python -m benchmarks.routing.board AGENTS QUEUES DECISIONS``: one board in a process of its own, told as JSON.

All agents are busy and 1 000 contacts wait. One agent after another becomes free and the board decides whom it is
offered: that is what is measured, by the CPU time of this thread. Accepting, connecting and the next arrival come
between and keep the board as it was; their time is told beside it.

Every queue asks one of 50 skills at a level from 1 to 3; every agent has five skills at levels from 1 to 5. Half of the
agents take any queue that they are skilled for, the others name twenty queues.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

import psutil

from routing.domain import observed as seen
from routing.domain.commands import AcceptOffer, DefineQueue, Input
from routing.domain.decide import decide_one
from routing.domain.events import AgentObserved, ContactObserved, ContactOffered, Event, Queue
from routing.domain.state import Board

SKILLS, WAITING, NAMED = 50, 1000, 20
START = 1_750_000_000_000
CHAT = seen.Capacity((("chat", 1),))


@dataclass
class Floor:
    """A board whose agents are all busy. ``deciding_ns`` and ``between_ns`` are CPU time."""

    agents: int
    queues: int
    chance: Random = field(default_factory=lambda: Random(1))
    board: Board = field(default_factory=lambda: Board("t1", "p1"))
    now: int = START
    contacts: int = 0
    deciding_ns: list[int] = field(default_factory=list)
    between_ns: int = 0
    versions: dict[str, int] = field(default_factory=dict)
    busy: list[tuple[str, str]] = field(default_factory=list)
    able: dict[str, list[str]] = field(default_factory=dict)

    def build(self) -> None:
        for n in range(self.queues):
            queue = Queue(f"q{n:04d}", required_skills=((_skill(n), 1 + n % 3),))
            self.tell(DefineQueue(queue, f"define-{n}"))
        for n in range(self.agents):
            self.agent(f"a{n:05d}", self.joined(n))
            self.now += 1
        for queues in self.able.values():
            self.arrive(self.chance.choice(queues))
        while len(self.board.contacts) < WAITING:
            self.arrive()

    def joined(self, n: int) -> seen.JoinedPool:
        mine = self.chance.sample(range(SKILLS), 5)
        levels = tuple(sorted((_skill(skill), self.chance.randint(1, 5)) for skill in mine))
        named = [q for q in range(self.queues) if q % SKILLS in mine]
        queues = sorted(self.chance.sample(named, min(NAMED, len(named)))) if n % 2 else []
        known = dict(levels)
        able = [f"q{q:04d}" for q in queues or named if known[_skill(q)] >= 1 + q % 3]
        if able:
            self.able[f"a{n:05d}"] = able
        ids = tuple(f"q{q:04d}" for q in queues)
        return seen.JoinedPool(f"a{n:05d}", "p1", "team1", levels, CHAT, ids, checked_in=True, ready=True)

    def decide(self) -> None:
        """An agent becomes free: offered to it, accepted, connected, and somebody else comes to wait."""
        agent, contact = self.busy[n := self.chance.randrange(len(self.busy))]
        self.busy[n] = self.busy[-1]
        self.busy.pop()
        self.now += 3
        version = self.versions[agent] = self.versions[agent] + 1
        item = AgentObserved(f"t1/agent-{agent}", version, seen.WorkEnded(agent, contact, 1))
        before = time.thread_time_ns()
        events = decide_one(item, self.board, self.now)
        taken = time.thread_time_ns() - before
        before = time.thread_time_ns()
        offers = _offers(events)
        for offer in offers:
            self.deciding_ns.append(taken)
            self.take(offer)
        if not offers:  # nobody who waits is for this agent
            self.arrive(self.chance.choice(self.able[agent]))
        while len(self.board.contacts) < WAITING:
            self.arrive()
        self.between_ns += time.thread_time_ns() - before

    def arrive(self, queue: str = "") -> None:
        """Into any queue unless one is named; taken at once by whoever is free for it."""
        self.contacts += 1
        contact, queue = f"c{self.contacts:09d}", queue or f"q{self.chance.randrange(self.queues):04d}"
        fact = seen.ContactQueued(contact, 1, queue, "p1", "chat", self.now)
        for offer in _offers(self.tell(ContactObserved(f"t1/contact-{contact}", 1, fact))):
            self.take(offer)

    def take(self, offer: ContactOffered) -> None:
        self.tell(AcceptOffer(offer.offer_id, offer.agent, f"accept-{offer.offer_id}"))
        fact = seen.AgentConnected(offer.contact, 1, offer.agent, self.now)
        self.tell(ContactObserved(f"t1/contact-{offer.contact}", 2, fact))
        self.busy.append((offer.agent, offer.contact))

    def agent(self, agent: str, fact: seen.AgentFact) -> None:
        self.versions[agent] = self.versions.get(agent, 0) + 1
        self.tell(AgentObserved(f"t1/agent-{agent}", self.versions[agent], fact))

    def tell(self, item: Input) -> list[Event]:
        return decide_one(item, self.board, self.now)


def measure(agents: int, queues: int, decisions: int) -> dict[str, Any]:
    process = psutil.Process()
    before = process.memory_info().rss
    floor = Floor(agents, queues)
    built = timed(floor.build)
    memory = process.memory_info().rss - before
    for _ in range(decisions // 10):
        floor.decide()
    floor.deciding_ns, floor.between_ns = [], 0
    while len(floor.deciding_ns) < decisions:
        floor.decide()
    spent = sorted(floor.deciding_ns)
    return {
        "per_s": decisions / (sum(spent) / 1e9),
        "p50_us": spent[len(spent) // 2] / 1000,
        "p99_us": spent[len(spent) * 99 // 100] / 1000,
        "contacts_per_s": decisions / ((sum(spent) + floor.between_ns) / 1e9),
        "built_s": built,
        "memory_mb": memory / 2**20,
        "waiting": len(floor.board.contacts),
    }


def timed(call: Callable[[], None]) -> float:
    began = time.thread_time()
    call()
    return time.thread_time() - began


def _offers(events: list[Event]) -> list[ContactOffered]:
    return [event for event in events if isinstance(event, ContactOffered)]


def _skill(n: int) -> str:
    return f"s{n % SKILLS:02d}"


if __name__ == "__main__":
    print(json.dumps(measure(*map(int, sys.argv[1:4]))))
