"""The rule book of an agent, given / when / then."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agent_state.domain.commands import (
    AgentCommand,
    ApproveBreak,
    BeNotReady,
    BeReady,
    CheckIn,
    CheckOut,
    EndWork,
    EndWrapUp,
    ForcedState,
    ForceState,
    MissOffer,
    RegisterAgent,
    ReleaseFromPool,
    RequestBreak,
    SignIn,
    SignOut,
    StartWork,
)
from agent_state.domain.decide import AGENT
from agent_state.domain.events import (
    Activity,
    AgentCheckedIn,
    AgentCheckedOut,
    AgentNotReady,
    AgentReady,
    AgentRegistered,
    AgentSignedIn,
    AgentSignedOut,
    BreakApproved,
    BreakRequested,
    Capacity,
    CapacitySet,
    Card,
    EndedBy,
    Forced,
    JoinedPool,
    Leg,
    Mode,
    PoolLeaveRequested,
    Skill,
    SkillsAssigned,
    Slots,
    Stamp,
    Standing,
    TeamAssigned,
    WorkEnded,
    WorkStarted,
    WrapUpEnded,
    WrapUpStarted,
)
from agent_state.domain.state import Agent, activity
from switchlog.testing import DeciderTest

NOW = 1_750_000_000_000
STAMP = Stamp("ann", "front", "t1", NOW)
CHATS = Capacity((Slots("chat", 2),))
CARD = Card("Ann", wrap_up_ms=30_000)
ANN = RegisterAgent("ann", CARD, "t1", "front", (Skill("billing", 3),), CHATS)
NEW = Standing((Skill("billing", 3),), CHATS, 0, (), Activity.SIGNED_OUT, None, False, None)
LEG = Leg("c1", 1, "sales", "chat")
OTHER = Leg("c2", 1, "sales", "chat")

agent = DeciderTest(AGENT)
first = replace(STAMP, pool="")
described = (
    AgentRegistered(first, CARD),
    TeamAssigned(first),
    SkillsAssigned(first, (Skill("billing", 3),)),
    CapacitySet(first, CHATS),
    JoinedPool(STAMP, NEW),
)
known = agent.given(*described)
signed_in = known.given(AgentSignedIn(STAMP))
checked_in = signed_in.given(AgentCheckedIn(STAMP, Mode.WEB))
ready = checked_in.given(AgentReady(STAMP))
busy = ready.given(WorkStarted(STAMP, LEG))
wrapping = busy.given(WorkEnded(STAMP, LEG, True), WrapUpStarted(STAMP, LEG, NOW + 30_000))


def doing(test: DeciderTest) -> Activity:
    return activity(test.state)


# -- registration (AG-4) ----------------------------------------------------------------------------------------------


def test_an_agent_is_described_by_facts() -> None:
    agent.when(ANN).then(*described)


def test_the_same_description_again_changes_nothing() -> None:
    known.when(ANN).then_nothing()


def test_only_what_differs_becomes_a_fact() -> None:
    changed = replace(ANN, team="t2")
    known.when(changed).then(TeamAssigned(replace(STAMP, team="t2"), "t1"))


def test_an_id_that_is_taken_is_refused_when_a_new_agent_is_wanted() -> None:
    """AG-4"""
    fresh = replace(ANN, only_new=True)
    known.when(fresh).then_rejected("AGENT_EXISTS")


def test_a_skill_named_twice_is_bad_input() -> None:
    twice = replace(ANN, skills=(Skill("en", 1), Skill("en", 2)))
    agent.when(twice).then_rejected("SKILL_TWICE", invalid=True)


def test_nothing_is_asked_of_an_agent_nobody_registered() -> None:
    agent.when(SignIn()).then_rejected("AGENT_UNKNOWN")


# -- log in, check in, ready (AG-1, AG-3, AG-5) -----------------------------------------------------------------------


def test_the_ladder_is_climbed_rung_by_rung() -> None:
    """AG-1 AG-3"""
    known.when(SignIn()).then(AgentSignedIn(STAMP))
    signed_in.when(CheckIn(Mode.PHONE)).then(AgentCheckedIn(STAMP, Mode.PHONE))
    checked_in.when(BeReady()).then(AgentReady(STAMP))


def test_no_rung_is_skipped() -> None:
    """AG-1"""
    known.when(CheckIn(Mode.WEB)).then_rejected("NOT_SIGNED_IN")
    known.when(BeReady()).then_rejected("NOT_CHECKED_IN")
    signed_in.when(BeReady()).then_rejected("NOT_CHECKED_IN")
    signed_in.when(BeNotReady("lunch")).then_rejected("NOT_CHECKED_IN")


def test_what_is_already_true_is_no_fact() -> None:
    ready.when(SignIn()).then_nothing()
    ready.when(CheckIn(Mode.WEB)).then_nothing()
    ready.when(BeReady()).then_nothing()
    known.when(SignOut()).then_nothing()
    signed_in.when(CheckOut()).then_nothing()


def test_another_mode_needs_a_check_out_first() -> None:
    """AG-3"""
    ready.when(CheckIn(Mode.MOBILE)).then_rejected("CHECKED_IN_OTHERWISE")


def test_not_ready_has_a_reason_and_says_if_it_was_planned() -> None:
    """AG-5"""
    ready.when(BeNotReady("training", planned=True)).then(AgentNotReady(STAMP, "training", True))


def test_another_reason_is_another_fact() -> None:
    training = ready.given(AgentNotReady(STAMP, "training", True))
    training.when(BeNotReady("training", planned=True)).then_nothing()
    training.when(BeNotReady("meeting")).then(AgentNotReady(STAMP, "meeting", False))


def test_a_break_is_asked_for_and_approved() -> None:
    """AG-5"""
    ready.when(ApproveBreak("lea")).then_rejected("NO_BREAK_REQUESTED")
    ready.when(RequestBreak("b1", "coffee")).then(BreakRequested(STAMP, "b1", "coffee"))
    asked = ready.given(BreakRequested(STAMP, "b1", "coffee"))
    asked.when(RequestBreak("b1", "coffee")).then_nothing()
    asked.when(ApproveBreak("lea")).then(BreakApproved(STAMP, "b1", "lea"), AgentNotReady(STAMP, "break", False, "b1"))


def test_a_missed_offer_makes_a_ready_agent_not_ready() -> None:
    """RT-2"""
    ready.when(MissOffer("o1")).then(AgentNotReady(STAMP, "no_answer", False))
    checked_in.when(MissOffer("o1")).then_nothing()


# -- work and wrap-up (AG-2, CH-2) ------------------------------------------------------------------------------------


def test_work_ends_in_wrap_up_with_a_limit() -> None:
    """AG-2"""
    busy.when(EndWork(LEG), NOW).then(*wrapping.history[-2:])


def test_wrap_up_ends_by_the_agent_or_by_its_limit() -> None:
    """AG-2"""
    wrapping.when(EndWrapUp("c1", 1)).then(WrapUpEnded(STAMP, LEG, EndedBy.AGENT))
    wrapping.when(EndWrapUp("c1", 1, EndedBy.TIMEOUT)).then(WrapUpEnded(STAMP, LEG, EndedBy.TIMEOUT))


def test_a_timer_that_comes_late_changes_nothing() -> None:
    over = wrapping.given(WrapUpEnded(STAMP, LEG, EndedBy.AGENT))
    over.when(EndWrapUp("c1", 1, EndedBy.TIMEOUT)).then_nothing()


def test_without_wrap_up_the_slot_is_free_at_once() -> None:
    """kernel rule 24"""
    plain = busy.given(AgentRegistered(STAMP, Card("Ann")))
    plain.when(EndWork(LEG)).then(WorkEnded(STAMP, LEG))


def test_an_agent_who_must_set_wrap_up_is_not_ready_before_the_slot_is_free() -> None:
    """AG-2: the pool would offer between the two facts otherwise."""
    manual = wrapping.given(AgentRegistered(STAMP, replace(CARD, auto_ready=False)))
    manual.when(EndWrapUp()).then(AgentNotReady(STAMP, "wrap_up", False), WrapUpEnded(STAMP, LEG, EndedBy.AGENT))


def test_auto_ready_keeps_the_agent_as_it_was() -> None:
    """AG-2"""
    assert doing(wrapping.given(WrapUpEnded(STAMP, LEG, EndedBy.TIMEOUT))) == Activity.READY
    paused = wrapping.given(AgentNotReady(STAMP, "lunch", True), WrapUpEnded(STAMP, LEG, EndedBy.TIMEOUT))
    assert doing(paused) == Activity.NOT_READY


def test_each_chat_has_its_own_wrap_up() -> None:
    """CH-2"""
    two = wrapping.given(WorkStarted(STAMP, OTHER))
    assert doing(two) == Activity.BUSY
    two.when(EndWork(OTHER), NOW).then(WorkEnded(STAMP, OTHER, True), WrapUpStarted(STAMP, OTHER, NOW + 30_000))
    two.when(EndWrapUp()).then(WrapUpEnded(STAMP, LEG, EndedBy.AGENT))
    two.when(EndWrapUp("c2", 1)).then_rejected("NOT_IN_WRAP_UP")


def test_the_same_assignment_twice_is_one_work() -> None:
    busy.when(StartWork(LEG)).then_nothing()
    busy.given(WorkEnded(STAMP, LEG)).when(StartWork(LEG)).then_nothing()


def test_the_same_end_twice_is_one_wrap_up() -> None:
    wrapping.when(EndWork(LEG)).then_nothing()
    wrapping.given(WrapUpEnded(STAMP, LEG, EndedBy.AGENT)).when(EndWork(LEG)).then_nothing()


def test_a_leg_that_ends_before_we_heard_it_began_is_recorded_whole() -> None:
    """Promise P4: contact facts and routing facts come in any order."""
    whole = (WorkStarted(STAMP, LEG), WorkEnded(STAMP, LEG, True), WrapUpStarted(STAMP, LEG, NOW + 30_000))
    ready.when(EndWork(LEG), NOW).then(*whole)
    early = ready.given(*whole)
    early.when(StartWork(LEG)).then_nothing()
    early.given(WrapUpEnded(STAMP, LEG, EndedBy.AGENT)).when(StartWork(LEG)).then_nothing()


def test_nobody_leaves_work_behind() -> None:
    for command in (CheckOut(), SignOut()):
        busy.when(command).then_rejected("WORK_OPEN")
        wrapping.when(command).then_rejected("WORK_OPEN")


def test_signing_out_checks_out_first() -> None:
    ready.when(SignOut()).then(AgentCheckedOut(STAMP), AgentSignedOut(STAMP))
    signed_in.when(SignOut()).then(AgentSignedOut(STAMP))


def test_work_assigned_in_the_moment_of_signing_out_is_not_lost() -> None:
    gone = ready.given(AgentCheckedOut(STAMP), AgentSignedOut(STAMP))
    gone.when(StartWork(LEG)).then(WorkStarted(STAMP, LEG))
    assert doing(gone.given(WorkStarted(STAMP, LEG))) == Activity.SIGNED_OUT


# -- change of pool (kernel rule 24) ----------------------------------------------------------------------------------

STANDING = replace(NEW, activity=Activity.READY, mode=Mode.WEB, takes_offers=True, idle_since=NOW)
moving = ready.given(PoolLeaveRequested(STAMP, "back"))


def moved(pool: str) -> RegisterAgent:
    return replace(ANN, pool=pool)


def test_another_pool_is_joined_only_when_the_old_one_lets_go() -> None:
    """kernel rule 24"""
    ready.when(moved("back")).then(PoolLeaveRequested(STAMP, "back"))
    moving.when(ReleaseFromPool("front")).then(JoinedPool(replace(STAMP, pool="back"), STANDING, "front"))


def test_a_release_nobody_waits_for_changes_nothing() -> None:
    ready.when(ReleaseFromPool("front")).then_nothing()
    moving.when(ReleaseFromPool("elsewhere")).then_nothing()
    moving.given(JoinedPool(replace(STAMP, pool="back"), STANDING, "front")).when(
        ReleaseFromPool("front")
    ).then_nothing()


def test_the_last_wish_counts() -> None:
    moving.when(moved("back")).then_nothing()
    moving.when(moved("front")).then(PoolLeaveRequested(STAMP, "front"))
    undone = moving.given(PoolLeaveRequested(STAMP, "front"))
    undone.when(ReleaseFromPool("front")).then(JoinedPool(STAMP, STANDING, "front"))


def test_free_slots_count_work_and_wrap_up() -> None:
    """CH-2"""
    state = wrapping.given(WorkStarted(STAMP, OTHER)).state
    assert isinstance(state, Agent)
    assert state.free_slots("chat") == 0
    assert state.free_slots("voice") == 0


@pytest.mark.parametrize("command", [SignIn(), BeReady(), BeNotReady("x"), SignOut(), StartWork(LEG), EndWork(LEG)])
def test_deciding_twice_gives_nothing_more(command: AgentCommand) -> None:
    first = ready.when(command, NOW)
    ready.given(*first.events).when(command, NOW).then_nothing()


def test_capacity_by_cost_limits_what_slots_allow() -> None:
    """CH-2: 100 units, voice 100, chat 20."""
    costly = Capacity((Slots("chat", 9, 20), Slots("voice", 1, 100)), units=100)
    mixed = ready.given(CapacitySet(STAMP, costly))
    assert isinstance(mixed.state, Agent)
    assert (mixed.state.free_slots("chat"), mixed.state.free_slots("voice")) == (5, 1)
    chatting = mixed.given(WorkStarted(STAMP, LEG)).state
    assert isinstance(chatting, Agent)
    assert (chatting.free_slots("chat"), chatting.free_slots("voice")) == (4, 0)


def test_the_time_of_the_present_activity_is_known() -> None:
    later = replace(STAMP, at=NOW + 5)
    state = ready.given(AgentNotReady(later, "lunch"), AgentNotReady(replace(STAMP, at=NOW + 9), "meeting")).state
    assert isinstance(state, Agent)
    assert state.since == NOW + 5


# -- forced by a supervisor (RT-8) -------------------------------------------------------------------------------------

LEA = Forced("lea", "too-long-a-break")


def test_a_supervisor_sets_an_agent_ready_and_the_fact_says_who_and_why() -> None:
    """RT-8"""
    checked_in.when(ForceState(ForcedState.READY, LEA)).then(AgentReady(STAMP, LEA))
    ready.when(ForceState(ForcedState.READY, LEA)).then_nothing()


def test_a_supervisor_sets_an_agent_not_ready_while_work_goes_on() -> None:
    """RT-8"""
    busy.when(ForceState(ForcedState.NOT_READY, LEA)).then(AgentNotReady(STAMP, "too-long-a-break", False, "", "lea"))


def test_a_supervisor_signs_an_agent_out_who_has_no_work() -> None:
    """RT-8"""
    ready.when(ForceState(ForcedState.SIGNED_OUT, LEA)).then(AgentCheckedOut(STAMP, LEA), AgentSignedOut(STAMP, LEA))
    busy.when(ForceState(ForcedState.SIGNED_OUT, LEA)).then_rejected("WORK_OPEN")


def test_nobody_is_forced_to_work_who_is_not_there() -> None:
    """AG-1: only who has checked in can be ready."""
    signed_in.when(ForceState(ForcedState.READY, LEA)).then_rejected("NOT_CHECKED_IN")


# -- a queue's own time for wrap-up (AG-2) -----------------------------------------------------------------------------


def test_the_queues_limit_of_a_wrap_up_counts_before_the_agents_own() -> None:
    """AG-2"""
    given = ready.given(WorkStarted(STAMP, LEG, "o1", 5_000))
    given.when(EndWork(LEG)).then(WorkEnded(STAMP, LEG, True), WrapUpStarted(STAMP, LEG, NOW + 5_000))
    busy.when(EndWork(LEG)).then(WorkEnded(STAMP, LEG, True), WrapUpStarted(STAMP, LEG, NOW + 30_000))


def test_a_started_work_keeps_the_limit_that_its_queue_had_then() -> None:
    """AG-2"""
    ready.when(StartWork(LEG, "o1", 5_000)).then(WorkStarted(STAMP, LEG, "o1", 5_000))
