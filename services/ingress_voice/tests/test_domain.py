"""The rule book of a call, given / when / then."""

from __future__ import annotations

from ingress_voice.domain.commands import (
    AnswerBySystem,
    ConnectAgent,
    HangUpAgent,
    HangUpCaller,
    HoldCall,
    Place,
    QueueCall,
    RequeueCall,
    ResumeCall,
    StartCall,
)
from ingress_voice.domain.decide import CALL
from ingress_voice.domain.events import (
    AgentConnected,
    AgentDisconnected,
    ContactAbandoned,
    ContactEnded,
    ContactHeld,
    ContactQueued,
    ContactResumed,
    ContactStarted,
    CustomerDisconnected,
    EndReason,
    LegEnd,
    SystemConnected,
    TrunkReleased,
    TrunkSeized,
)
from switchlog.testing import DeciderTest

NOW = 1_750_000_000_000
call = DeciderTest(CALL)
started = (ContactStarted("main", "cust-1", "4001", "t1"), TrunkSeized("t1", "c1"))
greeted = (*started, SystemConnected("greeting"))
queued = (*greeted, ContactQueued(1, "sales", "front", NOW))
talking = (*queued, AgentConnected(1, "sales", "front", "ann", "x", "o1"))
left = AgentDisconnected(1, "sales", "front", "ann", "x", LegEnd.AGENT_ENDED)
freed = TrunkReleased("t1", "c1", 1, "sales", "front")


def test_a_call_starts_on_a_line_of_a_trunk() -> None:
    """CH-4"""
    call.given().when(StartCall("main", "cust-1", "4001", "t1", "c1"), NOW).then(*started)
    call.given(*started).when(StartCall("main", "cust-1", "4001", "t1", "c1"), NOW).then()


def test_greeting_and_queue_happen_once() -> None:
    call.given(*started).when(AnswerBySystem("greeting"), NOW).then(SystemConnected("greeting"))
    call.given(*greeted).when(AnswerBySystem("greeting"), NOW).then()
    call.given(*greeted).when(QueueCall(Place("sales", "front")), NOW).then(ContactQueued(1, "sales", "front", NOW))
    call.given(*queued).when(QueueCall(Place("sales", "front")), NOW).then()


def test_overflow_starts_a_new_leg_and_keeps_the_arrival() -> None:
    """RT-5"""
    again = ContactQueued(2, "billing", "back", NOW, from_queue="sales", from_pool="front")
    call.given(*queued).when(RequeueCall(1, Place("billing", "back")), NOW + 9).then(again)


def test_agent_is_connected_when_media_flow() -> None:
    connected = AgentConnected(1, "sales", "front", "ann", "x", "o1")
    call.given(*queued).when(ConnectAgent(1, "ann", "x", "o1"), NOW).then(connected)
    call.given(*talking).when(ConnectAgent(1, "bob", "x", "o2"), NOW).then()


def test_hold_and_resume_are_target_states() -> None:
    """VO-3"""
    side = (1, "sales", "front", "ann", "x")
    call.given(*talking).when(HoldCall("ann"), NOW).then(ContactHeld(*side))
    call.given(*talking, ContactHeld(*side)).when(HoldCall("ann"), NOW).then()
    call.given(*talking, ContactHeld(*side)).when(ResumeCall("ann"), NOW).then(ContactResumed(*side))
    call.given(*talking).when(HoldCall("bob"), NOW).then_rejected("NOT_YOUR_CONTACT")


def test_agent_hangs_up_and_the_caller_stays_on_the_line() -> None:
    """VO-5: talk time stops, trunk time does not."""
    call.given(*talking).when(HangUpAgent("ann"), NOW).then(left)
    call.given(*talking, left).when(HangUpCaller(), NOW).then(
        CustomerDisconnected(1, "sales", "front", "", "", LegEnd.CUSTOMER_ENDED),
        freed,
        ContactEnded(EndReason.AGENT_ENDED, 1, "sales", "front"),
    )


def test_caller_who_hangs_up_while_waiting_has_abandoned() -> None:
    call.given(*queued).when(HangUpCaller(), NOW).then(
        CustomerDisconnected(1, "sales", "front", "", "", LegEnd.CUSTOMER_ENDED),
        ContactAbandoned(1, "sales", "front"),
        freed,
        ContactEnded(EndReason.ABANDONED, 1, "sales", "front"),
    )


def test_nothing_but_a_start_begins_a_call() -> None:
    call.given().when(HangUpCaller(), NOW).then_rejected("CONTACT_NOT_STARTED")
