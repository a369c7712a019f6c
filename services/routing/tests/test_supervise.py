"""What supervisors and administrators order: facts with a reason, or refusals that say why (RT-8)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from routing.domain import observed as seen
from routing.domain.commands import (
    ChoosePolicy,
    DefineHours,
    DefineQueue,
    DefineWorkflow,
    Input,
    MoveContact,
    PullContact,
    RaisePriority,
    RemoveQueue,
    RequestCallback,
    SetQueueOpen,
    Teams,
)
from routing.domain.definitions import Action, Hours, OverflowRule, Queue, Target, Trigger, Workflow
from routing.domain.events import (
    CommandRefused,
    ContactDequeued,
    ContactOverflowed,
    ContactPulled,
    Event,
    OfferWithdrawn,
    Outcome,
    PolicyChosen,
    PriorityRaised,
    QueueDefined,
    Withdrawal,
)
from routing.domain.replay import replay
from routing.domain.state import Board

from .scene import Scene, names, only_offer, pairs

OWN: Teams = ("team1",)


@pytest.fixture
def pool() -> Iterator[Scene]:
    """Whatever a test does, its log decides the same again, refusals too (kernel rule 19)."""
    scene = Scene()
    yield scene
    assert replay(scene.log, Board("t1", "p1")) is None


def one(events: list[Event], kind: type[Any]) -> Any:
    (found,) = [event for event in events if isinstance(event, kind)]
    return found


def refusal(events: list[Event]) -> str:
    (event,) = events
    assert isinstance(event, CommandRefused)
    return event.reason


def offered(pool: Scene) -> str:
    """c1 is offered to a1; a2 is free too. The offer's id."""
    pool.queue("q1")
    pool.queue("q2")
    pool.ready("a1")
    pool.later(1).ready("a2")
    return only_offer(pool.queued("c1")).offer_id


# --- contacts ------------------------------------------------------------------------------------------------------


def test_a_contact_that_is_moved_leaves_its_queue_with_the_reason(pool: Scene) -> None:
    """RT-8 move: within the pool, ingress queues it anew."""
    pool.queue("q1")
    pool.queue("q2")
    pool.queued("c1")
    events = pool.tell(MoveContact("c1", "q2", "p1", "k", reason="wrong-queue"))
    went, left = one(events, ContactOverflowed), one(events, ContactDequeued)
    assert (went.rule, went.reason, went.command_id, went.to_queue, went.to_pool) == (
        "supervisor",
        "wrong-queue",
        "k",
        "q2",
        "p1",
    )
    assert (left.outcome, left.to_queue, left.rule) == (Outcome.FLOWED_OUT, "q2", "supervisor")
    assert pool.tell(MoveContact("c1", "q2", "p1", "k", reason="wrong-queue")) == [], "asked twice, done once"


def test_moving_a_ringing_contact_takes_the_offer_back_and_frees_the_agent(pool: Scene) -> None:
    """RT-8, RT-2: every offer ends."""
    offered(pool)
    pool.queued("c2")
    pool.queued("c3")
    events = pool.tell(MoveContact("c1", "q9", "p9", "k"))
    assert names(events) == ["ContactOverflowed", "OfferWithdrawn", "ContactDequeued", "ContactOffered"]
    assert one(events, OfferWithdrawn).reason is Withdrawal.MOVED
    assert pairs(events) == [("c3", "a1")]


@pytest.mark.parametrize(
    ("order", "reason"),
    [
        (MoveContact("c9", "q2", "p1", "k"), "CONTACT_NOT_WAITING"),
        (MoveContact("c1", "q1", "p1", "k"), "SAME_QUEUE"),
        (MoveContact("c1", "q8", "p1", "k"), "UNKNOWN_QUEUE"),
        (MoveContact("c1", "calls", "p1", "k"), "CHANNEL_NOT_TAKEN"),
        (MoveContact("c1", "q2", "p1", "k", teams=("others",)), "NOT_YOUR_QUEUE"),
        (PullContact("c1", "a9", "k"), "UNKNOWN_AGENT"),
        (PullContact("c1", "a1", "k"), "ALREADY_OFFERED"),
        (PullContact("c1", "a3", "k"), "AGENT_NOT_READY"),
        (PullContact("c1", "a4", "k"), "AGENT_NO_CAPACITY"),
        (PullContact("c1", "a5", "k", teams=OWN), "NOT_YOUR_AGENT"),
        (RaisePriority("c9", 5, 0, "k"), "CONTACT_NOT_WAITING"),
        (RaisePriority("c1", 5, 0, "k", teams=()), "NOT_YOUR_QUEUE"),
        (RequestCallback("c9", "k"), "CONTACT_NOT_WAITING"),
        (RequestCallback("c1", "k", expires_at=1), "EXPIRED"),
    ],
)
def test_what_may_not_be_done_to_a_contact_is_refused_with_the_reason(pool: Scene, order: Input, reason: str) -> None:
    """RT-8, trust: own teams only; the agent's capacity is never exceeded."""
    offered(pool)
    pool.queue("calls", channels=("voice",))
    for agent in ("a3", "a4"):
        pool.ready(agent)
    pool.agent(seen.AgentNotReady("a3"))
    pool.assigned("c4", "a2")
    pool.assigned("c5", "a4")
    pool.agent(seen.JoinedPool("a5", "p1", "team2", checked_in=True, ready=True))
    assert refusal(pool.tell(order)) == reason


