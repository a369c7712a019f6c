"""What a board waits for, in the bus's own time: deadlines move by an outage (rule 20, trust I4)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import tzinfo
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ..domain import surge
from ..domain.events import (
    Calendar,
    ContactOffered,
    ContactWaiting,
    Event,
    HoursDefined,
    OfferAccepted,
    OfferDeclined,
    OfferExpired,
    OfferWithdrawn,
    QueueDefined,
    TimerElapsed,
    TimerKind,
)
from ..domain.members import Contact, Phase
from ..domain.ranked import Ranked
from ..domain.state import Board, Finality, quarter_end
from ..domain.surge import MINUTE_MS
from ..domain.waiting import timer_of
from .calendars import calendar_at, next_change, same_quarters

OfferOver = OfferAccepted | OfferDeclined | OfferExpired | OfferWithdrawn


def in_time(timer: TimerElapsed) -> int:
    """Nothing is told later than it is due."""
    return 0


class Deadlines:
    """Offers, steps of those who wait, quarter hours and calendars by when they are due.

    ``now`` is epoch milliseconds, ``time`` seconds of bus time. ``late`` says how many milliseconds after it is due a
    timer is told: in a past that is enacted again. ``zone`` is that of queues whose hours name none; without it nobody
    asks the calendars, because they are told.
    """

    def __init__(self, late: Callable[[TimerElapsed], int] = in_time, zone: tzinfo | None = None) -> None:
        self._late, self._zone = late, zone
        self._due = Ranked()
        self._timers: dict[str, TimerElapsed] = {}

    def start(self, board: Board, now: int, time: float, lost_since: Callable[[int], int]) -> None:
        """Everything that ``board`` waits for; what is overdue, outages taken off, is due at once."""
        for contact in board.contacts.values():
            for ring in contact.rings.values() if contact.phase is Phase.OFFERED else ():
                self._offer(ring.offer_id, ring.expires_at + lost_since(ring.offered_at), now, time)
            self._step(contact, now, time)
        for finality in board.finalities.values():
            self._finality(finality, now, time)
        for queue in {**board.queues, **board.calendars}:
            self._calendar(board, queue, now, time)
        for queue in board.crowds:
            self._crowd(board, queue, now, time)

    def follow(self, events: Iterable[Event], board: Board, now: int, time: float) -> None:
        """After ``events``: new deadlines; those whose offer, step or quarter hour is over are dropped."""
        contacts: dict[str, None] = {}
        for event in events:
            contacts[getattr(event, "contact", "")] = None
            follow = _FOLLOWED.get(type(event))
            if follow is not None:
                follow(self, event, board, now, time)
        for id in contacts:
            self._about_contact(id, board, now, time)

    def told(self, timers: Iterable[TimerElapsed], board: Board, now: int, time: float) -> None:
        """After ``timers`` were decided: what was due and had no effect is waited for no longer, surges looked at."""
        for timer in timers:
            if timer.due_at <= now and self._timers.get(_id(timer)) == timer:
                self._drop(_id(timer))
            if timer.kind is TimerKind.SURGE:
                self._crowd(board, timer.queue, now, time)

    def due(self, time: float) -> list[TimerElapsed]:
        """What is due at bus time ``time``, earliest first."""
        return [self._timers[id] for id in self._until(int(time * 1000))]

    def next(self) -> float | None:
        """When the earliest is due, seconds of bus time."""
        entries = self._due.entries()
        return entries[0][0][0] / 1000 if entries else None

    def _until(self, time_ms: int) -> Iterator[str]:
        for (due, *_), id in self._due.entries():
            if due > time_ms:
                return
            yield id

    def _offer(self, offer_id: str, at: int, now: int, time: float) -> None:
        self._put(offer_id, TimerElapsed(TimerKind.OFFER, at, offer_id), now, time)

    def _finality(self, waited_for: Finality | None, now: int, time: float) -> None:
        if waited_for is None:
            return
        queue, end, threshold = waited_for
        id = f"{queue}@{end}"
        if id not in self._timers:
            due = end + threshold
            timer = TimerElapsed(TimerKind.FINALITY, due, queue=queue, interval_end=end, threshold_ms=threshold)
            self._put(id, timer, now, time)

    def _about_contact(self, id: str, board: Board, now: int, time: float) -> None:
        contact = board.contacts.get(id)
        if contact is None:
            self._drop(f"step:{id}")
        elif contact.plan:
            self._step(contact, now, time)

    def _step(self, contact: Contact, now: int, time: float) -> None:
        """The next step of a waiting contact, at the time that it had when first waited for: outages have moved it."""
        timer, id = timer_of(contact), f"step:{contact.id}"
        if timer is None:
            self._drop(id)
        elif self._timers.get(id) != timer:
            self._put(id, timer, now, time)

    def _offered(self, event: ContactOffered, board: Board, now: int, time: float) -> None:
        if event.offer_id in board.offers:  # most are accepted in the turn that makes them
            self._offer(event.offer_id, event.expires_at, now, time)

    def _offer_over(self, event: OfferOver, board: Board, now: int, time: float) -> None:
        self._drop(event.offer_id)

    def _waits(self, event: ContactWaiting, board: Board, now: int, time: float) -> None:
        if event.queue in board.crowds:
            self._crowd(board, event.queue, now, time)
        self._finality(board.finalities.get((event.queue, quarter_end(event.queued_at))), now, time)

    def _elapsed(self, event: TimerElapsed, board: Board, now: int, time: float) -> None:
        if event.kind is TimerKind.HOURS:
            self._calendar(board, event.queue, now, time)
        elif event.kind is TimerKind.FINALITY:
            self._drop(f"{event.queue}@{event.interval_end}")

    def _queue_defined(self, event: QueueDefined, board: Board, now: int, time: float) -> None:
        self._calendar(board, event.queue.id, now, time)

    def _hours_defined(self, event: HoursDefined, board: Board, now: int, time: float) -> None:
        for one in board.queues.values():
            if one.hours == event.hours.id:
                self._calendar(board, one.id, now, time)

    def _calendar(self, board: Board, queue: str, now: int, time: float) -> None:
        """What the calendar says now if the board has not heard it, else its next change."""
        self._drop(f"hours:{queue}")
        defined = board.queues.get(queue)
        if self._zone is None or defined is None:
            return
        hours = board.hours.get(defined.hours)
        zone = zone_of(hours.time_zone if hours else "", self._zone)
        known = board.calendars.get(queue, Calendar())
        said = calendar_at(defined, hours, zone, now)
        if said != (known.open, known.threshold_ms):
            self._hours(queue, now, *said, now, time)
        elif change := next_change(defined, hours, zone, now):
            self._hours(queue, *change, now, time)

    def _crowd(self, board: Board, queue: str, now: int, time: float) -> None:
        """While a surge is on it is looked at every minute, else as soon as one begins."""
        rule, crowd = board.queue(queue).surge, board.crowds.get(queue)
        if rule is None or crowd is None or self._zone is None:
            return self._drop(f"surge:{queue}")
        due = now - now % MINUTE_MS + MINUTE_MS if crowd.started_at else now
        usual = surge.usual(crowd, same_quarters(due, self._zone, surge.WEEKS), rule)
        if crowd.started_at or surge.is_news(rule, crowd, now, usual):
            timer = TimerElapsed(TimerKind.SURGE, due, queue=queue, usual_milli=usual)
            self._put(f"surge:{queue}", timer, now, time)

    def _hours(self, queue: str, due: int, open: bool, threshold: int, now: int, time: float) -> None:
        timer = TimerElapsed(TimerKind.HOURS, due, queue=queue, open=open, threshold_ms=threshold)
        self._put(f"hours:{queue}", timer, now, time)

    def _put(self, id: str, timer: TimerElapsed, now: int, time: float) -> None:
        self._timers[id] = timer
        self._due.put(id, (int(time * 1000) + timer.due_at - now + self._late(timer),))

    def _drop(self, id: str) -> None:
        if self._timers.pop(id, None) is not None:
            self._due.drop(id)


_FOLLOWED: dict[type[Any], Callable[[Deadlines, Any, Board, int, float], None]] = {
    ContactOffered: Deadlines._offered,
    OfferAccepted: Deadlines._offer_over,
    OfferDeclined: Deadlines._offer_over,
    OfferExpired: Deadlines._offer_over,
    OfferWithdrawn: Deadlines._offer_over,
    ContactWaiting: Deadlines._waits,
    TimerElapsed: Deadlines._elapsed,
    QueueDefined: Deadlines._queue_defined,
    HoursDefined: Deadlines._hours_defined,
}


def zone_of(name: str, otherwise: tzinfo) -> tzinfo:
    """The zone ``name``; one that this machine does not know is no reason to stand still."""
    try:
        return ZoneInfo(name) if name else otherwise
    except (ZoneInfoNotFoundError, ValueError):
        return otherwise


def _id(timer: TimerElapsed) -> str:
    match timer.kind:
        case TimerKind.OFFER:
            return timer.offer_id
        case TimerKind.FINALITY:
            return f"{timer.queue}@{timer.interval_end}"
        case TimerKind.HOURS:
            return f"hours:{timer.queue}"
        case TimerKind.SURGE:
            return f"surge:{timer.queue}"
        case _:
            return f"step:{timer.contact}"
