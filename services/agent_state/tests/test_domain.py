"""The rule book of an agent, given / when / then."""

from __future__ import annotations

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
    AgentCheckedIn,
    AgentCheckedOut,
    AgentNotReady,
    AgentReady,
    AgentRegistered,
    AgentSignedIn,
    AgentSignedOut,
    BreakApproved,
    BreakRequested,
    CapacitySet,
    EndedBy,
    JoinedPool,
    Leg,
    Mode,
    PoolLeaveRequested,
    Skill,
    SkillsAssigned,
    Slots,
    TeamAssigned,
    WorkEnded,
    WorkStarted,
    WrapUpEnded,
    WrapUpStarted,
)
from agent_state.domain.state import Activity, Agent, activity
from switchlog.testing import DeciderTest

NOW = 1_750_000_000_000
PLACE = ("front", "t1")
CHATS = (Slots("chat", 2),)
ANN = RegisterAgent("Ann", "t1", "front", (Skill("billing", 3),), CHATS, wrap_up_ms=30_000)
LEG = Leg("c1", 1, "sales", "chat")
OTHER = Leg("c2", 1, "sales", "chat")

agent = DeciderTest(AGENT)
described = (
    AgentRegistered("Ann", 30_000, True),
    TeamAssigned("t1"),
    SkillsAssigned((Skill("billing", 3),)),
    CapacitySet(CHATS),
    JoinedPool("front"),
)
known = agent.given(*described)
signed_in = known.given(AgentSignedIn(*PLACE))
checked_in = signed_in.given(AgentCheckedIn(Mode.WEB, *PLACE))
ready = checked_in.given(AgentReady(*PLACE))
busy = ready.given(WorkStarted(LEG, *PLACE))
wrapping = busy.given(WrapUpStarted(LEG, NOW + 30_000, *PLACE))


def doing(test: DeciderTest) -> Activity:
    return activity(test.state)


# -- registration (AG-4) ----------------------------------------------------------------------------------------------


def test_an_agent_is_described_by_facts() -> None:
    agent.when(ANN).then(*described)


def test_the_same_description_again_changes_nothing() -> None:
    known.when(ANN).then_nothing()


def test_only_what_differs_becomes_a_fact() -> None:
    changed = RegisterAgent("Ann", "t2", "front", (Skill("billing", 3),), CHATS, wrap_up_ms=30_000)
    known.when(changed).then(TeamAssigned("t2", "front"))


def test_an_id_that_is_taken_is_refused_when_a_new_agent_is_wanted() -> None:
    """AG-4"""
    fresh = RegisterAgent("Bob", "t1", "front", only_new=True)
    known.when(fresh).then_rejected("AGENT_EXISTS")


def test_a_skill_named_twice_is_bad_input() -> None:
    twice = RegisterAgent("Ann", "t1", "front", (Skill("en", 1), Skill("en", 2)))
    agent.when(twice).then_rejected("SKILL_TWICE", invalid=True)


def test_nothing_is_asked_of_an_agent_nobody_registered() -> None:
    agent.when(SignIn()).then_rejected("AGENT_UNKNOWN")


# -- log in, check in, ready (AG-1, AG-3, AG-5) -----------------------------------------------------------------------


def test_the_ladder_is_climbed_rung_by_rung() -> None:
    """AG-1 AG-3"""
    known.when(SignIn()).then(AgentSignedIn(*PLACE))
    signed_in.when(CheckIn(Mode.PHONE)).then(AgentCheckedIn(Mode.PHONE, *PLACE))
    checked_in.when(BeReady()).then(AgentReady(*PLACE))


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
    ready.when(BeNotReady("training", planned=True)).then(AgentNotReady("training", True, *PLACE))


def test_another_reason_is_another_fact() -> None:
    training = ready.given(AgentNotReady("training", True, *PLACE))
    training.when(BeNotReady("training", planned=True)).then_nothing()
    training.when(BeNotReady("meeting")).then(AgentNotReady("meeting", False, *PLACE))


def test_a_break_is_asked_for_and_approved() -> None:
    """AG-5"""
    ready.when(ApproveBreak("lea")).then_rejected("NO_BREAK_REQUESTED")
    ready.when(RequestBreak("coffee")).then(BreakRequested("coffee", False, *PLACE))
    asked = ready.given(BreakRequested("coffee", False, *PLACE))
    asked.when(RequestBreak("coffee")).then_nothing()
    asked.when(ApproveBreak("lea")).then(BreakApproved("lea", *PLACE), AgentNotReady("break", False, *PLACE))


def test_a_missed_offer_makes_a_ready_agent_not_ready() -> None:
    """RT-2"""
    ready.when(MissOffer("o1")).then(AgentNotReady("no_answer", False, *PLACE))
    checked_in.when(MissOffer("o1")).then_nothing()


# -- work and wrap-up (AG-2, CH-2) ------------------------------------------------------------------------------------


def test_work_ends_in_wrap_up_with_a_limit() -> None:
    """AG-2"""
    busy.when(EndWork(LEG), NOW).then(WrapUpStarted(LEG, NOW + 30_000, *PLACE))


def test_wrap_up_ends_by_the_agent_or_by_its_limit() -> None:
    """AG-2"""
    wrapping.when(EndWrapUp("c1", 1)).then(WrapUpEnded(LEG, EndedBy.AGENT, *PLACE))
    wrapping.when(EndWrapUp("c1", 1, EndedBy.TIMEOUT)).then(WrapUpEnded(LEG, EndedBy.TIMEOUT, *PLACE))


