"""What happens while a contact waits: rings, targets, overflows, limits (RT-4, RT-5)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from routing.adapters.cel import Cel
from routing.domain import observed as seen
from routing.domain.commands import DefineWorkflow
from routing.domain.definitions import Action, OverflowRule, Relaxation, Target, Trigger, Workflow
from routing.domain.events import (
    ContactDequeued,
    ContactOverflowed,
    ContactWaiting,
    Event,
    Outcome,
    OverflowObserved,
    SkillsRelaxed,
    TargetReached,
    TimerElapsed,
    TimerKind,
)
from routing.domain.replay import replay
from routing.domain.state import Board
from routing.domain.waiting import timer_of

from .scene import Scene, names, only_offer, pairs

CEL = Cel()


@pytest.fixture
def pool() -> Iterator[Scene]:
    """Whatever a test does, its log decides the same again."""
    scene = Scene()
    scene.board.use(CEL)
    yield scene
    again = Board("t1", "p1")
    again.use(CEL)
    assert replay(scene.log, again) is None


def due(pool: Scene, contact: str) -> TimerElapsed:
    timer = timer_of(pool.board.contacts[contact])
    assert timer is not None
    return timer


def elapses(pool: Scene, contact: str) -> list[Event]:
    """What the next step of ``contact`` brings at this very moment; nothing when it is not its time."""
    return pool.tell(due(pool, contact))[1:]


def one(events: list[Event], kind: type[Any]) -> Any:
    (found,) = [event for event in events if isinstance(event, kind)]
    return found


def workflow(pool: Scene, *targets: Target) -> None:
    pool.tell(DefineWorkflow(Workflow("flow", targets), f"flow-{len(pool.log)}"))


# --- relaxed in timed rings --------------------------------------------------------------------------------------

RINGS = (Relaxation(10_000, "billing", 3), Relaxation(20_000, "billing", 1), Relaxation(30_000, "billing"))


@pytest.mark.parametrize(("waits", "rings"), [(9_999, 0), (10_000, 1), (10_001, 1)])
def test_a_demand_is_loosened_at_its_time_and_not_before(pool: Scene, waits: int, rings: int) -> None:
    """RT-4: at threshold - 1, threshold and + 1."""
    pool.queue("q1", required_skills=(("billing", 5),), relaxations=RINGS)
    pool.ready("a1", skills=(("billing", 3),))
    assert pairs(pool.queued("c1")) == []
    assert len(pairs(elapses(pool.later(waits), "c1"))) == rings


def test_each_ring_asks_less_until_the_skill_is_no_longer_asked(pool: Scene) -> None:
    """RT-4: complete demands, counted rings, and who was passed over until then."""
    pool.queue("q1", required_skills=(("billing", 5),), relaxations=RINGS)
    pool.ready("a1", skills=(("billing", 2),))
    pool.queued("c1", required_skills=(("en", 1), ("billing", 4)))
    rings = [one(pool.step("c1"), SkillsRelaxed) for _ in RINGS]
    asked = [(("billing", 3), ("en", 1)), (("billing", 1), ("en", 1)), (("en", 1),)]
    assert [ring.required_skills for ring in rings] == asked
    assert [ring.ring for ring in rings] == [1, 2, 3]
    assert (rings[0].explanation.tie_break, rings[0].explanation.score) == ("relaxation", "waited_ms=10000")
    assert rings[0].explanation.refused == (("NOT_QUALIFIED", 1),)
    assert timer_of(pool.board.contacts["c1"]) is None


def test_a_ring_that_asks_no_less_is_passed_over(pool: Scene) -> None:
    pool.queue("q1", relaxations=(Relaxation(10_000, "zz", 1), Relaxation(20_000, "en")))
    pool.queued("c1", required_skills=(("en", 1),))
    assert due(pool, "c1").due_at == pool.now + 20_000


def test_a_waiting_contact_keeps_the_rules_it_came_under(pool: Scene) -> None:
    """RT-4: rules are frozen at entry."""
    pool.queue("q1", required_skills=(("en", 5),), relaxations=(Relaxation(10_000, "en", 2),))
    pool.queued("old")
    pool.queue("q1", required_skills=(("en", 5),), relaxations=(Relaxation(5_000, "en", 4),))
    pool.queued("new")
    began = pool.now
    assert [due(pool, contact).due_at - began for contact in ("old", "new")] == [10_000, 5_000]
    assert one(pool.step("new"), SkillsRelaxed).required_skills == (("en", 4),)
    assert one(pool.step("old"), SkillsRelaxed).required_skills == (("en", 2),)


def test_steps_that_fall_due_while_a_contact_is_offered_wait_for_it(pool: Scene) -> None:
    """RT-2, RT-4: an open offer is not disturbed; what was due comes when it is back."""
    pool.queue("q1", required_skills=(("en", 2),), relaxations=(Relaxation(10_000, "en", 1),))
    pool.ready("a1", skills=(("en", 2),))
    pool.ready("a2", skills=(("en", 1),))
    offer = only_offer(pool.queued("c1"))
    assert timer_of(pool.board.contacts["c1"]) is None
    pool.later(15_000).decline(offer.offer_id, "a1")
    assert due(pool, "c1").due_at == pool.now - 5_000
    assert pairs(elapses(pool, "c1")) == [("c1", "a2")]


@pytest.mark.parametrize("change", [{"leg": 2}, {"step": 2}, {"contact": "nobody"}, {"kind": TimerKind.MAX_WAIT}])
def test_a_timer_that_does_not_fit_leaves_no_trace(pool: Scene, change: dict[str, Any]) -> None:
    from dataclasses import replace

    pool.queue("q1", required_skills=(("en", 2),), relaxations=(Relaxation(10_000, "en", 1),))
    pool.queued("c1")
    timer = due(pool, "c1")
    assert pool.later(10_000).tell(replace(timer, **change)) == []
    assert names(pool.tell(timer)) == ["TimerElapsed", "SkillsRelaxed"]
    assert pool.tell(timer) == [], "it came already"


# --- targets: the examples that TaskRouter publishes ---------------------------------------------------------------


def test_targets_are_left_at_their_sums_whatever_offers_were_made_meanwhile(pool: Scene) -> None:
    """RT-4, TaskRouter 'Timeout evaluation': three targets of 10 s each, an offer at t=3 that times out at t=8.

    Then the second target is looked at; it is left 12 s later, for timeouts count from the task's own beginning.
    """
    for queue in ("Q1", "Q2", "Q3"):
        pool.queue(queue, offer_timeout_ms=5_000)
    workflow(pool, Target("Q1", 10_000), Target("Q2", 20_000), Target("Q3", 30_000))
    pool.queue("in", workflow="flow", offer_timeout_ms=5_000)
    assert one(pool.queued("A", "in"), TargetReached).target == 1
    began = pool.now
    pool.later(3_000)
    offer = only_offer(pool.agent(joined("w1", "Q1")))
    assert (offer.agent, offer.queue) == ("w1", "in")
    moved = one(pool.later(5_000).expire(offer.offer_id), TargetReached)
    assert (moved.target, moved.to_queue, pool.now - began) == (2, "Q2", 8_000)
    assert due(pool, "A").due_at - pool.now == 12_000
    third = one(pool.step("A"), TargetReached)
    assert (third.target, third.to_queue, pool.now - began) == (3, "Q3", 20_000)
    assert timer_of(pool.board.contacts["A"]) is None, "it stays in the last target"


def joined(agent: str, *queues: str, **options: Any) -> seen.JoinedPool:
    capacity = seen.Capacity((("chat", 1),))
    return seen.JoinedPool(agent, "p1", "team1", (), capacity, queues, checked_in=True, ready=True, **options)


def test_preferred_agents_are_asked_first_then_the_whole_queue(pool: Scene) -> None:
    """RT-4, TaskRouter 'Workflows and assignment': `worker.id IN task.preferred_agents` for 15 s, then everybody."""
    pool.queue("support")
    workflow(pool, Target("support", 15_000, expression="agent.id in contact.preferred_agents"), Target("", 30_000))
    pool.queue("support", workflow="flow")
    pool.agent(joined("Alice", "support"))
    pool.agent(joined("Bob", "sales"))
    waits = pool.queued("task", "support", attributes=(("preferred_agents", '["Dave"]'),))
    assert pairs(waits) == []
    assert pool.later(14_999).tell(due(pool, "task")) == []
    assert pairs(elapses(pool.later(1), "task")) == [("task", "Alice")]


def test_dave_is_asked_at_once_when_he_is_there(pool: Scene) -> None:
    """RT-4, the same example with the preferred agent present."""
    workflow(pool, Target("", 15_000, expression="agent.id in contact.preferred_agents"), Target("", 30_000))
    pool.queue("support", workflow="flow")
    pool.agent(joined("Alice", "support"))
    pool.later(1).agent(joined("Dave", "support", "sales"))
    assert pairs(pool.queued("task", "support", attributes=(("preferred_agents", '["Dave"]'),))) == [("task", "Dave")]


def test_a_target_is_skipped_only_when_nobody_takes_the_contact_on_arrival(pool: Scene) -> None:
    """RT-4, TaskRouter 'Skipping based on worker availability': `workers.available == 0`."""
    for queue in ("first", "second"):
        pool.queue(queue)
    workflow(pool, Target("first", 60_000, skip_if="queue.agents_available == 0"), Target("second", 120_000))
    pool.queue("in", workflow="flow")
    pool.agent(joined("f1", "first"))
    pool.agent(joined("s1", "second"))
    assert pairs(pool.queued("c1", "in")) == [("c1", "f1")]
    assert pool.board.contacts["c1"].target == 1, "taken on arrival: nothing was skipped"
    skipped = pool.queued("c2", "in")
    assert [event.target for event in skipped if isinstance(event, TargetReached)] == [1, 2]
    assert pairs(skipped) == [("c2", "s1")]


@pytest.mark.parametrize(
    ("skip_if", "reached"),
    [
        ("queue.agents_signed_in == 0", 2),
        ("queue.waiting > 5", 1),
        ("contact.tier == 'gold'", 2),
        ("contact.priority > 5", 1),
        ("contact.nothing == 1", 1),
        ("", 1),
    ],
)
def test_what_a_skip_may_ask(pool: Scene, skip_if: str, reached: int) -> None:
    """RT-4: the target's queue and the contact; what cannot be evaluated skips nothing."""
    workflow(pool, Target("first", 60_000, skip_if=skip_if), Target("second", 120_000))
    pool.queue("in", workflow="flow")
    pool.queued("c1", "in", attributes=(("tier", "gold"),))
    assert pool.board.contacts["c1"].target == reached


