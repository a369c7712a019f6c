"""The rule book of a pool, rule by rule."""

from __future__ import annotations

from dataclasses import replace

import pytest

from routing.domain import carry
from routing.domain import observed as seen
from routing.domain.commands import AcceptOffer, ChoosePolicy, StartDay, TakePool
from routing.domain.decide import decide_one
from routing.domain.events import (
    AgentReleased,
    CapacityReleased,
    CommandRefused,
    ContactAssigned,
    ContactDequeued,
    ContactObserved,
    Explanation,
    OfferExpired,
    OfferWithdrawn,
    Outcome,
    PoolCarried,
    PoolOpened,
    TimerElapsed,
    TimerKind,
    Withdrawal,
)
from routing.domain.replay import replay
from routing.domain.state import Board

from .scene import CHAT, START, Scene, names, offers, only_offer, pairs

LATER = ContactObserved("t1/contact-later", 1, seen.ContactQueued("later", 1, "q1", "p1", "chat", START + 60_000))


@pytest.fixture
def pool() -> Scene:
    return Scene()


# --- who gets whom -----------------------------------------------------------------------------------------------


def test_the_longest_idle_agent_is_offered_the_contact(pool: Scene) -> None:
    """RT-1 longest idle."""
    for agent in ("a3", "a1", "a2"):
        pool.later(1000).ready(agent)
    assert [pairs(pool.later(1).queued(c))[0][1] for c in ("c1", "c2", "c3")] == ["a3", "a1", "a2"]


def test_agents_idle_equally_long_are_told_apart_by_id(pool: Scene) -> None:
    """RT-1, style habit 7."""
    pool.ready("b")
    pool.ready("a")
    offer = only_offer(pool.queued("c1"))
    assert (offer.agent, offer.explanation.tie_break) == ("a", "agent_id")


def test_only_an_agent_with_the_skills_at_their_level_is_offered_the_contact(pool: Scene) -> None:
    """RT-1 skill."""
    pool.ready("a1", skills=(("billing", 1), ("en", 5)))
    pool.later(1).ready("a2", skills=(("billing", 3),))
    assert pairs(pool.queued("c1", required_skills=(("billing", 2),))) == [("c1", "a2")]


def test_the_skills_of_the_queue_are_asked_for_beside_the_contacts_own(pool: Scene) -> None:
    """RT-1: an agent serves every queue of its pool whose required skills it has."""
    pool.queue("q1", required_skills=(("vip", 1),))
    pool.ready("a1", skills=(("en", 1),))
    assert pairs(pool.queued("c1", required_skills=(("en", 1),))) == []
    assert pairs(pool.ready("a2", skills=(("en", 1), ("vip", 1)))) == [("c1", "a2")]


def test_an_agent_restricted_to_queues_serves_no_other(pool: Scene) -> None:
    pool.agent(seen.JoinedPool("a1", "p1", capacity=CHAT, queues=("q2",), checked_in=True, ready=True))
    assert pairs(pool.queued("c1", "q1")) == []
    assert pairs(pool.queued("c2", "q2")) == [("c2", "a1")]


def test_a_free_agent_takes_priority_then_age_then_id(pool: Scene) -> None:
    """RT-3 queue priority and age."""
    pool.queued("old")
    pool.later(1).queued("b")
    pool.queued("a")
    pool.later(1).queued("vip", priority=5)
    taken = pool.ready("a1", slots=(("chat", 4),))
    assert [contact for contact, _ in pairs(taken)] == ["vip", "old", "a", "b"]


@pytest.mark.parametrize(("later", "first"), [(89_999, "credited"), (90_000, "c1"), (90_001, "c1")])
def test_a_credit_of_90_s_behaves_as_90_s_earlier_arrival(pool: Scene, later: int, first: str) -> None:
    """RT-3: contact's and queue's credit together; equal ages are told apart by id."""
    pool.queue("gold", credit_ms=60_000)
    pool.queued("c1")
    pool.later(later).queued("credited", "gold", credit_ms=30_000)
    assert pairs(pool.ready("a1")) == [(first, "a1")]


