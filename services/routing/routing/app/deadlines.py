"""What a board waits for, in the bus's own time: deadlines move by an outage (rule 20, trust I4)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from ..domain.events import (
    ContactOffered,
    ContactWaiting,
    Event,
    OfferAccepted,
    OfferDeclined,
    OfferExpired,
    OfferWithdrawn,
    TimerElapsed,
    TimerKind,
)
from ..domain.members import Phase
from ..domain.ranked import Ranked
from ..domain.state import Board, Finality, quarter_end


def in_time(timer: TimerElapsed) -> int:
    """Nothing is told later than it is due."""
    return 0


class Deadlines:
    """Offers and quarter hours by when they are due; ``now`` is epoch milliseconds, ``time`` seconds of bus time.

    ``late`` says how many milliseconds after it is due a timer is told: in a past that is enacted again.
    """

    def __init__(self, late: Callable[[TimerElapsed], int] = in_time) -> None:
        self._late = late
        self._due = Ranked()
        self._timers: dict[str, TimerElapsed] = {}

    def start(self, board: Board, now: int, time: float, lost_since: Callable[[int], int]) -> None:
        """Everything that ``board`` waits for; what is overdue, outages taken off, is due at once."""
        for contact in board.contacts.values():
            for ring in contact.rings.values() if contact.phase is Phase.OFFERED else ():
                self._offer(ring.offer_id, ring.expires_at + lost_since(ring.offered_at), now, time)
        for finality in board.finalities.values():
            self._finality(finality, now, time)

    def follow(self, events: Iterable[Event], board: Board, now: int, time: float) -> None:
        """After ``events``: new deadlines; those whose offer or quarter hour is over are dropped."""
        for event in events:
            match event:
                case ContactOffered(offer_id, expires_at=at):
                    self._offer(offer_id, at, now, time)
                case ContactWaiting(queue=queue, queued_at=queued_at):
                    self._finality(board.finalities.get((queue, quarter_end(queued_at))), now, time)
                case OfferAccepted(offer_id) | OfferDeclined(offer_id) | OfferExpired(offer_id):
                    self._drop(offer_id)
                case OfferWithdrawn(offer_id):
                    self._drop(offer_id)
                case TimerElapsed(queue=queue, interval_end=end):
                    self._drop(f"{queue}@{end}")
                case _:
                    pass

    def due(self, time: float) -> list[TimerElapsed]:
        """What is due at bus time ``time``, earliest first."""
        return [self._timers[id] for id in self._until(int(time * 1000))]

    def next(self) -> float | None:
        """When the earliest is due, seconds of bus time."""
        first = next(iter(self._due), None)
        return None if first is None else self._due.key(first)[0] / 1000

    def _until(self, time_ms: int) -> Iterator[str]:
        for id in self._due:
            if self._due.key(id)[0] > time_ms:
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

    def _put(self, id: str, timer: TimerElapsed, now: int, time: float) -> None:
        self._timers[id] = timer
        self._due.put(id, (int(time * 1000) + timer.due_at - now + self._late(timer),))

    def _drop(self, id: str) -> None:
        self._timers.pop(id, None)
        self._due.drop(id)
