"""A recorded day taken apart: what came by the wall clock, and what followed from what was decided. Milliseconds.

Every input of the pool is one of three: by the wall clock (arrivals, sign-ins, breaks, orders), an answer to something
the pool did (accepting, connecting, working, leaving an overflowed queue), or a timer. The second kind is kept by how
long after its cause it came. ``order`` is the version at which an input stands: it decides between equal instants.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from ...domain import events as facts
from ...domain import observed as seen
from ...domain.commands import Input
from ...domain.definitions import Action
from ...domain.events import Event, TimerElapsed, TimerKind
from ...domain.members import Contact, Phase
from ...domain.replay import input_of
from ...domain.state import Board
from ..history import Turn

OF_THE_CLOCK = frozenset({TimerKind.HOURS, TimerKind.SURGE})
"""Timers that calendars and arrivals bring about, whatever was decided."""

LATE = 1 << 62
"""The order of what was not recorded: after all that was, at the same instant."""

LegKey = tuple[str, int]


class Cue(NamedTuple):
    """An input by the wall clock."""

    at: int
    order: int
    item: Input


class Seen(NamedTuple):
    """A fact of a contact or an agent, and when it was observed."""

    at: int
    order: int
    item: facts.ContactObserved | facts.AgentObserved

    def since(self, cause: int) -> After:
        return After(self.at - cause, self.order, self.at, self.item)


class After(NamedTuple):
    """A fact that came so long after its cause, at ``at``."""

    after_ms: int
    order: int
    at: int
    item: facts.ContactObserved | facts.AgentObserved


class Reply(NamedTuple):
    """What ``agent`` did about an offer: ``accept``, ``decline``, ``none`` (it expired) or ``open`` (cut short)."""

    kind: str
    agent: str
    after_ms: int
    order: int = LATE
    item: Input | None = None


class Late(NamedTuple):
    """How long after ``due`` a timer was told."""

    ms: int
    order: int
    due: int
    timer: TimerElapsed


@dataclass(slots=True)
class Leg:
    """One stay of a contact in a queue, and what was seen of it; -1: it did not happen.

    ``connect`` is after assignment, ``work`` after connection, ``lost`` after leaving an agent who had accepted,
    ``moved`` after an overflow; ``leaves`` are by the wall clock. ``left_at`` and ``queued_at`` are as figures count.
    ``complete``: its agent was done with it by the end of the day. ``asked`` is how it was queued.
    """

    contact: str
    leg: int
    queue: str
    channel: str
    queued_at: int
    assigned_at: int = -1
    connected_at: int = -1
    overflowed_at: int = -1
    gone_at: int = -1
    left_at: int = -1
    outcome: str = ""
    connect: After | None = None
    work: list[After] = field(default_factory=list)
    lost: list[After] = field(default_factory=list)
    moved: list[After] = field(default_factory=list)
    leaves: list[Seen] = field(default_factory=list)
    complete: bool = False
    overflowed_to: tuple[Action, str] | None = None
    asked: seen.ContactQueued | None = None

    @property
    def lost_by_agent(self) -> bool:
        """Accepted, and gone before it was connected."""
        return self.assigned_at >= 0 and self.connected_at < 0 and self.gone_at >= 0

    @property
    def left(self) -> bool:
        """The customer left of its own will."""
        return self.outcome in (facts.Outcome.ABANDONED, facts.Outcome.SHORT_ABANDONED)


@dataclass
class Recorded:
    """A day from ``start`` to ``end``; ``board`` is as it begins and is not to be changed."""

    board: Board
    start: int
    end: int = 0
    cues: list[Cue] = field(default_factory=list)
    legs: dict[LegKey, Leg] = field(default_factory=dict)
    replies: dict[str, Reply] = field(default_factory=dict)
    misses: dict[str, list[After]] = field(default_factory=dict)
    timers: dict[TimerElapsed, Late] = field(default_factory=dict)
    waits_for: frozenset[TimerElapsed] = frozenset()
    time_zone: str = ""

    def leg_of(self, contact: Contact) -> Leg:
        """A leg as the board has it: recorded, or not known before."""
        key = contact.id, contact.leg
        return self.legs.get(key) or Leg(*key, contact.queue, contact.channel, contact.queued_at)


def timer_key(timer: TimerElapsed) -> TimerElapsed:
    """What a timer is about, whenever it is due."""
    return replace(timer, due_at=0)


class Taking:
    """Takes a day apart, turn by turn; ``board`` is as before the first and is followed by whoever calls."""

    def __init__(self, start_board: Board, start: int) -> None:
        self.day = Recorded(start_board, start)
        self._open: dict[str, tuple[str, int, int]] = {}
        self._current: dict[str, int] = {}
        self._expired: dict[str, tuple[str, int]] = {}
        self._aside: dict[str, tuple[list[After], int]] = {}
        self._held: dict[str, Seen] = {}
        self._asked: dict[str, seen.ContactQueued] = {}
        for contact in start_board.contacts.values():
            self._carried(contact)

    def take(self, turn: Turn) -> None:
        opening, order = turn.events[0], turn.versions[0]
        self._input(opening, turn.at, order)
        for event in turn.events:
            self._follow(event, turn.at)

    def overtaken(self, timers: Sequence[TimerElapsed], at: int) -> None:
        """These were due and not told yet when, at ``at``, another input settled what they are about."""
        for timer in timers:
            late = Late(at - timer.due_at + 1, LATE, timer.due_at, timer)
            self.day.timers.setdefault(timer_key(timer), late)

    def done(self, end: int, waits_for: frozenset[TimerElapsed]) -> Recorded:
        """The day until ``end``; ``waits_for`` are the timers that were due by then and not told."""
        self.day.end = end
        for held in self._held.values():
            self._by_the_clock(held)
        for offer_id, (agent, at, _) in self._open.items():
            self.day.replies[offer_id] = Reply("open", agent, self.day.end - at)
        self.day.cues.sort(key=lambda cue: (cue.at, cue.order))
        self.day.waits_for = waits_for
        return self.day

    # -- what a turn begins with ---------------------------------------------------------------------------------------

    def _input(self, event: Event, at: int, order: int) -> None:
        match event:
            case facts.PoolDayStarted():
                return
            case TimerElapsed() if event.kind not in OF_THE_CLOCK:
                due = self._due(event)
                self.day.timers[timer_key(event)] = Late(at - due, order, due, event)
            case facts.OfferAccepted(offer_id) | facts.OfferDeclined(offer_id):
                self._answered(event, offer_id, at, order)
            case facts.ContactObserved(fact=fact):
                self._contact(fact, Seen(at, order, event))
            case facts.AgentObserved(fact=fact):
                self._agent(fact, Seen(at, order, event))
            case _:
                self.day.cues.append(Cue(at, order, input_of(event)))

    def _by_the_clock(self, seen_now: Seen) -> None:
        self.day.cues.append(Cue(*seen_now))

    def _due(self, timer: TimerElapsed) -> int:
        """Of an offer: as it was promised, before any outage moved it."""
        return self._open[timer.offer_id][2] if timer.offer_id in self._open else timer.due_at

    def _answered(self, event: Event, offer_id: str, at: int, order: int) -> None:
        agent, offered_at, _ = self._open[offer_id]
        kind = "accept" if isinstance(event, facts.OfferAccepted) else "decline"
        self.day.replies[offer_id] = Reply(kind, agent, at - offered_at, order, input_of(event))

    def _contact(self, fact: seen.ContactFact, cue: Seen) -> None:
        leg = self._leg_before(fact)
        if isinstance(fact, seen.ContactQueued):
            self._asked[fact.contact] = fact
        if isinstance(fact, seen.AgentConnected):
            self._connected(fact, cue)
        elif leg is None:
            self._by_the_clock(cue)
        elif leg.connected_at >= 0:
            leg.work.append(cue.since(leg.connected_at))
        elif leg.overflowed_at >= 0:
            leg.moved.append(cue.since(leg.overflowed_at))
        elif isinstance(fact, seen.ContactAbandoned | seen.ContactEnded):
            leg.leaves.append(cue)
        else:
            self._by_the_clock(cue)

    def _leg_before(self, fact: seen.ContactFact) -> Leg | None:
        contact = getattr(fact, "contact", "")
        return self.day.legs.get((contact, self._current.get(contact, 0)))

    def _connected(self, fact: seen.AgentConnected, cue: Seen) -> None:
        leg = self.day.legs.get((fact.contact, fact.leg))
        if leg is None or leg.assigned_at < 0 or leg.connected_at >= 0:
            self._by_the_clock(cue)
        else:
            leg.connected_at, leg.connect = cue.at, cue.since(leg.assigned_at)

    def _agent(self, fact: seen.AgentFact, cue: Seen) -> None:
        agent = getattr(fact, "agent", "")
        match fact:
            case seen.WrapUpStarted() | seen.WorkEnded() | seen.WrapUpEnded():
                self._worked(fact, cue)
            case seen.AgentNotReady(reason="no_answer") if agent in self._expired:
                offer_id, since = self._expired.pop(agent)
                story = self.day.misses.setdefault(offer_id, [])
                self._goes_aside(agent, story, since, cue)
            case seen.AgentNotReady(reason="wrap_up"):
                self._release_held(agent)
                self._held[agent] = cue
            case seen.AgentReady() if agent in self._aside:
                story, since = self._aside.pop(agent)
                story.append(cue.since(since))
            case _:
                self._release_held(agent)
                if isinstance(fact, PRESENCE):
                    self._aside.pop(agent, None)
                self._by_the_clock(cue)

    def _worked(self, fact: seen.WrapUpStarted | seen.WorkEnded | seen.WrapUpEnded, cue: Seen) -> None:
        leg = self.day.legs.get((fact.contact, fact.leg))
        story, since = _story_of(leg)
        if leg is None or story is None:
            self._release_held(fact.agent)
            self._by_the_clock(cue)
            return
        held = self._held.pop(fact.agent, None)
        if held is not None:
            self._goes_aside(fact.agent, story, since, held)
        story.append(cue.since(since))
        leg.complete |= not isinstance(fact, seen.WrapUpStarted)

    def _goes_aside(self, agent: str, story: list[After], since: int, cue: Seen) -> None:
        """The agent is not ready as part of ``story``; so is its next becoming ready."""
        story.append(cue.since(since))
        self._aside[agent] = story, since

    def _release_held(self, agent: str) -> None:
        held = self._held.pop(agent, None)
        if held is not None:
            self._by_the_clock(held)

    # -- what was decided ----------------------------------------------------------------------------------------------

    def _carried(self, contact: Contact) -> None:
        leg = self._begins(contact.id, contact.leg, contact.queue, contact.channel, contact.queued_at)
        if contact.phase is Phase.ASSIGNED:
            leg.assigned_at = contact.assigned_at
        elif contact.phase is Phase.OFFERED:
            for ring in contact.rings.values():
                self._open[ring.offer_id] = ring.agent, ring.offered_at, ring.expires_at

    def _begins(self, contact: str, leg: int, queue: str, channel: str, queued_at: int) -> Leg:
        self._current[contact] = leg
        asked = self._asked.get(contact)
        begun = self.day.legs[contact, leg] = Leg(contact, leg, queue, channel, queued_at, asked=asked)
        return begun

    def _follow(self, event: Event, at: int) -> None:
        match event:
            case facts.ContactWaiting(contact, leg, queue, channel, queued_at=queued_at):
                self._begins(contact, leg, queue, channel, queued_at)
            case facts.ContactOffered(offer_id, agent=agent, expires_at=due):
                self._open[offer_id] = agent, at, due
            case facts.OfferAccepted(offer_id) | facts.OfferDeclined(offer_id):
                self._open.pop(offer_id, None)
            case facts.OfferExpired(offer_id, agent=agent, not_ready=not_ready):
                self._cut(offer_id, "none", at)
                if not_ready:
                    self._expired[agent] = offer_id, at
            case facts.OfferWithdrawn(offer_id):
                self._cut(offer_id, "open", at)
            case facts.ContactAssigned(contact=contact, leg=number):
                if known := self.day.legs.get((contact, number)):
                    known.assigned_at = at
            case facts.ContactOverflowed(contact=contact, leg=number, action=action, to_queue=to_queue):
                known = self.day.legs.get((contact, number))
                if known and action is not Action.GROUP:  # with a further group it stays where it is
                    known.overflowed_at, known.overflowed_to = at, (action, to_queue)
            case facts.ContactDequeued(contact, number, left_at=left_at, outcome=outcome):
                if known := self.day.legs.get((contact, number)):
                    known.gone_at, known.left_at, known.outcome = at, left_at, str(outcome)
            case _:
                pass

    def _cut(self, offer_id: str, kind: str, at: int) -> None:
        agent, offered_at, _ = self._open.pop(offer_id)
        self.day.replies[offer_id] = Reply(kind, agent, at - offered_at)


PRESENCE = (
    seen.JoinedPool,
    seen.PoolLeaveRequested,
    seen.AgentCheckedIn,
    seen.AgentReady,
    seen.AgentNotReady,
    seen.AgentCheckedOut,
)


def _story_of(leg: Leg | None) -> tuple[list[After] | None, int]:
    """What the agent's work on ``leg`` follows, and since when; none: it began before the day."""
    if leg is None:
        return None, 0
    if leg.connected_at >= 0:
        return leg.work, leg.connected_at
    return (leg.lost, leg.gone_at) if leg.gone_at >= 0 and leg.assigned_at >= 0 else (None, 0)
