"""What the kernel's rules say of a pool, where no other test says it: sizes, memory, what may not enter."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any

import pytest

from contactcenter.bus.v1.envelope_pb2 import Sealed
from contactcenter.contact.v1 import events_pb2 as contact_pb
from routing import wire
from routing.domain import carry, evolve_pool, state
from routing.domain import observed as seen
from routing.domain.commands import RaisePriority, StartDay
from routing.domain.decide import decide_one
from routing.domain.definitions import Action, OverflowRule, Queue, Relaxation, Target, Trigger, Workflow
from routing.domain.events import ContactObserved, PoolCarried
from routing.domain.members import Contact, Phase
from routing.domain.state import Board

from .scene import START, Scene, only_offer
from .world import World

LONG = "agent.attributes.language == 'a very long way of saying it' && " * 14 + "agent.rank > 1"


def heavy(contacts: int) -> Scene:
    """A pool whose contacts came under ever other rules, each as large as rules may be."""
    pool = Scene()
    board = pool.board
    targets = tuple(Target(f"q{n}", 1_000 * n, n, LONG, "least-loaded@1", LONG) for n in range(1, 6))
    board.workflows["flow"] = Workflow("flow", targets)
    for n in range(contacts):
        overflows = tuple(OverflowRule(f"r{n}-{m}", Trigger.WAIT, m, Action.QUEUE, "q2", "p2") for m in range(32))
        relaxations = tuple(Relaxation(m, f"skill-{m}", 1) for m in range(32))
        board.queues[f"q{n}"] = Queue(f"q{n}", relaxations=relaxations, overflows=overflows, workflow="flow")
    board.reindex()
    return pool


def test_every_piece_of_a_carry_stays_below_its_limit() -> None:
    """Rule 19: at most 100 KiB a piece, however large the rules are under which contacts wait."""
    pool = heavy(60)
    for n in range(60):
        fact = seen.ContactQueued(f"c{n}", 1, f"q{n}", "p1", "chat", START)
        decide_one(ContactObserved(f"t1/contact-c{n}", 1, fact), pool.board, START)
    pieces = [e for e in decide_one(StartDay("2025-06-16", "carry"), pool.board, START) if isinstance(e, PoolCarried)]
    sizes = [len(wire.write(piece).SerializeToString()) for piece in pieces]
    assert max(sizes) < 100 * 1024
    assert sum(len(piece.contacts) for piece in pieces) == 60


def test_a_pool_remembers_its_last_ten_thousand_orders(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rule 22: the oldest is forgotten first; whoever asks about an older one asks the answers."""
    assert state.COMMANDS_KEPT == 10_000
    monkeypatch.setattr(evolve_pool, "COMMANDS_KEPT", 3)
    pool = Scene()
    pool.queued("c1")
    for n in range(5):
        pool.tell(RaisePriority("c1", n, 0, f"k{n}"))
    assert list(pool.board.commands) == ["k2", "k3", "k4"]
    assert pool.tell(RaisePriority("c1", 9, 0, "k4")) == []
    assert pool.tell(RaisePriority("c1", 9, 0, "k1")) != []


def test_the_board_remembers_only_the_sources_that_are_on_it() -> None:
    """Rule 22: of others the durable table says what was seen; the higher of both counts."""
    pool = Scene()
    pool.queued("c1")
    board = pool.board
    assert (board.version_of("t1/contact-c1"), board.version_of("t1/contact-c2")) == (1, None)
    assert not board.is_news("t1/contact-c1", 1, seen=0)
    assert board.is_news("t1/contact-c1", 7, seen=0), "a gap is none of the pool's business"
    assert not board.is_news("t1/contact-c2", 4, seen=4)
    assert not board.is_news("t1/pool-p2", 4, seen=4)
    assert board.is_news("t1/pool-p2", 5, seen=4)
    pool.contact(seen.ContactAbandoned("c1", pool.now))
    assert board.version_of("t1/contact-c1") is None


@pytest.mark.parametrize(
    "fact",
    [
        {"message_received": contact_pb.MessageReceived(message_id="m1", pool="p1", body=Sealed(ciphertext=b"secret"))},
        {"message_sent": contact_pb.MessageSent(message_id="m1", pool="p1", body=Sealed(ciphertext=b"secret"))},
    ],
    ids=["received", "sent"],
)
def test_what_is_sealed_never_enters_a_pool(fact: dict[str, Any]) -> None:
    """Rule 25: facts with sealed fields are not forwarded."""
    assert World(START).contact("c1", **fact) == []


def test_no_decision_can_read_a_sealed_field() -> None:
    """Rule 25: none of what a pool sees of others has one; only declared attributes enter."""
    shapes = [shape for name in dir(seen) if is_dataclass(shape := getattr(seen, name))]
    assert len(shapes) > 12
    types = {str(field.type) for shape in shapes for field in fields(shape)}
    assert types <= {"str", "int", "bool", "Skills", "Capacity", "Attributes", "Ranks", "tuple[str, ...]"} | {
        "tuple[tuple[str, int], ...]"
    }


def test_an_agent_who_leaves_is_offered_nothing_and_goes_when_all_is_over() -> None:
    """Rule 24: offers are taken back, the work at hand is finished, only then is the agent released."""
    pool = Scene()
    pool.ready("a1", slots=(("chat", 3),))
    pool.assigned("c1", "a1")
    offer = only_offer(pool.queued("c2"))
    left = pool.agent(seen.PoolLeaveRequested("a1", "p2"))
    assert [type(event).__name__ for event in left] == ["OfferWithdrawn"]
    assert offer.offer_id not in pool.board.offers
    assert pool.queued("c3")[1:] == []
    assert pool.contact(seen.ContactEnded("c1", "customer_ended", pool.now))[-1:] != []
    assert "a1" in pool.board.agents, "the contact's own fact gives nothing back"
    assert [type(event).__name__ for event in pool.agent(seen.WorkEnded("a1", "c1", 1))] == [
        "CapacityReleased",
        "AgentReleased",
    ]


def test_a_carry_has_all_that_a_contact_knows() -> None:
    """Rule 19: a field of a contact that no digest covers would be lost without a trace."""
    board = Board("t1", "p1")
    plain = Contact("c", 1, 1, "q1", "chat", 0, 0, START, START, carry.Demand("q1", "chat"))
    board.contacts["c"] = plain
    before = carry.pack(board)
    changed = {
        "own_skills": (("en", 1),),
        "attributes": (("k", "v"),),
        "origin_queue": "q0",
        "plan": carry.Plan(conditions=(OverflowRule("r", Trigger.CLOSED, 0, Action.END),)),
        "steps_done": 1,
        "target": 1,
        "phase": Phase.OFFERED,
        "attempts": 1,
        "assigned_at": 1,
        "declined_by": {"a": None},
        "preferred_agent": "a",
    }
    for name, value in changed.items():
        setattr(plain, name, value)
        now = carry.pack(board)
        assert now != before, name
        before = now