def test_the_preferred_agent_is_asked_first_when_free(pool: Scene) -> None:
    """RT-3; kernel rule 25: ingress says who, the pool knows no customer."""
    pool.ready("a1")
    pool.later(1).ready("a2")
    offer = only_offer(pool.queued("c1", preferred_agent="a2"))
    assert (offer.agent, offer.explanation.tie_break) == ("a2", "preferred_agent")


def test_a_busy_preferred_agent_keeps_nobody_waiting(pool: Scene) -> None:
    pool.ready("a1")
    assert pairs(pool.queued("c1", preferred_agent="somebody-else")) == [("c1", "a1")]


def test_several_chats_are_spread_before_one_agent_gets_a_second(pool: Scene) -> None:
    """CH-2, RT-1: an agent with work is not idle."""
    pool.ready("a1", slots=(("chat", 3),))
    pool.ready("a2", slots=(("chat", 3),))
    assert [pairs(pool.later(1).queued(c))[0][1] for c in ("c1", "c2", "c3", "c4")] == ["a1", "a2", "a1", "a2"]


def test_an_explanation_counts_every_refused_agent_once(pool: Scene) -> None:
    """RT-10: considered, refused by class, tie-break."""
    pool.ready("a1", skills=(("en", 1),))
    pool.later(1).ready("a2", skills=(("en", 1),))
    pool.ready("unskilled")
    pool.ready("away", skills=(("en", 1),))
    pool.agent(seen.AgentNotReady("away"))
    pool.ready("voice", skills=(("en", 1),), slots=(("voice", 1),))
    explanation = only_offer(pool.queued("c1", required_skills=(("en", 1),))).explanation
    refused = (("NOT_QUALIFIED", 1), ("NOT_READY", 1), ("NO_CHANNEL", 1))
    assert explanation == Explanation(5, refused, "longest_idle", "a1", "idle_ms=1")


# --- capacity ----------------------------------------------------------------------------------------------------


def test_an_agent_is_never_offered_more_than_its_slots(pool: Scene) -> None:
    """CH-2: an open offer holds a place."""
    pool.ready("a1", slots=(("chat", 2),))
    assert [len(offers(pool.queued(c))) for c in ("c1", "c2", "c3")] == [1, 1, 0]


def test_a_place_is_given_back_only_by_the_agents_own_stream(pool: Scene) -> None:
    """Kernel rule 24, AG-2: the contact's end releases nothing."""
    pool.ready("a1")
    pool.assigned("c1", "a1")
    pool.queued("c2")
    assert names(pool.contact(seen.AgentConnected("c1", 1, "a1", pool.now))) == ["ContactDequeued"]
    assert pool.contact(seen.ContactEnded("c1", "agent_ended", pool.now)) == []
    released, offered = pool.agent(seen.WorkEnded("a1", "c1", 1))
    assert released == CapacityReleased("a1", "team1", "c1", 1, "q1", "chat")
    assert (offered.contact, offered.agent) == ("c2", "a1")


def test_capacity_by_cost_counts_every_channel(pool: Scene) -> None:
    """CH-2: 100 units, voice 100, chat 20."""
    capacity = seen.Capacity((("chat", 5), ("voice", 1)), (("chat", 20), ("voice", 100)), 100)
    pool.agent(seen.JoinedPool("a1", "p1", capacity=capacity, checked_in=True, ready=True))
    assert len(offers(pool.queued("c1"))) == 1
    assert offers(pool.queued("call", channel="voice")) == []
    assert [len(offers(pool.queued(f"more{n}"))) for n in range(5)] == [1, 1, 1, 1, 0]


