"""How a contact is offered: several agents at once, the preferred one first, by rule, and never beyond capacity."""

from __future__ import annotations

from typing import Any

import pytest

from routing.domain import carry
from routing.domain import observed as seen
from routing.domain.events import (
    ContactAssigned,
    ContactDequeued,
    OfferAccepted,
    OfferExpired,
    OfferWithdrawn,
    PoolCarried,
    TimerKind,
    Withdrawal,
)
from routing.domain.replay import replay
from routing.domain.state import Board
from routing.domain.waiting import timer_of

from .scene import Scene, names, offers, only_offer, pairs


@pytest.fixture
def pool() -> Scene:
    return Scene()


# --- several agents at once --------------------------------------------------------------------------------------


def rung(pool: Scene, count: int, **options: Any) -> dict[str, str]:
    """Three agents, ``count`` rung at once for c1; the offers by agent."""
    pool.queue("q1", ring_agents=count, **options)
    for agent in ("a1", "a2", "a3"):
        pool.later(1).joins(agent)
    return {offer.agent: offer.offer_id for offer in offers(pool.queued("c1"))}


def test_as_many_agents_are_rung_as_the_queue_wants_in_the_policys_order(pool: Scene) -> None:
    """RT-2 several agents at once."""
    assert list(rung(pool, 2)) == ["a1", "a2"]


def test_the_first_to_accept_has_it_and_the_others_are_told_in_the_same_turn(pool: Scene) -> None:
    """RT-2, trust I3."""
    made = rung(pool, 3)
    accepted, *taken, assigned = pool.accept(made["a2"], "a2")
    assert isinstance(accepted, OfferAccepted)
    assert [(one.agent, one.reason) for one in taken] == [("a1", Withdrawal.TAKEN), ("a3", Withdrawal.TAKEN)]
    assert isinstance(assigned, ContactAssigned)
    assert (assigned.agent, pool.board.contacts["c1"].agent) == ("a2", "a2")
    assert pool.accept(made["a1"], "a1")[0].reason == "OFFER_NOT_OPEN"


def test_agents_whose_offer_was_taken_get_the_next_contact(pool: Scene) -> None:
    made = rung(pool, 3)
    pool.queued("c2")
    assert pairs(pool.accept(made["a2"], "a2")) == [("c2", "a1"), ("c2", "a3")]


def test_an_agent_who_declines_makes_room_for_the_next_ring(pool: Scene) -> None:
    made = rung(pool, 2)
    assert pairs(pool.decline(made["a1"], "a1")) == [("c1", "a3")]


def test_a_contact_waits_again_only_when_nobody_is_rung_any_more(pool: Scene) -> None:
    """RT-2: back at the head, by the last of its offers."""
    made = rung(pool, 2, not_ready_on_no_answer=True)
    pool.agent(seen.AgentNotReady("a3"))
    pool.later(10).queued("vip", priority=9)
    first = pool.later(20_000).expire(made["a1"])
    assert names(first) == ["TimerElapsed", "OfferExpired"]
    assert pool.board.contacts["c1"].phase == "offered"
    second = pool.expire(made["a2"])
    assert isinstance(second[1], OfferExpired)
    assert pool.board.contacts["c1"].phase == "waiting"
    assert pairs(pool.agent(seen.AgentReady("a3"))) == [("c1", "a3")]


def test_a_caller_who_leaves_stops_every_phone(pool: Scene) -> None:
    """RT-2 withdraw."""
    rung(pool, 3)
    *withdrawn, dequeued = pool.contact(seen.ContactAbandoned("c1", pool.now))
    assert [(one.agent, one.reason) for one in withdrawn] == [
        (agent, Withdrawal.CUSTOMER_LEFT) for agent in ("a1", "a2", "a3")
    ]
    assert isinstance(dequeued, ContactDequeued)
    assert dequeued.offers == 3
    assert not pool.board.offers


def test_nobody_is_rung_twice_for_one_contact(pool: Scene) -> None:
    """CH-2: free places or not."""
    pool.queue("q1", ring_agents=3)
    pool.joins("a1", (("chat", 5),))
    assert pairs(pool.queued("c1")) == [("c1", "a1")]


