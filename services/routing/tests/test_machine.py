"""Owners that crash, freeze and race over one log: nothing is ever assigned twice or beyond capacity."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from routing.domain import carry, matching
from routing.domain import observed as seen
from routing.domain.commands import AcceptOffer, ChoosePolicy, DeclineOffer, DefineQueue, Input, StartDay, TakePool
from routing.domain.decide import decide
from routing.domain.definitions import Relaxation
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
    PoolCarried,
    PoolOpened,
    PoolTaken,
    Queue,
    QueueDefined,
    TimerElapsed,
    TimerKind,
)
from routing.domain.members import Contact
from routing.domain.members import Phase as Standing
from routing.domain.policies import POLICIES
from routing.domain.replay import Recorded, replay
from routing.domain.state import Board
from routing.domain.waiting import timer_of

from .scene import START, fold

AGENTS = tuple(f"a{n}" for n in range(1, 8))
CONTACTS = tuple(f"c{n}" for n in range(20))
VIP = (("vip", 2),)
QUEUES = {
    queue.id: queue
    for queue in (
        Queue("q1", offer_timeout_ms=10_000),
        Queue("many", offer_timeout_ms=10_000, ring_agents=2, weight=2),
        Queue("auto", auto_accept=True, policy="round-robin@1"),
        Queue("held", offer_timeout_ms=8_000, preferred_agent_ms=5_000, not_ready_on_no_answer=False, weight=1),
        Queue("vip", required_skills=VIP, policy="best-skill@1", relaxations=(Relaxation(4_000, "vip"),)),
    )
}
AGENT_QUEUES = ((), (), ("q1",), ("many", "held"), ("vip", "q1"))
CHANNELS = ("chat", "chat", "email", "voice")
COSTS = (("chat", 40), ("email", 50), ("voice", 100))
CAPACITIES = (
    seen.Capacity((("chat", 2),)),
    seen.Capacity((("chat", 1), ("voice", 1))),
    seen.Capacity((("chat", 3), ("email", 2), ("voice", 1)), COSTS, 100),
    seen.Capacity((("chat", 3), ("email", 2), ("voice", 1)), COSTS, 100, ("email",)),
    seen.Capacity((("chat", 0),)),
)
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
        self.commands = self.days = 0
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
        for queue in QUEUES.values():
            self.inbox.append(DefineQueue(queue, f"define-{queue.id}"))
        for n, agent in enumerate(AGENTS):
            joined = seen.JoinedPool(agent, "p1", skills=(("vip", n % 4),), capacity=CAPACITIES[n % 4], checked_in=True)
            self.tell_agent(replace(joined, ready=True))

    @rule(
        contact=st.sampled_from(CONTACTS),
        queue=st.sampled_from(tuple(QUEUES)),
        channel=st.sampled_from(CHANNELS),
        priority=st.integers(0, 1),
        preferred=st.sampled_from(("", "a2", "gone")),
    )
    def queue(self, contact: str, queue: str, channel: str, priority: int, preferred: str) -> None:
        leg = self.versions[f"t1/contact-{contact}"] + 1
        fact = seen.ContactQueued(contact, leg, queue, "p1", channel, self.now, priority=priority)
        self.tell_contact(replace(fact, preferred_agent=preferred))

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
        kinds = (*[seen.AgentReady] * 5, *[seen.AgentCheckedIn] * 2, seen.AgentNotReady, seen.AgentCheckedOut)
        self.tell_agent(data.draw(st.sampled_from(kinds))(agent))

    @rule(agent=st.sampled_from(AGENTS), data=st.data())
    def change_agent(self, agent: str, data: st.DataObject) -> None:
        """What stands about an agent changes, or it goes to another pool and comes back."""
        level, queues = data.draw(st.integers(0, 3)), data.draw(st.sampled_from(AGENT_QUEUES))
        joined = seen.JoinedPool(agent, "p1", capacity=CAPACITIES[1], checked_in=True, ready=True)
        changes = (
            seen.CapacitySet(agent, data.draw(st.sampled_from(CAPACITIES))),
            seen.SkillsAssigned(agent, (("vip", level),) if level else ()),
            seen.AgentRegistered(agent, queues, rank=level),
            seen.PoolLeaveRequested(agent, "p2"),
        )
        self.tell_agent(fact := data.draw(st.sampled_from(changes)))
        if isinstance(fact, seen.PoolLeaveRequested):
            self.tell_agent(joined)

    @rule(queue=st.sampled_from(tuple(QUEUES)), policy=st.sampled_from(("", *POLICIES)), data=st.data())
    def administer(self, queue: str, policy: str, data: st.DataObject) -> None:
        """A queue is defined anew, or a policy is chosen for the pool."""
        weight, rung = data.draw(st.integers(0, 3)), data.draw(st.integers(0, 3))
        defined = replace(QUEUES[queue], policy=policy, weight=weight, ring_agents=rung)
        self.commands += 1
        command = f"command-{self.commands}"
        self.inbox.append(ChoosePolicy(policy, command) if policy and rung else DefineQueue(defined, command))

    @rule(data=st.data(), kind=st.sampled_from((seen.WorkEnded, seen.WrapUpStarted, seen.WrapUpEnded)))
    def work(self, data: st.DataObject, kind: Any) -> None:
        if assigned := [event for event, _ in self.store.log if isinstance(event, ContactAssigned)]:
            event = data.draw(st.sampled_from(assigned[-4:]))
            self.tell_agent(kind(event.agent, event.contact, event.leg))
            if kind is seen.WrapUpStarted and data.draw(st.booleans()):
                self.tell_agent(seen.WrapUpEnded(event.agent, event.contact, event.leg))

    @rule(data=st.data(), kind=st.sampled_from((AcceptOffer, AcceptOffer, AcceptOffer, DeclineOffer)))
    def answer(self, data: st.DataObject, kind: Any) -> None:
        """Mostly an open offer by whom it was made to; sometimes an old one, or somebody else's."""
        made = [event for event, _ in self.store.log if isinstance(event, ContactOffered)][-6:]
        ended = {event.offer_id for event, _ in self.store.log if isinstance(event, ENDS)}
        if made:
            offer = data.draw(st.sampled_from([one for one in made if one.offer_id not in ended] or made))
            agent = data.draw(st.sampled_from((*[offer.agent] * 5, *AGENTS)))
            self.commands += 1
            self.inbox.append(kind(offer.offer_id, agent, f"command-{self.commands}"))
            if data.draw(st.booleans()):
                self.carry_on(0)

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

    @rule(who=st.integers(0, 1))
    def carry_on(self, who: int) -> None:
        """An owner that is there, or comes, reads all there is."""
        if self.owners[who].board is None:
            self.takeover(who)
        while self.owners[who].board and self.owners[who].position < len(self.inbox):
            self.pump(who, 12, "")

    @precondition(lambda self: any(owner.board for owner in self.owners))
    @rule(who=st.integers(0, 1))
    def new_day(self, who: int) -> None:
        """Kernel rule 19: the board comes back from its carry as it was, and decides on."""
        owner = self.owners[who]
        if owner.board and owner.head == len(self.store.log):
            self.days += 1
            _, *pieces, opened = carry.chapter(owner.board, "2025-06-16", f"carry-{self.days}", "UTC")
            assert isinstance(opened, PoolOpened)
            carried = carry.joined("t1", "p1", [one for one in pieces if isinstance(one, PoolCarried)], opened)
            assert carried is not None, "a carry is true to its digest"
            owner.write([StartDay("2025-06-16", f"carry-{self.days}", "UTC")], self.now)
            owner.board = carried

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
                folded = fold(self.store.log)
                assert carry.pack(owner.board) == carry.pack(folded)
                folded.reindex()
                the_index_is_as_if_built_anew(owner.board, folded)
                nobody_waits_beside_a_free_agent(owner.board)

    def teardown(self) -> None:
        """However it went: with one owner and time, every offer ends, and the whole log replays to itself."""
        owner = self.owners[0]
        owner.take(self.now)
        owner.write(self.inbox[self.committed :], self.now)
        while owner.board and owner.board.offers:
            self.now += 20_000
            owner.write(due(owner.board, self.now), self.now)
        check(self.store.log)
        made = [event.offer_id for event, _ in self.store.log if isinstance(event, ContactOffered)]
        ended = [event.offer_id for event, _ in self.store.log if isinstance(event, ENDS)]
        assert sorted(made) == sorted(ended)
        assert replay(self.store.log, Board("t1", "p1")) is None


