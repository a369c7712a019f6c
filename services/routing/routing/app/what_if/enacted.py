"""A recorded day run again around the engine of production, under its own rules or others. Milliseconds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import tzinfo
from heapq import heappop, heappush
from itertools import count
from typing import Any, NamedTuple

from ...domain import events as facts
from ...domain import observed as seen
from ...domain.commands import Input, Order
from ...domain.decide import decide_one
from ...domain.definitions import Action
from ...domain.events import AgentObserved, ContactObserved, Event, Outcome, TimerElapsed, TimerKind
from ...domain.members import Contact, Phase
from ...domain.state import Board
from ..deadlines import Deadlines
from ..paper.engine import Told
from .people import People
from .recorded import LATE, PRESENCE, After, Cue, Leg, Recorded, timer_key

NEVER = 1 << 50

Do = Callable[..., None]


@dataclass(frozen=True)
class Rules:
    """What is different from the recorded day: ``orders`` are told first, recorded inputs that ``drops`` are not told.

    ``cues`` are agents' facts by the wall clock in place of the recorded ones. With ``zone`` calendars and surges are
    looked at anew (in that zone unless hours name one), else they come as recorded.
    """

    orders: Sequence[Order] = ()
    drops: Callable[[Input], bool] = lambda item: False
    cues: Sequence[tuple[int, seen.AgentFact]] | None = None
    zone: tzinfo | None = None


SAME = Rules()


class _Work(NamedTuple):
    """Whose part of which leg is under way."""

    agent: str
    contact: str
    leg: int


class Enacted:
    """One day with one seed's people; ``board`` is the day's first and is used up. ``run`` yields every turn."""

    def __init__(self, day: Recorded, board: Board, people: People, rules: Rules = SAME) -> None:
        self.board, self.now = board, day.start
        self._day, self._people, self._rules = day, people, rules
        self._agenda: list[tuple[int, int, int, Do, tuple[Any, ...]]] = []
        self._n = count()
        self._legs: dict[str, Leg] = {}
        self._stay: dict[str, int] = {}
        self._leaving: set[tuple[str, int]] = set()
        self._gone: set[str] = set()
        self._away: dict[str, object] = {}
        self._turns: list[Told] = []
        self._deadlines = Deadlines(self._late, rules.zone)
        self._deadlines.start(board, self.now, _bus_time(self.now), lambda at: 0)

    def run(self) -> Iterator[Told]:
        """Until the end of the recorded day."""
        self._begin()
        yield from self._handed_out()
        while (at := self._next_at()) is not None and at <= self._day.end:
            self.now = max(self.now, at)
            self._step()
            yield from self._handed_out()

    def _handed_out(self) -> list[Told]:
        turns, self._turns = self._turns, []
        return turns

    # -- time ----------------------------------------------------------------------------------------------------------

    def _at(self, when: int, order: int, do: Do, *about: Any) -> None:
        heappush(self._agenda, (when, order, next(self._n), do, about))

    def _next_at(self) -> int | None:
        elapses = self._deadlines.next()
        times = [round(elapses * 1000)] if elapses is not None else []
        return min([*times, *(entry[0] for entry in self._agenda[:1])], default=None)

    def _step(self) -> None:
        """What stands first in the record goes first; what was not recorded comes after that, people before timers."""
        timers = [(self._order(one), one) for one in self._deadlines.due(_bus_time(self.now))]
        order, timer = min(timers, key=lambda one: one[0], default=(LATE, None))
        due = self._agenda[0] if self._agenda and self._agenda[0][0] <= self.now else None
        if due is not None and (timer is None or due[0] < self.now or due[1] <= order):
            _, _, _, do, about = heappop(self._agenda)
            do(*about)
        elif timer is not None:
            late = self._day.timers.get(timer_key(timer))
            self._tell(late.timer if late is not None and late.due == timer.due_at else timer)
            self._deadlines.told([timer], self.board, self.now, _bus_time(self.now))

    def _order(self, timer: TimerElapsed) -> int:
        late = self._day.timers.get(timer_key(timer))
        return late.order if late is not None else LATE

    def _late(self, timer: TimerElapsed) -> int:
        """A timer comes as late as it was recorded; one that was still waited for at the end does not come."""
        key = timer_key(timer)
        if not self._is_recorded(timer):
            return 0
        late = self._day.timers.get(key)
        return late.ms if late is not None else NEVER if key in self._day.waits_for else 0

    def _is_recorded(self, timer: TimerElapsed) -> bool:
        """An offer to somebody else than recorded ends in time."""
        if timer.kind is not TimerKind.OFFER:
            return True
        contact, reply = self.board.offered(timer.offer_id), self._day.replies.get(timer.offer_id)
        return contact is not None and reply is not None and contact.rings[timer.offer_id].agent == reply.agent

    # -- the day begins ------------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        for contact in list(self.board.contacts.values()):
            self._adopt(contact)
        for order in self._rules.orders:
            self._tell(order)
        if self._rules.cues is not None:
            self._new_roster(self._rules.cues)
        self._next_cue(iter(self._day.cues))

    def _adopt(self, contact: Contact) -> None:
        leg = self._known(contact.id, contact.leg, contact.queue, contact.channel, contact.queued_at)
        self._leaves(leg)
        if contact.phase is Phase.ASSIGNED:
            self._connects(leg, contact.assigned_at)
        elif contact.phase is Phase.OFFERED:
            for ring in contact.rings.values():
                self._replies(ring.offer_id, ring.agent, ring.offered_at)

    def _new_roster(self, cues: Sequence[tuple[int, seen.AgentFact]]) -> None:
        """Whoever is there goes home first, after what is in hand."""
        for agent in sorted(self.board.agents):
            self._agent(seen.AgentCheckedOut(agent))
        for at, fact in cues:
            self._at(max(at, self.now), LATE, self._agent, fact)

    def _next_cue(self, cues: Iterator[Cue]) -> None:
        cue = next(cues, None)
        if cue is not None:
            self._at(cue.at, cue.order, self._cue, cue.item, cues)

    def _cue(self, item: Input, cues: Iterator[Cue]) -> None:
        if not self._rules.drops(item):
            if isinstance(item, AgentObserved) and isinstance(item.fact, PRESENCE):
                self._away.pop(item.fact.agent, None)  # the wall clock has its own plans with the agent
            self._tell(item)
        self._next_cue(cues)

    # -- what decisions bring about ------------------------------------------------------------------------------------

    def _tell(self, item: Input) -> None:
        events = decide_one(item, self.board, self.now)
        self._turns.append(Told(self.now, item, events))
        self._deadlines.follow(events, self.board, self.now, _bus_time(self.now))
        for event in events:
            self._react(event)

    def _react(self, event: Event) -> None:
        match event:
            case facts.ContactWaiting(contact, leg, queue, channel, queued_at=queued_at):
                self._leaves(self._known(contact, leg, queue, channel, queued_at))
            case facts.ContactOffered(offer_id, agent=agent):
                self._replies(offer_id, agent, self.now)
            case facts.OfferExpired(offer_id, agent=agent, not_ready=True):
                self._follows(self._people.missed(offer_id, agent), _Work(agent, "", 0), offer_id)
            case facts.ContactAssigned(contact=contact):
                self._connects(self._legs[contact], self.now)
            case facts.ContactDequeued():
                self._left(event)
            case facts.ContactOverflowed() if event.action is not Action.GROUP:
                self._moves(event)
            case _:
                pass

    def _known(self, contact: str, number: int, queue: str, channel: str, queued_at: int) -> Leg:
        leg = self._day.legs.get((contact, number)) or Leg(contact, number, queue, channel, queued_at)
        self._legs[contact] = leg
        return leg

    def _leaves(self, leg: Leg) -> None:
        """The customer's patience: as recorded, or drawn once for a stay, however often a rule moves it on."""
        stay = self._stay.setdefault(leg.contact, 0)
        recorded = leg.leaves or self._people.last_leg(leg).leaves
        for cue in recorded:
            if (leg.contact, cue.order) not in self._leaving:
                self._leaving.add((leg.contact, cue.order))
                self._at(cue.at, cue.order, self._leave, leg.contact, stay, cue.item)
        if recorded or (leg.contact, -stay) in self._leaving:
            return
        self._leaving.add((leg.contact, -stay))
        at = self._people.leaves_at(leg)
        if at is not None:
            self._at(max(at, self.now), LATE, self._leave, leg.contact, stay)

    def _leave(self, contact: str, stay: int, recorded: Input | None = None) -> None:
        """Unless it is connected by now; what was recorded after that it left is told too."""
        if self._stay[contact] != stay or not (contact in self.board.contacts or contact in self._gone):
            return
        self._gone.add(contact)
        if recorded is None:
            self._contact(contact, seen.ContactAbandoned(contact, self.now))
        else:
            self._tell(recorded)

    def _replies(self, offer_id: str, agent: str, offered_at: int) -> None:
        reply = self._people.reply(offer_id, agent)
        if reply.item is not None:
            self._at(max(offered_at + reply.after_ms, self.now), reply.order, self._answer, offer_id, reply.item)

    def _answer(self, offer_id: str, order: Input) -> None:
        if offer_id in self.board.offers:
            self._tell(order)

    def _connects(self, leg: Leg, assigned_at: int) -> None:
        after = self._people.connect(leg)
        if after is not None:
            self._at(max(assigned_at + after.after_ms, self.now), after.order, self._connect, leg.contact, after)

    def _connect(self, contact_id: str, after: After) -> None:
        contact = self.board.contacts.get(contact_id)
        if contact is not None and contact.phase is Phase.ASSIGNED:
            self._happen(after, _Work(contact.agent, contact.id, contact.leg))

    def _left(self, event: facts.ContactDequeued) -> None:
        leg, work = self._legs[event.contact], _Work(event.agent, event.contact, event.leg)
        if event.outcome is Outcome.ANSWERED and not event.agent:  # by somebody whom the pool does not know
            self._gone.add(event.contact)
        elif event.outcome is Outcome.ANSWERED:
            self._stay[event.contact] += 1
            self._follows(self._people.work(leg), work, work)
        elif event.accepted_at and event.agent:  # accepted, but gone before it was connected
            ended = AgentObserved("", 0, seen.WorkEnded(event.agent, event.contact, event.leg))
            self._follows(leg.lost if leg.lost_by_agent else [After(0, LATE, self.now, ended)], work, work)

    def _moves(self, event: facts.ContactOverflowed) -> None:
        """An ingress answers: as recorded, else by queueing the contact where it is to go."""
        leg, pool = self._legs[event.contact], event.to_pool or self.board.pool
        work = _Work("", event.contact, event.leg)
        if leg.overflowed_to == (event.action, event.to_queue):
            self._follows(leg.moved, work, work)
        elif event.action is Action.QUEUE and leg.asked is not None and pool == self.board.pool:
            fact = replace(leg.asked, queue=event.to_queue, pool=pool, queued_at=self.now)
            after = After(self._people.moves_after, LATE, self.now, ContactObserved("", 0, fact))
            self._follows([after], work, work)

    # -- what follows --------------------------------------------------------------------------------------------------

    def _follows(self, story: Sequence[After], work: _Work, token: object) -> None:
        for after in story:
            self._at(self.now + after.after_ms, after.order, self._part, after, work, token)

    def _part(self, after: After, work: _Work, token: object) -> None:
        """Ready again only who is away because of this very story."""
        fact = after.item.fact
        if isinstance(fact, seen.AgentNotReady):
            self._away[work.agent] = token
        elif isinstance(fact, seen.AgentReady) and self._away.pop(work.agent, None) != token:
            return
        self._happen(after, work)

    def _happen(self, after: After, work: _Work) -> None:
        """The fact as it is now: of this agent and leg, so much earlier or later than it was recorded."""
        fact = _now(after.item.fact, work, self.now - after.at)
        if fact == after.item.fact and after.order != LATE:
            self._tell(after.item)
        elif isinstance(after.item, ContactObserved):
            self._contact(work.contact, fact)
        else:
            self._agent(fact)

    def _contact(self, contact: str, fact: seen.ContactFact) -> None:
        known = self.board.contacts.get(contact)
        self._tell(ContactObserved(self.board.stream("contact", contact), known.version + 1 if known else 1, fact))

    def _agent(self, fact: seen.AgentFact) -> None:
        agent = getattr(fact, "agent", "")
        known = self.board.agents.get(agent)
        self._tell(AgentObserved(self.board.stream("agent", agent), known.version + 1 if known else 1, fact))


def _now(fact: Any, work: _Work, shift: int) -> Any:
    changes: dict[str, Any] = {}
    if hasattr(fact, "agent"):
        changes["agent"] = work.agent
    if hasattr(fact, "contact"):
        changes["contact"] = work.contact
    if hasattr(fact, "leg"):
        changes["leg"] = work.leg + 1 if isinstance(fact, seen.ContactQueued) else work.leg
    for name in ("at", "queued_at"):
        if hasattr(fact, name):
            changes[name] = getattr(fact, name) + shift
    return replace(fact, **changes)


def _bus_time(now: int) -> float:
    """Seconds of a bus that is always there; half a millisecond in, so that cutting off decimals gives ``now``."""
    return (now + 0.5) / 1000