def test_nothing_is_offered_during_wrap_up(pool: Scene) -> None:
    """AG-2: no offer during wrap-up, free places or not."""
    pool.ready("a1", slots=(("chat", 2),))
    pool.assigned("c1", "a1")
    pool.agent(seen.WrapUpStarted("a1", "c1", 1))
    assert pairs(pool.queued("c2")) == []
    assert pairs(pool.agent(seen.WrapUpEnded("a1", "c1", 1))) == [("c2", "a1")]


def test_an_unknown_piece_of_work_releases_nothing(pool: Scene) -> None:
    pool.ready("a1")
    assert pool.agent(seen.WorkEnded("a1", "never-assigned", 1)) == []


def test_lowered_capacity_takes_nothing_away_and_offers_nothing_more(pool: Scene) -> None:
    pool.ready("a1", slots=(("chat", 2),))
    pool.assigned("c1", "a1")
    pool.agent(seen.CapacitySet("a1", CHAT))
    assert pairs(pool.queued("c2")) == []


# --- presence ----------------------------------------------------------------------------------------------------


def test_logged_in_or_checked_in_alone_gets_no_offers(pool: Scene) -> None:
    """AG-1: log in, check in, ready."""
    pool.queued("c1")
    assert pool.agent(seen.JoinedPool("a1", "p1", capacity=CHAT)) == []
    assert pool.agent(seen.AgentCheckedIn("a1")) == []
    assert pairs(pool.agent(seen.AgentReady("a1"))) == [("c1", "a1")]


def test_an_agent_that_checks_out_is_offered_nothing_more(pool: Scene) -> None:
    """AG-1."""
    pool.ready("a1")
    pool.agent(seen.AgentCheckedOut("a1"))
    assert pool.queued("c1")[1:] == []


# --- offers ------------------------------------------------------------------------------------------------------


def test_an_accepted_offer_assigns_the_contact(pool: Scene) -> None:
    """RT-2 accept."""
    pool.ready("a1")
    offer = only_offer(pool.queued("c1"))
    accepted, assigned = pool.accept(offer.offer_id, "a1")
    assert names([accepted]) == ["OfferAccepted"]
    assert assigned == ContactAssigned(
        offer.offer_id, "c1", 1, "q1", "a1", "team1", "chat", START, pool.now, "longest-idle@1"
    )


def test_an_assignment_says_its_queues_time_for_wrap_up(pool: Scene) -> None:
    """AG-2"""
    pool.queue("q1", wrap_up_ms=15_000)
    pool.ready("a1")
    _, assigned = pool.accept(only_offer(pool.queued("c1")).offer_id, "a1")
    assert isinstance(assigned, ContactAssigned) and assigned.wrap_up_ms == 15_000


def test_an_expired_offer_puts_the_contact_at_the_head_and_the_agent_aside(pool: Scene) -> None:
    """RT-2: no answer puts the agent not ready and the contact back at the head."""
    pool.queue("q1", offer_timeout_ms=15_000)
    pool.ready("a1")
    offer = only_offer(pool.queued("c1"))
    assert offer.expires_at == START + 15_000
    pool.later(10).queued("vip", priority=9)
    timer, expired = pool.later(15_000).expire(offer.offer_id)
    assert names([timer]) == ["TimerElapsed"]
    assert expired == OfferExpired(offer.offer_id, "c1", 1, "q1", "a1", "team1", True)
    second = only_offer(pool.ready("a2"))
    assert (second.contact, second.attempt) == ("c1", 2)
    assert pairs(pool.agent(seen.AgentReady("a1"))) == [("vip", "a1")]


def test_an_expired_offer_goes_to_the_next_agent_at_once(pool: Scene) -> None:
    """RT-2."""
    pool.ready("a1")
    pool.later(1).ready("a2")
    offer = only_offer(pool.queued("c1"))
    assert pairs(pool.later(20_000).expire(offer.offer_id)) == [("c1", "a2")]