def test_the_last_target_is_never_skipped(pool: Scene) -> None:
    workflow(pool, Target("first", 60_000, skip_if="true"), Target("last", 0, skip_if="true"))
    pool.queue("in", workflow="flow")
    pool.queued("c1", "in")
    assert pool.board.contacts["c1"].target == 2


def test_a_target_raises_the_priority_and_asks_for_its_queues_skills(pool: Scene) -> None:
    """RT-4: escalation; the contact's own skills are asked everywhere, and it stays in the queue it entered."""
    pool.queue("tier1", required_skills=(("basic", 1),))
    pool.queue("tier2", required_skills=(("expert", 2),))
    workflow(pool, Target("tier1", 30_000, 5), Target("tier2", 60_000, 10, order_by="least-loaded@1"))
    pool.queue("in", workflow="flow")
    reached = one(pool.queued("c1", "in", priority=1, required_skills=(("en", 1),)), TargetReached)
    assert (reached.priority, reached.required_skills) == (5, (("basic", 1), ("en", 1)))
    reached = one(pool.step("c1"), TargetReached)
    assert (reached.priority, reached.required_skills) == (10, (("en", 1), ("expert", 2)))
    assert (reached.queue, reached.to_queue, reached.order_by) == ("in", "tier2", "least-loaded@1")
    offer = only_offer(pool.ready("x", skills=(("en", 1), ("expert", 2))))
    assert (offer.queue, offer.policy) == ("in", "least-loaded@1")