def due(board: Board, now: int) -> list[Input]:
    rings = [ring for id, contact in board.offers.items() if (ring := board.contacts[contact].rings[id])]
    over = sorted((ring.expires_at, ring.offer_id) for ring in rings if ring.expires_at <= now)
    steps = [timer for contact in board.contacts.values() if (timer := timer_of(contact)) and timer.due_at <= now]
    return [*[TimerElapsed(TimerKind.OFFER, at, id) for at, id in over], *steps]


def the_index_is_as_if_built_anew(board: Board, anew: Board) -> None:
    """Who is free for each contact, in which order, and how many are not for which reason."""
    assert set(board.ringing) == set(anew.ringing)
    for contact in board.contacts.values():
        assert matching.passed_over(board, contact) == matching.passed_over(anew, anew.contacts[contact.id])
        assert free(board, contact) == free(anew, anew.contacts[contact.id])


def free(board: Board, contact: Contact) -> list[Any]:
    return [line.free.entries() for line in board.lines.of(contact, board.setting(contact))]


def nobody_waits_beside_a_free_agent(board: Board) -> None:
    """Work conservation: a waiting contact and a free agent that may have it never stand side by side."""
    for contact in board.contacts.values():
        assert contact.phase is not Standing.WAITING or matching.agent_for(board, contact) is None
        assert not board.may_ring(contact) or matching.agent_for(board, contact) is None, "an agent more may be rung"


