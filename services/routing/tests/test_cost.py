"""A decision looks at the heads of lines, not at everybody: its cost hardly grows with the pool."""

from __future__ import annotations

import sys
from collections.abc import Callable

from routing.domain import observed as seen
from routing.domain.commands import AcceptOffer
from routing.domain.decide import decide_one
from routing.domain.events import AgentObserved, ContactObserved, ContactOffered
from routing.domain.state import Board

from .scene import CHAT, START


def staffed(agents: int) -> Board:
    board = Board("t1", "p1")
    for n in range(agents):
        fact = seen.JoinedPool(f"a{n}", "p1", capacity=CHAT, checked_in=True, ready=True)
        decide_one(AgentObserved(f"t1/agent-a{n}", 1, fact), board, START + n)
    one_contact(board, "first")  # opens the line, which looks at every agent once
    return board


def one_contact(board: Board, contact: str) -> None:
    """Queued, offered, accepted, answered, its place given back."""
    source, now = f"t1/contact-{contact}", START + 100_000
    queued = seen.ContactQueued(contact, 1, "q1", "p1", "chat", now)
    events = decide_one(ContactObserved(source, 1, queued), board, now)
    (offer,) = (event for event in events if isinstance(event, ContactOffered))
    decide_one(AcceptOffer(offer.offer_id, offer.agent, contact), board, now)
    decide_one(ContactObserved(source, 2, seen.AgentConnected(contact, 1, offer.agent, now)), board, now)
    decide_one(AgentObserved(f"t1/agent-{offer.agent}", 2, seen.WorkEnded(offer.agent, contact, 1)), board, now)


def lines_run(call: Callable[[], None]) -> int:
    """Lines of Python executed: a measure that does not depend on the machine."""
    count = 0

    def trace(frame: object, event: str, argument: object) -> object:
        nonlocal count
        count += event == "line"
        return trace

    sys.settrace(trace)  # type: ignore[arg-type]
    try:
        call()
    finally:
        sys.settrace(None)
    return count


def test_a_hundred_times_the_agents_do_not_double_the_work_of_a_decision() -> None:
    """Architecture: O(log n) a decision."""
    few, many = staffed(20), staffed(2000)
    small, large = lines_run(lambda: one_contact(few, "c1")), lines_run(lambda: one_contact(many, "c1"))
    assert large < 1.2 * small, (small, large)