def test_relaxations_and_targets_work_on_the_same_demand(pool: Scene) -> None:
    pool.queue("tier2", required_skills=(("en", 4),))
    workflow(pool, Target("", 20_000), Target("tier2"))
    rings = (Relaxation(10_000, "en", 2), Relaxation(30_000, "en"))
    pool.queue("in", workflow="flow", required_skills=(("en", 5),), relaxations=rings)
    pool.queued("c1", "in")
    asked = [pool.step("c1")[0].required_skills for _ in range(3)]  # type: ignore[union-attr]
    assert asked == [(("en", 2),), (("en", 2),), ()]


def test_a_later_workflow_concerns_only_those_who_come_later(pool: Scene) -> None:
    """RT-4: frozen by version."""
    workflow(pool, Target("a", 10_000), Target("b"))
    pool.queue("in", workflow="flow")
    pool.queued("c1", "in")
    workflow(pool, Target("x", 5_000), Target("y"))
    pool.queued("c2", "in")
    assert [pool.board.contacts[c].demand.queue for c in ("c1", "c2")] == ["a", "x"]
    assert one(pool.step("c2"), TargetReached).to_queue == "y"
    assert one(pool.step("c1"), TargetReached).to_queue == "b"


def test_a_workflow_that_says_nothing_sensible_is_refused_with_the_place(pool: Scene) -> None:
    bad = Workflow("flow", (Target("a", expression="agent.id =="), Target("b")))
    (refused,) = pool.tell(DefineWorkflow(bad, "bad"))
    assert refused.reason == "BAD_EXPRESSION"  # type: ignore[union-attr]
    assert refused.detail.startswith("target 1, expression: line 1")  # type: ignore[union-attr]