def test_a_contact_that_an_agent_has_is_not_moved_any_more(pool: Scene) -> None:
    pool.accept(offered(pool), "a1")
    assert refusal(pool.tell(MoveContact("c1", "q2", "p1", "k"))) == "CONTACT_NOT_WAITING"


def test_a_contact_is_given_to_a_named_agent_whatever_the_policy_says(pool: Scene) -> None:
    """RT-8 pull: the agent's offer at the first's expense, and that one gets the next; skills do not matter."""
    pool.queue("q1", required_skills=(("en", 1),))
    pool.ready("a1", skills=(("en", 1),))
    pool.ready("a2")
    pool.queued("c1")
    pool.queued("c2")
    events = pool.tell(PullContact("c1", "a2", "k", reason="knows-them", teams=OWN))
    assert names(events) == ["ContactPulled", "OfferWithdrawn", "ContactOffered", "ContactOffered"]
    pulled = one(events, ContactPulled)
    assert (pulled.agent, pulled.team, pulled.command_id, pulled.reason) == ("a2", "team1", "k", "knows-them")
    assert pairs(events) == [("c1", "a2"), ("c2", "a1")]
    offer = next(event for event in events if getattr(event, "agent", "") == "a2" and hasattr(event, "explanation"))
    assert (offer.explanation.tie_break, offer.explanation.winner) == ("supervisor", "a2")  # type: ignore[union-attr]
    assert names(pool.accept(offer.offer_id, "a2"))[:2] == ["OfferAccepted", "ContactAssigned"]  # type: ignore


def test_a_pulled_contact_that_is_declined_waits_on_at_the_head(pool: Scene) -> None:
    pool.queue("q1", required_skills=(("en", 1),))
    pool.ready("a2")
    pool.queued("c1")
    offer = only_offer(pool.tell(PullContact("c1", "a2", "k")))
    assert pairs(pool.decline(offer.offer_id, "a2")) == []
    assert pairs(pool.ready("a1", skills=(("en", 1),))) == [("c1", "a1")]


def test_who_is_raised_is_served_first(pool: Scene) -> None:
    """RT-8 raise priority: priority and credit, with the reason."""
    pool.queue("q1")
    pool.queued("c1")
    pool.later(5).queued("c2")
    raised = one(pool.tell(RaisePriority("c2", 3, 60_000, "k", reason="complaint")), PriorityRaised)
    assert (raised.priority, raised.credit_ms, raised.command_id, raised.reason) == (3, 60_000, "k", "complaint")
    assert raised.explanation.score == "priority=0 credit_ms=0"
    assert pairs(pool.ready("a1")) == [("c2", "a1")]


def test_a_customer_who_is_to_be_called_back_leaves_with_that_outcome(pool: Scene) -> None:
    """RT-8, CH-5: what it had is told, so that the place can be kept."""
    pool.queue("q1")
    began = pool.now
    pool.queued("c1", priority=4)
    events = pool.later(9_000).tell(RequestCallback("c1", "k"))
    went = one(events, ContactOverflowed)
    assert (went.action, went.rule, went.priority, went.queued_at) == (Action.CALLBACK, "callback", 4, began)
    assert one(events, ContactDequeued).outcome is Outcome.CALLBACK


# --- queues and policies -------------------------------------------------------------------------------------------


def test_who_waits_in_a_queue_that_closes_overflows_by_its_rule_or_stays(pool: Scene) -> None:
    """RT-8 close: with the reason; nothing else of the definition changes."""
    shut = OverflowRule("shut", Trigger.CLOSED, 0, Action.VOICEMAIL)
    pool.queue("q1", name="Sales", overflows=(shut,), max_length=7)
    pool.queue("q2")
    pool.queued("c1")
    pool.queued("c2", "q2")
    closed = pool.tell(SetQueueOpen("q1", False, "k1", reason="fire"))
    defined = one(closed, QueueDefined)
    assert (defined.queue.open, defined.queue.name, defined.queue.max_length, defined.reason) == (
        False,
        "Sales",
        7,
        "fire",
    )
    assert one(closed, ContactDequeued).rule == "shut"
    assert names(pool.tell(SetQueueOpen("q2", False, "k2"))) == ["QueueDefined"]
    assert pairs(pool.ready("a1")) == [("c2", "a1")]
    pool.tell(SetQueueOpen("q1", True, "k3"))
    assert names(pool.queued("c3")) == ["ContactWaiting"]


