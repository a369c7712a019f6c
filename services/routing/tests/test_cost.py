"""A decision looks at the heads of lines, not at everybody: its cost hardly grows with the pool."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest

from routing.domain import observed as seen
from routing.domain.commands import AcceptOffer, DefineQueue
from routing.domain.decide import decide_one
from routing.domain.events import AgentObserved, ContactObserved, ContactOffered, Queue
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


def crowded(queues: int) -> Board:
    """200 agents, busy, of whom every other names ten queues; contacts wait in each queue."""
    board = Board("t1", "p1")
    for n in range(queues):
        skills = ((f"s{n % 20}", 1 + n % 2),)
        decide_one(DefineQueue(Queue(f"q{n}", required_skills=skills), f"define-{n}"), board, START)
    for n in range(200):
        skills = tuple(sorted((f"s{(n + k) % 20}", 2) for k in range(5)))
        named = tuple(f"q{(n + k) % queues}" for k in range(10)) if n % 2 else ()
        fact = seen.JoinedPool(f"a{n}", "p1", skills=skills, capacity=CHAT, queues=named, checked_in=True, ready=True)
        decide_one(AgentObserved(f"t1/agent-a{n}", 1, fact), board, START + n)
    for n in range(3 * queues + 400):
        one_arrives(board, f"c{n}", f"q{n % queues}")
    return board


def one_arrives(board: Board, contact: str, queue: str) -> None:
    """Queued; accepted if it is offered."""
    queued = seen.ContactQueued(contact, 1, queue, "p1", "chat", START + 100_000)
    events = decide_one(ContactObserved(f"t1/contact-{contact}", 1, queued), board, START + 100_000)
    for offer in (event for event in events if isinstance(event, ContactOffered)):
        decide_one(AcceptOffer(offer.offer_id, offer.agent, contact), board, START + 100_000)


def one_freed(board: Board, agent: str) -> None:
    (work,) = board.agents[agent].work.values()
    ended = AgentObserved(f"t1/agent-{agent}", 9, seen.WorkEnded(agent, work.contact, 1))
    assert [event for event in decide_one(ended, board, START + 200_000) if isinstance(event, ContactOffered)]


@pytest.mark.parametrize("agent", ["a100", "a101"])
def test_fifty_times_the_queues_do_not_double_the_work_of_a_decision(agent: str) -> None:
    """An agent of every queue (a100) stands in a line for each demand, not each queue; others in those they name."""
    few, many = crowded(40), crowded(2000)
    small, large = lines_run(lambda: one_freed(few, agent)), lines_run(lambda: one_freed(many, agent))
    assert large < 2 * small, (small, large)


def test_a_hundred_times_the_agents_do_not_double_the_work_of_a_decision() -> None:
    """Architecture: O(log n) a decision."""
    few, many = staffed(20), staffed(2000)
    small, large = lines_run(lambda: one_contact(few, "c1")), lines_run(lambda: one_contact(many, "c1"))
    assert large < 1.2 * small, (small, large)