# --- overflow ------------------------------------------------------------------------------------------------------


def rule(trigger: Trigger, limit: int, action: Action, **to: str) -> OverflowRule:
    return OverflowRule("r1", trigger, limit, action, **to)


ELSEWHERE = {"to_queue": "q9", "to_pool": "p9"}


@pytest.mark.parametrize(("waiting", "flows"), [(2, False), (3, True), (4, True)])
def test_overflow_by_length_at_the_threshold(pool: Scene, waiting: int, flows: bool) -> None:
    """RT-5: when at least so many wait; at threshold - 1, threshold and + 1."""
    pool.queue("q1")
    for n in range(waiting):
        pool.queued(f"w{n}")
    pool.queue("q1", overflows=(rule(Trigger.LENGTH, 3, Action.QUEUE, **ELSEWHERE),))
    assert ("ContactOverflowed" in names(pool.queued("c1"))) is flows
    assert ("c1" not in pool.board.contacts) is flows


@pytest.mark.parametrize(("waits", "flows"), [(29_999, False), (30_000, True), (30_001, True)])
def test_overflow_by_wait_at_the_threshold(pool: Scene, waits: int, flows: bool) -> None:
    """RT-5: to the millisecond."""
    pool.queue("q1", overflows=(rule(Trigger.WAIT, 30_000, Action.QUEUE, **ELSEWHERE),))
    pool.queued("c1", priority=2, credit_ms=7)
    began = pool.now
    events = elapses(pool.later(waits), "c1")
    assert bool(events) is flows
    if flows:
        went, left = events
        assert isinstance(went, ContactOverflowed)
        assert isinstance(left, ContactDequeued)
        assert (went.to_queue, went.to_pool, went.from_pool, went.origin_queue) == ("q9", "p9", "p1", "q1")
        assert (went.priority, went.credit_ms, went.queued_at) == (2, 7, began)
        assert (went.explanation.tie_break, went.explanation.score) == ("r1", f"waited_ms={waits}")
        assert (left.outcome, left.to_queue, left.rule) == (Outcome.FLOWED_OUT, "q9", "r1")


@pytest.mark.parametrize(("signed_in", "flows"), [(0, True), (1, False), (2, False)])
def test_overflow_when_nobody_who_could_serve_it_is_signed_in(pool: Scene, signed_in: int, flows: bool) -> None:
    """RT-5: whoever is signed in but busy, not ready or without room counts; without the skill does not."""
    pool.queue("q1", required_skills=(("en", 1),), overflows=(rule(Trigger.NOBODY_SIGNED_IN, 0, Action.VOICEMAIL),))
    pool.ready("unskilled")
    for n in range(signed_in):
        pool.ready(f"a{n}", skills=(("en", 1),))
        pool.agent(seen.AgentNotReady(f"a{n}"))
    events = pool.queued("c1")
    assert ("ContactOverflowed" in names(events)) is flows


def test_those_who_wait_overflow_when_the_last_agent_signs_out(pool: Scene) -> None:
    """RT-5: not before the last one, and in the order of their waits."""
    pool.queue("q1", overflows=(rule(Trigger.NOBODY_SIGNED_IN, 0, Action.END),))
    for agent in ("a1", "a2"):
        pool.ready(agent)
        pool.agent(seen.AgentNotReady(agent))
    pool.queued("c2")
    pool.later(1).queued("c1")
    assert pool.agent(seen.AgentCheckedOut("a1")) == []
    left = [event for event in pool.agent(seen.AgentCheckedOut("a2")) if isinstance(event, ContactDequeued)]
    assert [(event.contact, event.outcome) for event in left] == [("c2", Outcome.BLOCKED), ("c1", Outcome.BLOCKED)]


