"""The production engine on a virtual clock: the same decisions, deadlines and board, with simulated people around."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import tzinfo
from heapq import heappop, heappush
from itertools import count
from typing import Any, NamedTuple

from ...domain import observed as seen
from ...domain.commands import AcceptOffer, DeclineOffer, Input
from ...domain.decide import decide_one
from ...domain.definitions import Action
from ...domain.events import (
    AgentObserved,
    ContactAssigned,
    ContactDequeued,
    ContactObserved,
    ContactOffered,
    ContactOverflowed,
    Event,
    OfferExpired,
    Outcome,
)
from ...domain.members import Contact, Phase, leg_key
from ...domain.observed import AgentFact, ContactFact
from ...domain.state import Board
from ..deadlines import Deadlines
from .world import Arrival, Cue, People, Reply, Willing

# What happens at one millisecond happens in this order: whoever becomes free is free for whoever comes,
# and whoever is answered at the end of their patience is answered.
CUE, END, ANSWER, ARRIVE, LEAVE = range(5)

NEVER = 1 << 62
# A weekly calendar has shown all it has by then, and contacts who still wait will wait for ever.
QUIET_MS = 8 * 86_400_000

Do = Callable[..., None]


class Told(NamedTuple):
    """A turn of the pool: what it was told, when, and the facts that caused (none: it was true already)."""

    at: int
    item: Input
    events: list[Event]


@dataclass(slots=True)
class Case:
    """A contact from its arrival to the end of its talk: ``leg`` and ``queue`` are where it is now.

    ``moving``: a rule has sent it on to another queue, where it is about to wait.
    """

    arrival: Arrival
    leg: int
    queue: str
    arrived_at: int
    version: int = 0
    talking: bool = False
    moving: bool = False


class Engine:
    """One pool. ``run`` yields its turns in the order of a pool's stream; ``board`` is as after the last one.

    The same board, people, arrivals and cues give the same turns. A board that is not empty is taken as it stands:
    ``adopt`` its contacts, and give what agents at work will do as cues. ``zone`` is that of queues whose hours name
    none; without it nobody opens or closes a queue but cues.
    """

    def __init__(self, board: Board, people: People | None = None, now: int = 0, zone: tzinfo | None = None) -> None:
        self.board, self.now = board, now
        self._people = people or Willing()
        self._agenda: list[tuple[int, int, int, Do, tuple[Any, ...]]] = []
        self._n = count()
        self._cases: dict[str, Case] = {}
        self._versions: dict[str, int] = {}
        self._missed: dict[str, int] = {}
        self._deadlines = Deadlines(zone=zone)
        self._deadlines.start(board, now, _bus_time(now), lambda at: 0)
        self._turns: list[Told] = []
        self._quiet_since, self._elapses = now, NEVER

    def run(self, arrivals: Iterable[Arrival], cues: Iterable[Cue] = (), until: int | None = None) -> Iterator[Told]:
        """Every turn until nothing more can happen, or up to and including ``until``; both inputs sorted by time."""
        self._next_cue(iter(cues))
        self._next_arrival(iter(arrivals))
        while True:
            at = self._next_at()
            if at is None or (until is not None and at > until) or self._is_over(at):
                return
            self.now = max(at, self.now)
            self._step()
            yield from self._turns
            self._turns.clear()

    def adopt(self, arrival: Arrival) -> None:
        """Simulate a contact that is on the board already: its patience, and its answer or connection if under way."""
        contact = self.board.contacts[arrival.contact]
        case = Case(arrival, contact.leg, contact.queue, contact.arrived_at, contact.version)
        self._cases[contact.id] = case
        self._impatience(case)
        if contact.phase is Phase.ASSIGNED:
            self._at(self.now + self._people.connect_ms(arrival, contact.agent), ANSWER, self._connect, case, contact)
        elif contact.offer_id in self.board.offers:
            self._at(self.now, ANSWER, self._accept, contact.offer_id, contact.agent)

    # -- time ----------------------------------------------------------------------------------------------------------

    def _at(self, when: int, rank: int, do: Do, *about: Any) -> None:
        heappush(self._agenda, (when, rank, next(self._n), do, about))

    def _next_at(self) -> int | None:
        elapses = self._deadlines.next()
        self._elapses = NEVER if elapses is None else round(elapses * 1000)
        first = min(self._elapses, self._agenda[0][0] if self._agenda else NEVER)
        return None if first == NEVER else first

    def _is_over(self, at: int) -> bool:
        """Calendars never end: when nobody comes any more, they alone are no reason to go on."""
        if self._agenda:
            self._quiet_since = self.now
            return False
        return not (self.board.contacts or self.board.finalities) or at - self._quiet_since > QUIET_MS

    def _step(self) -> None:
        """Of one millisecond: an offer accepted in its last is accepted, a queue that opens is open for who comes."""
        at, rank = self._agenda[0][:2] if self._agenda else (NEVER, LEAVE)
        if at <= self.now and (rank < ARRIVE or self._elapses > self.now):
            _, _, _, do, about = heappop(self._agenda)
            do(*about)
        else:
            timer = self._deadlines.due(_bus_time(self.now))[0]
            self._tell(timer)
            self._deadlines.told([timer], self.board, self.now, _bus_time(self.now))

    # -- what comes from outside ---------------------------------------------------------------------------------------

    def _next_arrival(self, arrivals: Iterator[Arrival]) -> None:
        arrival = next(arrivals, None)
        if arrival is not None:
            self._at(arrival.at, ARRIVE, self._arrive, arrival, arrivals)

    def _next_cue(self, cues: Iterator[Cue]) -> None:
        cue = next(cues, None)
        if cue is not None:
            self._at(cue[0], CUE, self._cue, cue[1], cues)

    def _arrive(self, arrival: Arrival, arrivals: Iterator[Arrival]) -> None:
        self._queue(Case(arrival, arrival.leg, arrival.queue, arrival.at))
        self._next_arrival(arrivals)

    def _cue(self, what: AgentFact | ContactFact | Input, cues: Iterator[Cue]) -> None:
        if isinstance(what, seen.Irrelevant):
            pass
        elif isinstance(what, AgentFact):
            self._missed.pop(what.agent, None)  # the wall clock has its own plans with the agent
            self._agent(what)
        elif isinstance(what, ContactFact):
            self._contact(what, self._cases.get(what.contact))
        else:
            self._tell(what)
        self._next_cue(cues)

    # -- contacts ------------------------------------------------------------------------------------------------------

    def _queue(self, case: Case) -> None:
        """As an ingress does: what the queue adds to a contact's priority is in the fact."""
        arrival = case.arrival
        self._cases[arrival.contact] = case
        if not case.moving:
            self._impatience(case)
        case.moving = False
        fact = seen.ContactQueued(
            contact=arrival.contact,
            leg=case.leg,
            queue=case.queue,
            pool=self.board.pool,
            channel=arrival.channel,
            queued_at=self.now,
            arrived_at=case.arrived_at,
            priority=arrival.priority + self.board.queue(case.queue).priority,
            credit_ms=arrival.credit_ms,
            required_skills=arrival.skills,
            preferred_agent=arrival.preferred_agent,
        )
        self._contact(fact, case)

    def _overflowed(self, event: ContactOverflowed) -> None:
        """To another queue of this pool it goes as the next leg; any other way it is gone from here."""
        case = self._cases.get(event.contact)
        if case is not None and event.action is Action.QUEUE and event.to_pool == self.board.pool:
            case.moving = True
            self._at(self.now, END, self._move, case, event.to_queue)

    def _move(self, case: Case, queue: str) -> None:
        case.leg, case.queue = case.leg + 1, queue
        self._queue(case)

    def _impatience(self, case: Case) -> None:
        if case.arrival.patience_ms is not None:
            self._at(max(self.now, case.arrival.at + case.arrival.patience_ms), LEAVE, self._leave, case)

    def _leave(self, case: Case) -> None:
        contact = case.arrival.contact
        if not case.talking and self._cases.get(contact) is case:
            self._contact(seen.ContactAbandoned(contact, self.now), case)

    def _contact(self, fact: ContactFact, case: Case | None) -> None:
        contact = fact.contact  # type: ignore[union-attr]
        version = 1
        if case is not None:
            version = case.version = case.version + 1
        self._tell(ContactObserved(f"{self.board.tenant}/contact-{contact}", version, fact))

    # -- agents --------------------------------------------------------------------------------------------------------

    def _agent(self, fact: AgentFact) -> None:
        agent = fact.agent  # type: ignore[union-attr]
        known = self.board.agents.get(agent)
        version = max(self._versions.get(agent, 0), known.version if known else 0) + 1
        self._versions[agent] = version
        self._tell(AgentObserved(f"{self.board.tenant}/agent-{agent}", version, fact))

    def _accept(self, offer_id: str, agent: str) -> None:
        if offer_id in self.board.offers:
            self._tell(AcceptOffer(offer_id, agent, f"accept-{offer_id}"))

    def _decline(self, offer_id: str, agent: str) -> None:
        if offer_id in self.board.offers:
            self._tell(DeclineOffer(offer_id, agent, f"decline-{offer_id}"))

    def _ready_again(self, agent: str, missed: int) -> None:
        if self._missed.get(agent) == missed and self.board.agents[agent].checked_in:
            del self._missed[agent]
            self._agent(seen.AgentReady(agent))

    # -- what decisions bring about ------------------------------------------------------------------------------------

    def _tell(self, item: Input) -> None:
        now = self.now
        events = decide_one(item, self.board, now)
        self._turns.append(Told(now, item, events))
        self._deadlines.follow(events, self.board, now, _bus_time(now))
        for event in events:
            react = _REACTIONS.get(type(event))
            if react is not None:
                react(self, event)

    def _offered(self, offer: ContactOffered) -> None:
        case = self._cases.get(offer.contact)
        if case is None or offer.offer_id not in self.board.offers:
            return
        answer = self._people.answer(offer, case.arrival)
        if answer.reply is not Reply.NONE:
            do = self._accept if answer.reply is Reply.ACCEPT else self._decline
            self._at(self.now + answer.after_ms, ANSWER, do, offer.offer_id, offer.agent)

    def _missed_offer(self, offer: OfferExpired) -> None:
        """As the agent's own service does: not ready by rule, and ready again when the agent says so."""
        if not offer.not_ready:
            return
        self._agent(seen.AgentNotReady(offer.agent, "no_answer"))
        after = self._people.back_ms(offer.agent, self.now)
        if after is not None:
            missed = self._missed[offer.agent] = next(self._n)
            self._at(self.now + after, CUE, self._ready_again, offer.agent, missed)

    def _assigned(self, event: ContactAssigned) -> None:
        case = self._cases.get(event.contact)
        if case is not None:
            after = self._people.connect_ms(case.arrival, event.agent)
            self._at(self.now + after, ANSWER, self._connect, case, event)

    def _connect(self, case: Case, assigned: ContactAssigned | Contact) -> None:
        contact = self.board.contacts.get(case.arrival.contact)
        if contact and contact.leg == assigned.leg and contact.phase is Phase.ASSIGNED:
            self._contact(seen.AgentConnected(contact.id, contact.leg, contact.agent, self.now), case)

    def _left(self, event: ContactDequeued) -> None:
        case = self._cases.get(event.contact)
        if event.outcome is Outcome.ANSWERED:
            if case is not None:
                case.talking = True
                talk, wrap_up = self._people.work_ms(case.arrival, event.agent)
                self._at(self.now + talk, END, self._talk_ends, case, event.leg, event.agent, wrap_up)
            return
        if case is not None and case.leg == event.leg and not case.moving:
            del self._cases[event.contact]
        agent = self.board.agents.get(event.agent)
        if agent and leg_key(event.contact, event.leg) in agent.work:  # accepted, but gone before it was connected
            self._at(self.now, END, self._agent, seen.WorkEnded(event.agent, event.contact, event.leg))

    def _talk_ends(self, case: Case, leg: int, agent: str, wrap_up: int) -> None:
        contact, then = case.arrival.contact, case.arrival.then
        del self._cases[contact]
        if wrap_up:
            self._agent(seen.WrapUpStarted(agent, contact, leg))
            self._at(self.now + wrap_up, END, self._agent, seen.WrapUpEnded(agent, contact, leg))
        else:
            self._agent(seen.WorkEnded(agent, contact, leg))
        if then is not None:
            self._queue(Case(replace(then, at=self.now), leg + 1, then.queue, case.arrived_at, case.version))


_REACTIONS: dict[type[Any], Callable[[Engine, Any], None]] = {
    ContactOffered: Engine._offered,
    OfferExpired: Engine._missed_offer,
    ContactAssigned: Engine._assigned,
    ContactOverflowed: Engine._overflowed,
    ContactDequeued: Engine._left,
}


def _bus_time(now: int) -> float:
    """Seconds of a bus that is always there; half a millisecond in, so that cutting off decimals gives ``now``."""
    return (now + 0.5) / 1000
