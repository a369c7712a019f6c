"""What a contact that has just been queued is told of its wait, and what is learned from how it came out (RT-7)."""

from __future__ import annotations

from copy import copy
from dataclasses import replace

from routing.domain import estimate
from routing.domain.estimate import Learned, Wait
from routing.domain.events import ContactDequeued, ContactWaiting, Outcome
from routing.domain.evolve_waiting import contact_of
from routing.domain.members import Contact
from routing.domain.state import Board

AT_WORK = ("NO_CAPACITY", "WRAP_UP")


def told(board: Board, waiting: ContactWaiting) -> ContactWaiting:
    """``waiting`` with its position, and an estimate unless somebody is free; as it is where none is announced."""
    if not board.queue(waiting.queue).announce_wait:
        return waiting
    contact = contact_of(board, waiting)
    lines = board.lines.of(contact, board.setting(contact))
    ahead = max(line.ahead(contact) for line in lines)
    free, busy = sum(len(line.free) for line in lines), sum(line.refused[why] for line in lines for why in AT_WORK)
    wait = estimate.NONE if free else estimate.estimate(known(board, waiting.queue, waiting.priority), ahead, busy)
    return replace(waiting, position=ahead + 1, estimated_wait_p50_ms=wait.p50, estimated_wait_p90_ms=wait.p90)


def known(board: Board, queue: str, priority: int) -> Learned:
    """What waits of this priority taught, or at least how long work lasts in the queue."""
    found = board.learned.get((queue, priority))
    if found:
        return found
    others = [one for (of, _), one in sorted(board.learned.items(), key=lambda item: item[0]) if of == queue]
    return Learned(others[0].service_ms, others[0].served) if others else Learned()


def learn_wait(board: Board, contact: Contact, event: ContactDequeued) -> None:
    """The wait of a contact that was told how long it would be is over."""
    wait = Wait(contact.estimated_wait_p50_ms, contact.estimated_wait_p90_ms)
    if event.outcome is Outcome.ANSWERED and wait != estimate.NONE:
        estimate.waited(_entry(board, contact.queue, contact.priority), wait, event.left_at - event.queued_at)


def learn_work(board: Board, queue: str, lasted_ms: int) -> None:
    """An agent has room again after ``lasted_ms``."""
    if not board.queue(queue).announce_wait:
        return
    of_queue = [one for (name, _), one in board.learned.items() if name == queue] or [_entry(board, queue, 0)]
    for one in of_queue:
        estimate.worked(one, lasted_ms)


def _entry(board: Board, queue: str, priority: int) -> Learned:
    key = queue, priority
    if key not in board.learned:
        board.learned[key] = copy(known(board, queue, priority))
    return board.learned[key]