def test_a_closed_queue_passes_contacts_on_by_its_rule_or_refuses_them(pool: Scene) -> None:
    """RT-5 closed: blocked where no rule says otherwise."""
    pool.queue("q1", open=False, overflows=(rule(Trigger.CLOSED, 0, Action.CALLBACK),))
    assert one(pool.queued("c1"), ContactDequeued).outcome is Outcome.CALLBACK
    pool.queue("q1", open=False)
    events = pool.queued("c2")
    went, left = one(events, ContactOverflowed), one(events, ContactDequeued)
    assert (went.action, went.rule, left.outcome) == (Action.END, "closed", Outcome.BLOCKED)


@pytest.mark.parametrize(("channels", "blocked"), [((), False), (("chat", "voice"), False), (("voice",), True)])
def test_a_queue_refuses_channels_that_it_does_not_take(pool: Scene, channels: tuple[str, ...], blocked: bool) -> None:
    """RT-5 blocked: whatever its overflow rules say; the ingress hears END, ``why`` the rule and the channel."""
    pool.queue("q1", channels=channels, overflows=(rule(Trigger.NOBODY_SIGNED_IN, 0, Action.GROUP, to_team="t"),))
    events = pool.queued("c1", channel="chat")
    assert ("c1" in pool.board.contacts) is not blocked
    if blocked:
        went, left = one(events, ContactOverflowed), one(events, ContactDequeued)
        assert (went.action, went.rule, went.explanation.score) == (Action.END, "channel", "channel=chat")
        assert (left.outcome, left.rule) == (Outcome.BLOCKED, "channel")
        assert names(events) == ["ContactWaiting", "ContactOverflowed", "ContactDequeued"]


def test_who_waits_when_a_queue_stops_taking_the_channel_is_served(pool: Scene) -> None:
    """RT-5: as one who waits when it closes."""
    pool.queue("q1")
    pool.queued("c1")
    pool.queue("q1", channels=("voice",))
    assert pairs(pool.joins("a1")) == [("c1", "a1")]


def test_a_queue_closes_and_opens_by_its_hours(pool: Scene) -> None:
    """RT-6: told as a timer, so that no decision depends on a time zone database; news only."""
    pool.queue("q1", overflows=(rule(Trigger.CLOSED, 0, Action.VOICEMAIL),))
    pool.queue("q2")
    pool.queued("goes")
    pool.queued("stays", "q2")
    shut = [TimerElapsed(TimerKind.HOURS, pool.now, queue=queue, open=False) for queue in ("q1", "q2")]
    assert names(pool.tell(shut[0])) == ["TimerElapsed", "ContactOverflowed", "ContactDequeued"]
    assert names(pool.tell(shut[1])) == ["TimerElapsed"]
    assert pool.tell(shut[0]) == [], "it is closed already"
    assert "stays" in pool.board.contacts, "who waits without a rule is served"
    assert one(pool.queued("late", "q2"), ContactDequeued).outcome is Outcome.BLOCKED
    pool.tell(TimerElapsed(TimerKind.HOURS, pool.now, queue="q2", open=True))
    assert names(pool.queued("again", "q2")) == ["ContactWaiting"]


