"""Owners that crash, freeze and race over one log: nothing is ever assigned twice or beyond capacity."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from routing.domain import carry
from routing.domain import observed as seen
from routing.domain.commands import AcceptOffer, DeclineOffer, DefineQueue, Input, TakePool
from routing.domain.decide import decide
from routing.domain.events import (
    AgentObserved,
    CapacityReleased,
    ContactAssigned,
    ContactObserved,
    ContactOffered,
    Event,
    OfferAccepted,
    OfferDeclined,
    OfferExpired,
    OfferWithdrawn,
    PoolTaken,
    Queue,
    TimerElapsed,
    TimerKind,
)
from routing.domain.replay import Recorded, replay
from routing.domain.state import Board

from .scene import START, fold

AGENTS = ("a1", "a2", "a3")
CONTACTS = tuple(f"c{n}" for n in range(8))
ENDS = OfferAccepted | OfferDeclined | OfferExpired | OfferWithdrawn


class Fenced(Exception):
    pass


@dataclass
class Store:
    """The pool's stream and ``seen``; an append lands only on the head it expects (kernel rule 1)."""

    log: list[Recorded] = field(default_factory=list)
    seen: dict[str, int] = field(default_factory=dict)

    def append(self, expected: int, events: list[Event], at: int) -> None:
        if len(self.log) != expected:
            raise Fenced
        self.log += [(event, at) for event in events]


@dataclass
class Owner:
    """One process's idea of the pool: a board at some head, and how far it has read the inbox."""

    store: Store
    name: str
    board: Board | None = None
    head: int = 0
    position: int = 0
    last: int = 0

    def take(self, now: int) -> None:
        self.board, self.head = fold(self.store.log), len(self.store.log)
        for event, _ in self.store.log:
            if isinstance(event, ContactObserved | AgentObserved):
                self.store.seen[event.source] = max(event.version, self.store.seen.get(event.source, 0))
        self.write([TakePool(self.name, self.board.generation + 1)], now)

    def write(self, items: list[Input], now: int, *, lose: str = "") -> None:
        """decide, append, seen, in this order; ``lose`` names the step before which the process dies."""
        assert self.board is not None
        news = self.news(items)
        at = max(now, self.last, max((at for _, at in self.store.log), default=0))
        events = [event for _, caused in decide(news, self.board, at) for event in caused]
        if lose == "append":
            return self.die()
        try:
            self.store.append(self.head, events, at)
        except Fenced:
            return self.die()
        self.head, self.last = self.head + len(events), at
        if lose == "seen":
            return self.die()
        for item in news:
            if isinstance(item, ContactObserved | AgentObserved):
                self.store.seen[item.source] = item.version
        return None

    def news(self, items: list[Input]) -> list[Input]:
        """Kernel rule 22: drop what the board, or the table for what left it, has seen."""
        assert self.board is not None
        fresh: list[Input] = []
        batch: dict[str, int] = {}
        for item in items:
            if isinstance(item, ContactObserved | AgentObserved):
                known = max(self.store.seen.get(item.source, 0), batch.get(item.source, 0))
                if not self.board.is_news(item.source, item.version, known):
                    continue
                batch[item.source] = item.version
            fresh.append(item)
        return fresh

    def die(self) -> None:
        self.board = None