def test_a_timer_of_an_offer_that_is_over_leaves_no_trace(pool: Scene) -> None:
    pool.ready("a1")
    offer = only_offer(pool.queued("c1"))
    pool.accept(offer.offer_id, "a1")
    assert pool.expire(offer.offer_id) == []


def test_a_declined_contact_is_not_offered_to_the_same_agent_until_ready_again(pool: Scene) -> None:
    """RT-2 decline."""
    pool.ready("a1")
    offer = only_offer(pool.queued("c1"))
    assert names(pool.decline(offer.offer_id, "a1")) == ["OfferDeclined"]
    assert pairs(pool.queued("c2")) == [("c2", "a1")]
    pool.agent(seen.AgentNotReady("a1"))
    assert pairs(pool.agent(seen.AgentReady("a1"))) == [("c1", "a1")]


def test_a_declined_contact_goes_to_another_agent(pool: Scene) -> None:
    """RT-2 decline."""
    pool.ready("a1")
    pool.later(1).ready("a2")
    offer = only_offer(pool.queued("c1"))
    assert pairs(pool.decline(offer.offer_id, "a1")) == [("c1", "a2")]


def test_an_abandoned_contact_takes_its_offer_back_and_its_agent_gets_the_next(pool: Scene) -> None:
    """RT-2 withdraw."""
    pool.ready("a1")
    pool.queued("c1")
    pool.queued("c2")
    withdrawn, dequeued, offered = pool.later(5000).contact(seen.ContactAbandoned("c1", pool.now))
    assert isinstance(withdrawn, OfferWithdrawn)
    assert withdrawn.reason is Withdrawal.CUSTOMER_LEFT
    assert (dequeued.outcome, dequeued.left_at - dequeued.queued_at) == (Outcome.ABANDONED, 5000)
    assert offered.contact == "c2"


def test_an_agent_that_leaves_gives_its_offers_back(pool: Scene) -> None:
    """RT-2 withdraw, AG-1."""
    pool.ready("a1")
    pool.later(1).ready("a2")
    pool.queued("c1")
    withdrawn, offered = pool.agent(seen.AgentNotReady("a1", "break"))
    assert withdrawn.reason is Withdrawal.AGENT_LEFT
    assert (offered.contact, offered.agent) == ("c1", "a2")


@pytest.mark.parametrize(("offer_id", "agent", "reason"), [("", "a2", "NOT_YOUR_OFFER"), ("x", "a1", "OFFER_NOT_OPEN")])
def test_another_agents_or_an_unknown_offer_is_refused(pool: Scene, offer_id: str, agent: str, reason: str) -> None:
    """Attacks: accepting another agent's offer or an old one gives 409."""
    pool.ready("a1")
    offer = only_offer(pool.queued("c1"))
    (refused,) = pool.accept(offer_id or offer.offer_id, agent)
    assert isinstance(refused, CommandRefused)
    assert refused.reason == reason


def test_an_offer_is_accepted_once(pool: Scene) -> None:
    """Trust I3."""
    pool.ready("a1")
    offer = only_offer(pool.queued("c1"))
    pool.accept(offer.offer_id, "a1")
    assert pool.accept(offer.offer_id, "a1")[0].reason == "OFFER_NOT_OPEN"


def test_a_repeated_order_has_no_second_effect(pool: Scene) -> None:
    """Kernel rule 22, trust I2."""
    pool.ready("a1")
    order = AcceptOffer(only_offer(pool.queued("c1")).offer_id, "a1", "same-command")
    assert names(pool.tell(order)) == ["OfferAccepted", "ContactAssigned"]
    assert pool.tell(order) == []


def test_a_late_order_is_refused_and_may_be_sent_again(pool: Scene) -> None:
    """Kernel rule 23."""
    pool.ready("a1")
    offer = only_offer(pool.queued("c1"))
    late = AcceptOffer(offer.offer_id, "a1", "cmd", expires_at=pool.now)
    assert pool.later(1).tell(late)[0].reason == "EXPIRED"
    assert names(pool.tell(AcceptOffer(offer.offer_id, "a1", "cmd"))) == ["OfferAccepted", "ContactAssigned"]