def test_an_agent_who_becomes_free_while_fewer_ring_is_rung_too(pool: Scene) -> None:
    """RT-2: with a deadline of its own, explained like any other offer, and only one of them gets the contact."""
    pool.queue("q1", ring_agents=2, offer_timeout_ms=10_000)
    pool.joins("a1", (("chat", 2),))
    first = only_offer(pool.queued("c1"))
    later = only_offer(pool.later(4_000).joins("a2"))
    assert (later.contact, later.agent, later.attempt) == ("c1", "a2", 2)
    assert later.expires_at - first.expires_at == 4_000
    assert later.explanation.refused == (("RINGING", 1),)
    assert pool.joins("a3") == []
    accepted = pool.accept(later.offer_id, "a2")
    assert names(accepted)[:3] == ["OfferAccepted", "OfferWithdrawn", "ContactAssigned"]
    assert pool.accept(first.offer_id, "a1")[0].reason == "OFFER_NOT_OPEN"  # type: ignore[union-attr]
    assert replay(pool.log, Board("t1", "p1")) is None


def test_who_waits_for_an_agent_comes_before_who_rings_one_already(pool: Scene) -> None:
    """RT-2: a second ring never keeps an agent from somebody whom nobody is rung for."""
    pool.queue("q1", ring_agents=2)
    pool.joins("a1")
    assert pairs(pool.queued("c1") + pool.later(1).queued("c2")) == [("c1", "a1")]
    assert pairs(pool.joins("a2")) == [("c2", "a2")]
    assert pairs(pool.joins("a3", (("chat", 2),))) == [("c1", "a3"), ("c2", "a3")]


def test_who_let_it_go_is_not_rung_again_when_free(pool: Scene) -> None:
    """RT-2: not before the agent becomes ready again."""
    pool.queue("q1", ring_agents=2)
    for agent in ("a1", "a2"):
        pool.joins(agent)
    _, second = offers(pool.queued("c1"))
    assert pairs(pool.decline(second.offer_id, second.agent)) == []
    assert pairs(pool.agent(seen.CapacitySet(second.agent, seen.Capacity((("chat", 2),))))) == []
    assert pairs(pool.agent(seen.AgentReady(second.agent))) == [("c1", second.agent)]


def test_a_queue_that_is_to_ring_more_does_so_at_once(pool: Scene) -> None:
    """RT-2"""
    pool.queue("q1")
    for agent in ("a1", "a2", "a3"):
        pool.joins(agent)
    assert pairs(pool.queued("c1")) == [("c1", "a1")]
    assert pairs(pool.queue("q1", ring_agents=3)) == [("c1", "a2"), ("c1", "a3")]


def test_those_already_rung_are_said_to_be(pool: Scene) -> None:
    """RT-10: the second offer was made when the first agent was already ringing."""
    pool.queue("q1", ring_agents=2)
    pool.joins("a1", (("chat", 5),))
    pool.later(1).joins("a2", (("chat", 5),))
    first, second = offers(pool.queued("c1"))
    assert (first.explanation.refused, first.explanation.tie_break) == ((), "longest_idle")
    assert (second.explanation.refused, second.explanation.tie_break) == ((("RINGING", 1),), "")


def test_a_day_carries_every_open_offer(pool: Scene) -> None:
    """Kernel rule 19."""
    rung(pool, 3)
    *pieces, opened = carry.chapter(pool.board, "2025-06-16", "c", "UTC")[1:]
    board = carry.joined("t1", "p1", [one for one in pieces if isinstance(one, PoolCarried)], opened)  # type: ignore[arg-type]
    assert board is not None
    assert list(board.contacts["c1"].rings) == list(pool.board.contacts["c1"].rings)
    assert board.offers == pool.board.offers


# --- accepted by rule --------------------------------------------------------------------------------------------


def test_an_offer_is_accepted_by_rule_where_the_queue_says_so(pool: Scene) -> None:
    """RT-2 auto accept: for queues whose agents are connected at once."""
    pool.queue("q1", auto_accept=True, ring_agents=3)
    pool.joins("a1")
    pool.joins("a2")
    _, offered, accepted, assigned = pool.queued("c1")
    assert (accepted.automatic, accepted.command_id, accepted.offered_at) == (True, "", pool.now)
    assert (offered.agent, assigned.agent) == ("a1", "a1")
    assert names(pool.done("c1", "a1")) == ["CapacityReleased"]
    assert replay(pool.log, Board("t1", "p1")) is None


# --- the preferred agent first -----------------------------------------------------------------------------------


def held(pool: Scene) -> None:
    """a2 is busy and c1 is theirs; a1 is free."""
    pool.queue("q1", preferred_agent_ms=30_000)
    pool.joins("a1")
    pool.later(1).joins("a2")
    offer = only_offer(pool.queued("c0", preferred_agent="a2"))
    pool.accept(offer.offer_id, "a2")
    assert offers(pool.later(1).queued("c1", preferred_agent="a2")) == []