@pytest.mark.parametrize(
    ("order", "reason"),
    [
        (SetQueueOpen("q9", False, "k"), "UNKNOWN_QUEUE"),
        (SetQueueOpen("q1", False, "k", teams=("others",)), "NOT_YOUR_QUEUE"),
        (RemoveQueue("q9", "", "k"), "UNKNOWN_QUEUE"),
        (RemoveQueue("q1", "", "k"), "QUEUE_NOT_EMPTY"),
        (RemoveQueue("q2", "", "k", teams=()), "NOT_YOUR_QUEUE"),
        (ChoosePolicy("nonsense@9", "k"), "UNKNOWN_POLICY"),
        (ChoosePolicy("round-robin@1", "k", parameters=(("ageing_ms_per_priority", "-1"),)), "UNKNOWN_POLICY"),
        (ChoosePolicy("round-robin@1", "k", queue="q9"), "UNKNOWN_QUEUE"),
        (ChoosePolicy("round-robin@1", "k", queue="q1", teams=("others",)), "NOT_YOUR_QUEUE"),
        (ChoosePolicy("round-robin@1", "k", teams=OWN), "NOT_YOUR_QUEUE"),
        (DefineQueue(Queue("q1", policy="nonsense@1"), "k"), "UNKNOWN_POLICY"),
        (DefineQueue(Queue("q1", targeting="1 +"), "k"), "BAD_EXPRESSION"),
        (DefineHours(Hours("office"), "k", removed=True), "HOURS_IN_USE"),
        (DefineWorkflow(Workflow("flow"), "k", removed=True), "WORKFLOW_IN_USE"),
        (DefineWorkflow(Workflow("flow", (Target("", order_by="height"),)), "k"), "BAD_EXPRESSION"),
    ],
)
def test_what_may_not_be_done_to_a_queue_is_refused_with_the_reason(pool: Scene, order: Input, reason: str) -> None:
    """RT-8, trust: a supervisor's queues are those that agents of the supervisor's teams may serve."""
    pool.tell(DefineHours(Hours("office", "Asia/Shanghai"), "h"))
    pool.tell(DefineWorkflow(Workflow("flow", (Target("q1"),)), "w"))
    pool.queue("q1", hours="office", workflow="flow")
    pool.queue("q2")
    pool.ready("a1", slots=())
    pool.queued("c1")
    assert refusal(pool.tell(order)) == reason


def test_a_supervisor_orders_in_own_queues(pool: Scene) -> None:
    """Trust: queues and policies of one's own; the pool's policy is the administrator's."""
    pool.queue("q1", required_skills=(("en", 1),))
    pool.queue("q2", required_skills=(("zh", 1),))
    pool.ready("a1", skills=(("en", 1),))
    chosen = one(pool.tell(ChoosePolicy("round-robin@1", "k1", queue="q1", reason="fair", teams=OWN)), PolicyChosen)
    assert (chosen.queue, chosen.policy, chosen.reason) == ("q1", "round-robin@1", "fair")
    assert refusal(pool.tell(ChoosePolicy("round-robin@1", "k2", queue="q2", teams=OWN))) == "NOT_YOUR_QUEUE"
    assert names(pool.tell(SetQueueOpen("q1", False, "k3", teams=OWN))) == ["QueueDefined"]


def test_a_policy_chosen_for_a_queue_counts_until_its_definition_says_another(pool: Scene) -> None:
    """RT-1: what is said last; closing a queue does not say anything about it."""
    pool.queue("q1")
    pool.tell(ChoosePolicy("round-robin@1", "k1", queue="q1"))
    pool.tell(SetQueueOpen("q1", True, "k2"))
    pool.ready("a1", slots=(("chat", 3),))
    assert only_offer(pool.queued("c1")).policy == "round-robin@1"
    pool.queue("q1", policy="least-loaded@1")
    assert only_offer(pool.queued("c2")).policy == "least-loaded@1"


def test_a_queue_that_is_removed_is_forgotten(pool: Scene) -> None:
    pool.queue("q1", offer_timeout_ms=1)
    removed = one(pool.tell(RemoveQueue("q1", "p9", "k", reason="merged")), QueueDefined)
    assert (removed.removed, removed.to_pool, removed.reason) == (True, "p9", "merged")
    assert "q1" not in pool.board.queues
    assert refusal(pool.tell(RemoveQueue("q1", "p9", "again"))) == "UNKNOWN_QUEUE"