def test_the_target_of_the_hour_is_frozen_for_the_quarter_hour(pool: Scene) -> None:
    """RT-6, kernel rule 26: T as the calendar has it for each quarter hour, also told a little late."""
    pool.queue("q1", threshold_ms=20_000)
    quarter = 15 * 60_000
    change = (pool.now // quarter + 1) * quarter
    pool.now = change + 50
    pool.tell(TimerElapsed(TimerKind.HOURS, change, queue="q1", open=True, threshold_ms=60_000))
    pool.queued("before", queued_at=change - 1)
    pool.queued("after", queued_at=change)
    assert sorted(pool.board.finalities.values()) == [
        ("q1", change, 20_000),
        ("q1", change + quarter, 60_000),
    ]


def test_a_further_group_may_serve_it_while_it_stays_in_its_queue(pool: Scene) -> None:
    """RT-5 to a group: agents of that team need no membership, but the skills."""
    pool.queue(
        "q1",
        required_skills=(("en", 1),),
        overflows=(
            OverflowRule("more", Trigger.WAIT, 10_000, Action.GROUP, to_team="reserve"),
            OverflowRule("away", Trigger.WAIT, 20_000, Action.QUEUE, "q2"),
        ),
    )
    pool.queued("c1")
    for agent, skills in (("r1", (("en", 1),)), ("r2", ())):
        capacity = seen.Capacity((("chat", 1),))
        pool.agent(seen.JoinedPool(agent, "p1", "reserve", skills, capacity, ("other",), checked_in=True, ready=True))
    events = pool.step("c1")
    assert names(events) == ["ContactOverflowed", "ContactOffered"]
    assert pairs(events) == [("c1", "r1")]
    pool.decline(only_offer(events).offer_id, "r1")
    assert due(pool, "c1").rule == "away"


@pytest.mark.parametrize(("waiting", "blocked"), [(1, False), (2, True), (3, True)])
def test_a_full_queue_refuses(pool: Scene, waiting: int, blocked: bool) -> None:
    """RT-5 max_length: blocked at threshold, not at threshold - 1."""
    for n in range(waiting):
        pool.queued(f"w{n}")
    pool.queue("q1", max_length=2)
    left = [event for event in pool.queued("c1") if isinstance(event, ContactDequeued)]
    assert [event.outcome for event in left] == ([Outcome.BLOCKED] if blocked else [])


@pytest.mark.parametrize(("waits", "over"), [(59_999, False), (60_000, True), (60_001, True)])
def test_a_contact_waits_no_longer_than_it_may(pool: Scene, waits: int, over: bool) -> None:
    """RT-5 max_wait: timed out, and told to the ingress as an end."""
    pool.queue("q1", max_wait_ms=60_000)
    pool.queued("c1")
    events = elapses(pool.later(waits), "c1")
    assert names(events) == (["ContactOverflowed", "ContactDequeued"] if over else [])
    if over:
        assert (events[0].action, events[0].rule) == (Action.END, "max_wait")  # type: ignore[union-attr]
        assert one(events, ContactDequeued).outcome is Outcome.TIMED_OUT


@pytest.mark.parametrize(
    ("action", "outcome"),
    [
        (Action.QUEUE, Outcome.FLOWED_OUT),
        (Action.VOICEMAIL, Outcome.FLOWED_OUT),
        (Action.CALLBACK, Outcome.CALLBACK),
        (Action.END, Outcome.TIMED_OUT),
    ],
)
def test_the_outcome_says_how_it_left(pool: Scene, action: Action, outcome: Outcome) -> None:
    pool.queue("q1", overflows=(rule(Trigger.WAIT, 1_000, action, to_queue="q2" if action is Action.QUEUE else ""),))
    pool.queued("c1")
    assert one(pool.step("c1"), ContactDequeued).outcome is outcome


def test_where_it_first_queued_stays_known_on_its_way(pool: Scene) -> None:
    """RT-5: the origin is attributable over two overflows, in this pool and from another (kernel rule 21)."""
    away = OverflowRule("on", Trigger.WAIT, 1_000, Action.QUEUE, "q2")
    pool.queue("q1", overflows=(away,))
    pool.queue("q2", overflows=(OverflowRule("on", Trigger.WAIT, 1_000, Action.QUEUE, "q3"),))
    pool.queued("c1")
    pool.step("c1")
    second = one(pool.queued("c1", "q2", leg=2), ContactWaiting)
    went = one(pool.step("c1"), ContactOverflowed)
    third = one(pool.queued("c1", "q3", leg=3), ContactWaiting)
    assert [second.origin_queue, went.origin_queue, third.origin_queue] == ["q1", "q1", "q1"]
    pool.tell(OverflowObserved("t1/pool-p2", 7, "c2", "far", "q1"))
    assert one(pool.queued("c2", "q1", leg=2), ContactWaiting).origin_queue == "far"
    assert one(pool.queued("c3", "q1", leg=2), ContactWaiting).origin_queue == ""
    assert pool.board.origins == {}, "whoever has come is expected no longer"


def test_queues_that_overflow_into_each_other_pass_a_contact_on_only_so_often(pool: Scene) -> None:
    pool.queue("q1", overflows=(OverflowRule("on", Trigger.WAIT, 1_000, Action.QUEUE, "q2"),))
    pool.queued("c1", leg=49)
    assert timer_of(pool.board.contacts["c1"]) is not None
    pool.queued("c2", leg=50)
    assert timer_of(pool.board.contacts["c2"]) is None