class Pool(RuleBasedStateMachine):
    """The world outside produces an inbox; two owners work on it in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.now = START
        self.store = Store()
        self.owners = [Owner(self.store, "o1"), Owner(self.store, "o2")]
        self.inbox: list[Input] = []
        self.versions: Counter[str] = Counter()
        self.commands = 0
        self.committed = 0

    # the world

    def observe(self, kind: type[ContactObserved] | type[AgentObserved], source: str, fact: Any) -> None:
        self.versions[source] += 1
        self.inbox.append(kind(source, self.versions[source], fact))

    def tell_agent(self, fact: Any) -> None:
        self.observe(AgentObserved, f"t1/agent-{fact.agent}", fact)

    def tell_contact(self, fact: Any) -> None:
        self.observe(ContactObserved, f"t1/contact-{fact.contact}", fact)

    @initialize()
    def begin(self) -> None:
        self.inbox.append(DefineQueue(Queue("q1", offer_timeout_ms=10_000), "define"))
        for agent in AGENTS:
            self.tell_agent(
                seen.JoinedPool(agent, "p1", capacity=seen.Capacity((("chat", 2),)), checked_in=True, ready=True)
            )

    @rule(contact=st.sampled_from(CONTACTS), priority=st.integers(0, 1), preferred=st.sampled_from(("", "a2")))
    def queue(self, contact: str, priority: int, preferred: str) -> None:
        leg = self.versions[f"t1/contact-{contact}"] + 1
        self.tell_contact(seen.ContactQueued(contact, leg, "q1", "p1", "chat", self.now, 0, priority, 0, (), preferred))

    @rule(contact=st.sampled_from(CONTACTS))
    def abandon(self, contact: str) -> None:
        self.tell_contact(seen.ContactAbandoned(contact, self.now))

    @rule(data=st.data())
    def connect(self, data: st.DataObject) -> None:
        if assigned := [event for event, _ in self.store.log if isinstance(event, ContactAssigned)]:
            event = data.draw(st.sampled_from(assigned))
            self.tell_contact(seen.AgentConnected(event.contact, event.leg, event.agent, self.now))

    @rule(agent=st.sampled_from(AGENTS), data=st.data())
    def presence(self, agent: str, data: st.DataObject) -> None:
        kinds = (seen.AgentReady, seen.AgentReady, seen.AgentNotReady, seen.AgentCheckedIn, seen.AgentCheckedOut)
        self.tell_agent(data.draw(st.sampled_from(kinds))(agent))

    @rule(agent=st.sampled_from(AGENTS), slots=st.integers(0, 3))
    def capacity(self, agent: str, slots: int) -> None:
        self.tell_agent(seen.CapacitySet(agent, seen.Capacity((("chat", slots),))))

    @rule(data=st.data(), kind=st.sampled_from((seen.WorkEnded, seen.WrapUpStarted, seen.WrapUpEnded)))
    def work(self, data: st.DataObject, kind: Any) -> None:
        if assigned := [event for event, _ in self.store.log if isinstance(event, ContactAssigned)]:
            event = data.draw(st.sampled_from(assigned))
            self.tell_agent(kind(event.agent, event.contact, event.leg))

    @rule(agent=st.sampled_from(AGENTS))
    def change_pool(self, agent: str) -> None:
        self.tell_agent(seen.PoolLeaveRequested(agent, "p2"))

    @rule(agent=st.sampled_from(AGENTS))
    def come_back(self, agent: str) -> None:
        self.tell_agent(
            seen.JoinedPool(agent, "p1", capacity=seen.Capacity((("chat", 1),)), checked_in=True, ready=True)
        )

    @rule(data=st.data(), kind=st.sampled_from((AcceptOffer, AcceptOffer, DeclineOffer)))
    def answer(self, data: st.DataObject, kind: Any) -> None:
        if made := [event for event, _ in self.store.log if isinstance(event, ContactOffered)]:
            offer = data.draw(st.sampled_from(made[-4:]))
            agent = data.draw(st.sampled_from((offer.agent, offer.agent, *AGENTS)))
            self.commands += 1
            self.inbox.append(kind(offer.offer_id, agent, f"command-{self.commands}"))

    @rule(seconds=st.integers(0, 12))
    def time_passes(self, seconds: int) -> None:
        self.now += seconds * 1000

    # the owners

    @rule(who=st.integers(0, 1))
    def takeover(self, who: int) -> None:
        """From wherever the offsets were committed: what is read twice must have no effect."""
        owner = self.owners[who]
        owner.take(self.now)
        owner.position = self.committed

    @rule(who=st.integers(0, 1), count=st.integers(1, 12), lose=st.sampled_from(("", "", "", "", "append", "seen")))
    def pump(self, who: int, count: int, lose: str) -> None:
        owner = self.owners[who]
        if owner.board is None:
            return
        items = self.inbox[owner.position : owner.position + count]
        owner.write(items, self.now, lose=lose)
        if owner.board is not None:
            owner.position += len(items)
            self.committed = max(self.committed, owner.position)

    @rule(who=st.integers(0, 1), back=st.integers(1, 20))
    def redeliver(self, who: int, back: int) -> None:
        self.owners[who].position = max(0, self.owners[who].position - back)

    @rule(who=st.integers(0, 1))
    def deliver_everything_again(self, who: int) -> None:
        """Offsets reset: the whole topic a second time, in pieces."""
        owner = self.owners[who]
        owner.position = 0
        while owner.board and owner.position < self.committed:
            self.pump(who, 12, "")

    @precondition(lambda self: len(self.inbox) > 1)
    @rule(data=st.data())
    def reorder_streams(self, data: st.DataObject) -> None:
        """Nothing is promised across streams: two neighbours of different streams may arrive the other way round."""
        n = data.draw(st.integers(self.committed, len(self.inbox))) if self.committed < len(self.inbox) else 0
        if self.committed < n < len(self.inbox) and max(o.position for o in self.owners) < n:
            first, second = self.inbox[n - 1], self.inbox[n]
            if getattr(first, "source", "first") != getattr(second, "source", "second"):
                self.inbox[n - 1], self.inbox[n] = second, first

    @rule(who=st.integers(0, 1))
    def timers(self, who: int) -> None:
        owner = self.owners[who]
        if owner.board:
            owner.write(due(owner.board, self.now), self.now)

    # what must hold

    @invariant()
    def the_log_is_sound(self) -> None:
        check(self.store.log)

    @invariant()
    def a_live_board_is_the_fold_of_its_log(self) -> None:
        for owner in self.owners:
            if owner.board and owner.head == len(self.store.log):
                assert carry.pack(owner.board) == carry.pack(fold(self.store.log))
                nobody_waits_beside_a_free_agent(owner.board)

    def teardown(self) -> None:
        """However it went: with one owner and time, every offer ends, and the whole log replays to itself."""
        owner = self.owners[0]
        owner.take(self.now)
        owner.write(self.inbox[self.committed :], self.now)
        while owner.board and owner.board.offers:
            self.now += 10_000
            owner.write(due(owner.board, self.now), self.now)
        check(self.store.log)
        made = [event.offer_id for event, _ in self.store.log if isinstance(event, ContactOffered)]
        ended = [event.offer_id for event, _ in self.store.log if isinstance(event, ENDS)]
        assert sorted(made) == sorted(ended)
        assert replay(self.store.log, Board("t1", "p1")) is None


def due(board: Board, now: int) -> list[Input]:
    over = sorted(
        (c.expires_at, c.offer_id)
        for c in board.contacts.values()
        if c.offer_id in board.offers and c.expires_at <= now
    )
    return [TimerElapsed(TimerKind.OFFER, at, id) for at, id in over]


def nobody_waits_beside_a_free_agent(board: Board) -> None:
    """Work conservation: a waiting contact and a free agent that may have it never stand side by side."""
    from routing.domain.matching import agent_for
    from routing.domain.members import Phase as Standing

    for contact in board.contacts.values():
        assert contact.phase is not Standing.WAITING or agent_for(board, contact) is None


def check(log: list[Recorded]) -> None:
    """Trust I3 and I4, by a second, naive reading of the log that shares no code with the board."""
    open_offers: dict[str, ContactOffered] = {}
    held: dict[str, set[str]] = {agent: set() for agent in AGENTS}
    work: dict[tuple[str, int], str] = {}
    available = dict.fromkeys(AGENTS, False)
    slots = dict.fromkeys(AGENTS, 0)
    generation, last = 0, 0
    versions: Counter[str] = Counter()
    for event, at in log:
        if isinstance(event, ContactObserved | AgentObserved):
            assert event.version > versions[event.source], "observed twice, or out of order"
            versions[event.source] = event.version
        assert at >= last, "recorded_at never decreases (P8)"
        last = at
        match event:
            case PoolTaken(generation=g):
                assert g == generation + 1, "two owners never take the same generation"
                generation = g
            case AgentObserved(fact=seen.JoinedPool(agent=a, capacity=s)):
                available[a], slots[a] = True, dict(s.slots)["chat"]
            case AgentObserved(fact=seen.CapacitySet(agent=a, capacity=s)):
                slots[a] = dict(s.slots)["chat"]
            case AgentObserved(fact=seen.AgentNotReady(agent=a) | seen.AgentCheckedOut(agent=a)):
                available[a] = False
            case AgentObserved(fact=seen.PoolLeaveRequested(agent=a)):
                available[a] = False
            case AgentObserved(fact=seen.AgentReady(agent=a)):
                available[a] = True
            case ContactOffered():
                assert event.contact not in {o.contact for o in open_offers.values()}, "one open offer a contact"
                assert (event.contact, event.leg) not in work, "an assigned leg is offered to nobody else"
                assert available[event.agent], "offered to an agent that is not ready"
                open_offers[event.offer_id] = event
                held[event.agent].add(event.offer_id)
                assert len(held[event.agent]) <= slots[event.agent], "over capacity"
            case OfferAccepted() | OfferDeclined() | OfferExpired() | OfferWithdrawn():
                offer = open_offers.pop(event.offer_id)
                assert offer.agent == event.agent
                held[event.agent].remove(event.offer_id)
            case ContactAssigned():
                assert (event.contact, event.leg) not in work, "assigned twice"
                work[event.contact, event.leg] = event.agent
                held[event.agent].add(f"{event.contact}#{event.leg}")
            case CapacityReleased():
                held[event.agent].remove(f"{event.contact}#{event.leg}")


Pool.TestCase.settings = settings(
    max_examples=80,
    stateful_step_count=60,
    deadline=None,
    phases=(Phase.explicit, Phase.generate, Phase.target),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
TestPool = Pool.TestCase
TestPool.__doc__ = "RT-2, CH-2, kernel rules 20-24."