def check(log: list[Recorded]) -> None:
    """Trust I3 and I4, by a second, naive reading of the log that shares no code with the board."""
    open_offers: dict[str, ContactOffered] = {}
    held: dict[str, dict[str, str]] = {agent: {} for agent in AGENTS}
    work: dict[tuple[str, int], str] = {}
    available = dict.fromkeys(AGENTS, False)
    capacity = dict.fromkeys(AGENTS, seen.Capacity())
    serves: dict[str, tuple[str, ...]] = dict.fromkeys(AGENTS, ())
    queues = {id: Queue(id) for id in QUEUES}
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
            case QueueDefined(queue=queue):
                queues[queue.id] = queue
            case AgentObserved(fact=seen.JoinedPool(agent=a, capacity=s)):
                available[a], capacity[a], serves[a] = True, s, ()
            case AgentObserved(fact=seen.CapacitySet(agent=a, capacity=s)):
                capacity[a] = s
            case AgentObserved(fact=seen.AgentRegistered(agent=a, queues=q)):
                serves[a] = q
            case AgentObserved(fact=seen.AgentNotReady(agent=a) | seen.AgentCheckedOut(agent=a)):
                available[a] = False
            case AgentObserved(fact=seen.PoolLeaveRequested(agent=a)):
                available[a] = False
            case AgentObserved(fact=seen.AgentReady(agent=a)):
                available[a] = True
            case ContactOffered():
                rung = [o.agent for o in open_offers.values() if o.contact == event.contact]
                assert event.agent not in rung, "an agent is rung once for a contact"
                assert len(rung) < max(queues[event.queue].ring_agents, 1), "more rung at once than the queue wants"
                assert event.queue in (serves[event.agent] or [event.queue]), "not an agent of the queue"
                assert (event.contact, event.leg) not in work, "an assigned leg is offered to nobody else"
                assert available[event.agent], "offered to an agent that is not ready"
                open_offers[event.offer_id] = event
                held[event.agent][event.offer_id] = event.channel
                assert fits(capacity[event.agent], Counter(held[event.agent].values()), event.channel), "over capacity"
            case OfferAccepted() | OfferDeclined() | OfferExpired() | OfferWithdrawn():
                offer = open_offers.pop(event.offer_id)
                assert offer.agent == event.agent
                del held[event.agent][event.offer_id]
            case ContactAssigned():
                assert (event.contact, event.leg) not in work, "assigned twice"
                assert event.contact not in {o.contact for o in open_offers.values()}, "it rings elsewhere still"
                work[event.contact, event.leg] = event.agent
                held[event.agent][f"{event.contact}#{event.leg}"] = event.channel
            case CapacityReleased():
                del held[event.agent][f"{event.contact}#{event.leg}"]


def fits(capacity: seen.Capacity, holds: Counter[str], channel: str) -> bool:
    """Whether all that an agent holds may be held, its last being of ``channel`` (CH-2)."""
    costs = dict(capacity.costs)
    yields = () if channel in capacity.interruptible else capacity.interruptible
    spent = sum(costs.get(kind, 0) * count for kind, count in holds.items() if kind not in yields)
    return holds[channel] <= dict(capacity.slots)[channel] and (not capacity.units or spent <= capacity.units)


Pool.TestCase.settings = settings(
    max_examples=60,
    stateful_step_count=80,
    deadline=None,
    phases=(Phase.explicit, Phase.generate, Phase.target),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
TestPool = Pool.TestCase
TestPool.__doc__ = "RT-2, CH-2, kernel rules 20-24."