# --- leaving a queue ---------------------------------------------------------------------------------------------


def test_answered_is_written_when_the_pool_saw_the_agent_connect(pool: Scene) -> None:
    pool.ready("a1")
    pool.assigned("c1", "a1")
    (dequeued,) = pool.contact(seen.AgentConnected("c1", 1, "a1", pool.now))
    assert isinstance(dequeued, ContactDequeued)
    assert (dequeued.outcome, dequeued.agent, dequeued.team, dequeued.offers) == (Outcome.ANSWERED, "a1", "team1", 1)
    assert dequeued.offered_at == dequeued.accepted_at == dequeued.left_at == START


def test_a_contact_lost_between_assignment_and_answer_is_abandoned(pool: Scene) -> None:
    pool.ready("a1")
    pool.assigned("c1", "a1")
    (dequeued,) = pool.contact(seen.ContactAbandoned("c1", pool.now))
    assert dequeued.outcome is Outcome.ABANDONED
    assert list(pool.board.agents["a1"].work) == ["c1#1"]


@pytest.mark.parametrize(("wait", "outcome"), [(4999, Outcome.SHORT_ABANDONED), (5000, Outcome.ABANDONED)])
def test_a_short_abandon_is_one_below_the_queues_limit(pool: Scene, wait: int, outcome: Outcome) -> None:
    pool.queue("q1", short_abandon_ms=5000)
    pool.queued("c1")
    assert pool.contact(seen.ContactAbandoned("c1", START + wait))[0].outcome is outcome


def test_a_contact_queued_again_elsewhere_flows_out_of_its_first_queue(pool: Scene) -> None:
    """RT-5: the origin queue stays attributable."""
    pool.queued("c1", "q1")
    dequeued, waiting = pool.queued("c1", "q2", leg=2)
    assert (dequeued.queue, dequeued.outcome) == ("q1", Outcome.FLOWED_OUT)
    assert (waiting.queue, waiting.leg) == ("q2", 2)
    assert pool.board.version_of("t1/contact-c1") == 2


# --- pools, days, timers -----------------------------------------------------------------------------------------


def test_an_agent_leaves_its_pool_only_when_its_work_is_done(pool: Scene) -> None:
    """Kernel rule 24: offers end, work ends, then AgentReleased; nothing is offered on the way."""
    pool.ready("a1", slots=(("chat", 2),))
    pool.assigned("c1", "a1")
    pool.queued("c2")
    assert names(pool.agent(seen.PoolLeaveRequested("a1", "p2"))) == ["OfferWithdrawn"]
    released, gone = pool.agent(seen.WorkEnded("a1", "c1", 1))
    assert names([released]) == ["CapacityReleased"]
    assert gone == AgentReleased("a1", "team1", "p2")
    assert pool.agent(seen.AgentReady("a1")) == []
    assert "a1" not in pool.board.agents


def test_an_idle_agent_leaves_its_pool_at_once(pool: Scene) -> None:
    """Kernel rule 24."""
    pool.ready("a1")
    assert pool.agent(seen.PoolLeaveRequested("a1", "p2")) == [AgentReleased("a1", "team1", "p2")]