def over(pool: Scene, contact: str) -> list[Any]:
    """What happens when the time of the preferred agent of ``contact`` is over."""
    timer = timer_of(pool.board.contacts[contact])
    assert timer is not None
    assert (timer.kind, timer.due_at) == (TimerKind.PREFERRED_AGENT, pool.now)
    return pool.tell(timer)


def test_a_contact_is_held_for_its_preferred_agent_while_others_are_free(pool: Scene) -> None:
    """RT-3 preferred agent with its own timeout."""
    held(pool)
    assert pairs(pool.queued("c2")) == [("c2", "a1")]
    assert pairs(pool.done("c0", "a2")) == [("c1", "a2")]


def test_when_the_preferred_agents_time_is_over_anybody_may_have_it(pool: Scene) -> None:
    """RT-3."""
    held(pool)
    assert pairs(over(pool.later(30_000), "c1")) == [("c1", "a1")]


def test_a_preferred_agent_who_declines_is_waited_for_no_longer(pool: Scene) -> None:
    """RT-3."""
    pool.queue("q1", preferred_agent_ms=30_000)
    pool.joins("a1")
    pool.joins("a2")
    offer = only_offer(pool.queued("c1", preferred_agent="a2"))
    assert offer.explanation.refused == (("NOT_PREFERRED", 1),)
    assert pairs(pool.decline(offer.offer_id, "a2")) == [("c1", "a1")]
    assert timer_of(pool.board.contacts["c1"]) is None


def test_nobody_is_held_for_an_agent_who_is_not_there(pool: Scene) -> None:
    """RT-3: not in the pool, or not checked in."""
    pool.queue("q1", preferred_agent_ms=30_000)
    pool.joins("a1", (("chat", 2),))
    pool.joins("away", checked_in=False)
    assert pairs(pool.queued("c1", preferred_agent="away")) == [("c1", "a1")]
    assert pairs(pool.queued("c2", preferred_agent="nobody")) == [("c2", "a1")]


# --- capacity ----------------------------------------------------------------------------------------------------

INTERRUPTS = seen.Capacity((("email", 3), ("voice", 1)), (("email", 30), ("voice", 100)), 100, ("email",))


def test_a_call_may_interrupt_mail_but_mail_never_a_call(pool: Scene) -> None:
    """CH-2 interrupt rules: interruptible work takes no units from other channels; its own limit stands."""
    pool.joins("a1", capacity=INTERRUPTS)
    assert [len(offers(pool.queued(f"mail{n}", channel="email"))) for n in range(2)] == [1, 1]
    assert len(offers(pool.queued("call", channel="voice"))) == 1
    assert offers(pool.queued("mail2", channel="email")) == []


def test_without_the_rule_nothing_is_interrupted(pool: Scene) -> None:
    """CH-2."""
    pool.joins("a1", capacity=seen.Capacity(INTERRUPTS.slots, INTERRUPTS.costs, INTERRUPTS.units))
    assert len(offers(pool.queued("mail", channel="email"))) == 1
    assert offers(pool.queued("call", channel="voice")) == []


def test_interrupted_work_counts_again_for_its_own_kind(pool: Scene) -> None:
    """CH-2: three mails of 30 fill 100 units, a fourth place or not."""
    pool.joins("a1", capacity=seen.Capacity((("email", 9),), INTERRUPTS.costs, INTERRUPTS.units, ("email",)))
    assert [len(offers(pool.queued(f"mail{n}", channel="email"))) for n in range(4)] == [1, 1, 1, 0]


# --- who is an agent of a queue ----------------------------------------------------------------------------------


def test_what_is_registered_anew_of_an_agent_counts_at_once(pool: Scene) -> None:
    """Queues, ranks and attributes may change while the agent is in the pool."""
    pool.queued("c1", "q2")
    pool.joins("a1", queues=("q1",))
    assert pairs(pool.agent(seen.AgentRegistered("a1", queues=("q1", "q2")))) == [("c1", "a1")]


def test_an_agent_of_one_queue_and_an_agent_of_all_compete_by_the_policy(pool: Scene) -> None:
    pool.joins("all")
    pool.later(1).joins("one", queues=("q1",))
    first, second = only_offer(pool.queued("c1", "q1")), only_offer(pool.queued("c2", "q1"))
    assert (first.agent, second.agent) == ("all", "one")
    assert first.explanation.tie_break == "longest_idle"
    assert first.explanation.considered == 2
    withdrawn = pool.agent(seen.AgentNotReady("one"))
    assert isinstance(withdrawn[0], OfferWithdrawn)