def test_a_timer_that_comes_late_changes_nothing() -> None:
    over = wrapping.given(WrapUpEnded(LEG, EndedBy.AGENT, *PLACE))
    over.when(EndWrapUp("c1", 1, EndedBy.TIMEOUT)).then_nothing()


def test_without_wrap_up_the_slot_is_free_at_once() -> None:
    """kernel rule 24"""
    plain = busy.given(AgentRegistered("Ann", 0, True, "front"))
    plain.when(EndWork(LEG)).then(WorkEnded(LEG, *PLACE))


def test_an_agent_who_must_set_ready_again_is_not_ready_before_the_slot_is_free() -> None:
    """AG-2: the pool would offer between the two facts otherwise."""
    manual = wrapping.given(AgentRegistered("Ann", 30_000, False, "front"))
    manual.when(EndWrapUp()).then(AgentNotReady("ready_again", False, *PLACE), WrapUpEnded(LEG, EndedBy.AGENT, *PLACE))


def test_auto_ready_keeps_the_agent_as_it_was() -> None:
    """AG-2"""
    assert doing(wrapping.given(WrapUpEnded(LEG, EndedBy.TIMEOUT, *PLACE))) == Activity.READY
    paused = wrapping.given(AgentNotReady("lunch", True, *PLACE), WrapUpEnded(LEG, EndedBy.TIMEOUT, *PLACE))
    assert doing(paused) == Activity.NOT_READY


def test_each_chat_has_its_own_wrap_up() -> None:
    """CH-2"""
    two = wrapping.given(WorkStarted(OTHER, *PLACE))
    assert doing(two) == Activity.BUSY
    two.when(EndWork(OTHER), NOW).then(WrapUpStarted(OTHER, NOW + 30_000, *PLACE))
    two.when(EndWrapUp()).then(WrapUpEnded(LEG, EndedBy.AGENT, *PLACE))
    two.when(EndWrapUp("c2", 1)).then_rejected("NOT_IN_WRAP_UP")


def test_the_same_assignment_twice_is_one_work() -> None:
    busy.when(StartWork(LEG)).then_nothing()
    busy.given(WorkEnded(LEG, *PLACE)).when(StartWork(LEG)).then_nothing()


def test_the_same_end_twice_is_one_wrap_up() -> None:
    wrapping.when(EndWork(LEG)).then_nothing()
    wrapping.given(WrapUpEnded(LEG, EndedBy.AGENT, *PLACE)).when(EndWork(LEG)).then_nothing()


def test_a_leg_that_ends_before_we_heard_it_began_is_recorded_whole() -> None:
    """Promise P4: contact facts and routing facts come in any order."""
    early = ready.given(WorkStarted(LEG, *PLACE), WrapUpStarted(LEG, NOW + 30_000, *PLACE))
    ready.when(EndWork(LEG), NOW).then(*early.history[-2:])
    early.given(WrapUpEnded(LEG, EndedBy.AGENT, *PLACE)).when(StartWork(LEG)).then_nothing()


def test_nobody_leaves_work_behind() -> None:
    for command in (CheckOut(), SignOut()):
        busy.when(command).then_rejected("WORK_OPEN")
        wrapping.when(command).then_rejected("WORK_OPEN")


def test_signing_out_checks_out_first() -> None:
    ready.when(SignOut()).then(AgentCheckedOut(*PLACE), AgentSignedOut(*PLACE))
    signed_in.when(SignOut()).then(AgentSignedOut(*PLACE))


def test_work_assigned_in_the_moment_of_signing_out_is_not_lost() -> None:
    gone = ready.given(AgentCheckedOut(*PLACE), AgentSignedOut(*PLACE))
    gone.when(StartWork(LEG)).then(WorkStarted(LEG, *PLACE))
    assert doing(gone.given(WorkStarted(LEG, *PLACE))) == Activity.SIGNED_OUT


# -- change of pool (kernel rule 24) ----------------------------------------------------------------------------------

moving = ready.given(PoolLeaveRequested("front", "back"))


def moved(pool: str) -> RegisterAgent:
    return RegisterAgent("Ann", "t1", pool, (Skill("billing", 3),), CHATS, wrap_up_ms=30_000)


def test_another_pool_is_joined_only_when_the_old_one_lets_go() -> None:
    """kernel rule 24"""
    ready.when(moved("back")).then(PoolLeaveRequested("front", "back"))
    moving.when(ReleaseFromPool("front")).then(JoinedPool("back", "front"))


def test_a_release_nobody_waits_for_changes_nothing() -> None:
    ready.when(ReleaseFromPool("front")).then_nothing()
    moving.when(ReleaseFromPool("elsewhere")).then_nothing()
    moving.given(JoinedPool("back", "front")).when(ReleaseFromPool("front")).then_nothing()


def test_the_last_wish_counts() -> None:
    moving.when(moved("back")).then_nothing()
    moving.when(moved("front")).then(PoolLeaveRequested("front", "front"))
    undone = moving.given(PoolLeaveRequested("front", "front"))
    undone.when(ReleaseFromPool("front")).then(JoinedPool("front", "front"))


def test_free_slots_count_work_and_wrap_up() -> None:
    """CH-2"""
    state = wrapping.given(WorkStarted(OTHER, *PLACE)).state
    assert isinstance(state, Agent)
    assert state.free_slots("chat") == 0
    assert state.free_slots("voice") == 0


@pytest.mark.parametrize("command", [SignIn(), BeReady(), BeNotReady("x"), SignOut(), StartWork(LEG), EndWork(LEG)])
def test_deciding_twice_gives_nothing_more(command: AgentCommand) -> None:
    first = ready.when(command, NOW)
    ready.given(*first.events).when(command, NOW).then_nothing()