def test_a_quarter_hour_with_contacts_is_final_once(pool: Scene) -> None:
    """Kernel rule 26."""
    pool.queue("q1", threshold_ms=30_000)
    pool.queued("c1")
    ((queue, end, threshold),) = pool.board.finalities.values()
    assert (queue, threshold) == ("q1", 30_000)
    assert end == -(-(START + 1) // 900_000) * 900_000
    timer = TimerElapsed(TimerKind.FINALITY, end + 30_000, queue="q1", interval_end=end, threshold_ms=30_000)
    assert pool.tell(timer) == [timer]
    assert pool.tell(timer) == []


def test_a_board_comes_back_from_its_carry(pool: Scene) -> None:
    """Kernel rule 19: a fold may start at a complete carry, whose digest must equal the board's."""
    busy(pool)
    events = pool.tell(StartDay("2025-06-16", "carry-1"))
    pieces = [event for event in events if isinstance(event, PoolCarried)]
    board = carry.joined("t1", "p1", pieces, events[-1])
    assert board is not None
    assert carry.pack(board) == carry.pack(pool.board)
    assert decide_one(LATER, board, pool.now) == decide_one(LATER, pool.board, pool.now)
    assert carry.pack(board) == carry.pack(pool.board)


def test_an_incomplete_or_altered_carry_is_ignored(pool: Scene) -> None:
    """Kernel rule 19."""
    busy(pool)
    _, *pieces, opened = carry.chapter(pool.board, "2025-06-16", "carry-1", "UTC")
    assert isinstance(opened, PoolOpened)
    assert carry.joined("t1", "p1", pieces[:-1], opened) is None
    altered = [replace(piece, generation=9) for piece in pieces]
    assert carry.joined("t1", "p1", altered, opened) is None


def test_a_carry_without_pieces_is_ignored(pool: Scene) -> None:
    """Rule 19: its owner died before the first."""
    assert carry.joined("t1", "p1", [], PoolOpened("2025-06-16", "carry", carry.digest(pool.board), 0)) is None


def test_a_big_carry_comes_in_pieces(pool: Scene) -> None:
    """Kernel rule 19."""
    for n in range(5000):
        pool.board.commands[f"{n:032x}"] = None
    events = carry.chapter(pool.board, "2025-06-16", "carry-1", "UTC")
    pieces = [event for event in events if isinstance(event, PoolCarried)]
    assert [len(piece.commands) for piece in pieces] == [2000, 2000, 1000]
    assert [piece.piece for piece in pieces] == [1, 2, 3]


def test_an_unknown_policy_is_refused(pool: Scene) -> None:
    assert pool.tell(ChoosePolicy("coin-toss@1", "c"))[0].reason == "UNKNOWN_POLICY"
    assert names(pool.tell(ChoosePolicy("longest-idle@1", "d"))) == ["PolicyChosen"]


def test_a_fact_of_a_later_version_only_counts_its_version(pool: Scene) -> None:
    pool.queued("c1")
    unknown = ContactObserved("t1/contact-c1", 7, seen.Irrelevant("ContactSangASong"))
    assert pool.tell(unknown) == [unknown]
    assert pool.board.version_of("t1/contact-c1") == 7


def test_a_turn_can_be_replayed_and_an_altered_one_diverges(pool: Scene) -> None:
    """RT-10."""
    busy(pool)
    assert replay(pool.log, Board("t1", "p1")) is None
    altered = [(e, at) for e, at in pool.log if getattr(getattr(e, "fact", None), "agent", "") != "a2"]
    assert replay(altered, Board("t1", "p1")) is not None


def busy(pool: Scene) -> None:
    """Something of everything."""
    pool.tell(TakePool("me", 1))
    pool.queue("q1", short_abandon_ms=3000)
    pool.ready("a1", skills=(("en", 2),))
    pool.later(3).ready("a2", slots=(("chat", 2), ("voice", 1)))
    first = only_offer(pool.later(5).queued("c1"))
    pool.accept(first.offer_id, first.agent)
    declined = only_offer(pool.later(7).queued("c2", required_skills=()))
    pool.later(9).decline(declined.offer_id, declined.agent)
    expired = only_offer(pool.queued("c3", channel="voice"))
    pool.later(20_000).expire(expired.offer_id)
    pool.later(11).queued("c4", priority=3)
    pool.accept("nothing", "a1")
    pool.contact(seen.AgentConnected("c1", 1, first.agent, pool.now))
