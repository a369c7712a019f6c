"""Facts to protobuf and back, and the foreign facts as this service hears them."""

from __future__ import annotations

import pytest
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from agent_state import wire
from agent_state.app.foreign import (
    AgentLeftLeg,
    AgentLetGo,
    LegAssigned,
    LegDequeued,
    OfferEnd,
    OfferMade,
    OfferOver,
)
from agent_state.domain import events as e
from agent_state.domain.events import AgentEvent
from contactcenter.agent.v1 import events_pb2 as agent_pb
from contactcenter.bus.v1.envelope_pb2 import EventMeta
from contactcenter.contact.v1 import events_pb2 as contact_pb
from contactcenter.contact.v1.types_pb2 import CHANNEL_CHAT
from contactcenter.routing.v1 import events_pb2 as routing_pb
from switchlog.bus.record import Received
from switchlog.envelope import StreamId

AT = 1_750_000_000_123
STAMP = e.Stamp("ann", "front", "t1", AT)
LEG = e.Leg("c1", 2, "sales", "chat")
CAPACITY = e.Capacity((e.Slots("chat", 4, 20), e.Slots("voice", 1, 100, True)), 100)
SKILLS = (e.Skill("billing", 3), e.Skill("en"))
STANDING = e.Standing(
    SKILLS, CAPACITY, 5, ("sales",), e.Activity.READY, e.Mode.WEB, True, AT, (("sales", 3),), (("site", "x"),)
)
EVENTS: list[AgentEvent] = [
    e.AgentRegistered(
        STAMP, e.Card("Ann 安", 30_000, False, 5, ("sales",), ("zh", "en"), (("sales", 3),), (("site", "x"),))
    ),
    e.TeamAssigned(STAMP, "t0"),
    e.SkillsAssigned(STAMP, SKILLS),
    e.CapacitySet(STAMP, CAPACITY),
    e.JoinedPool(STAMP, STANDING, "back"),
    e.JoinedPool(STAMP, e.Standing((), e.Capacity(), 0, (), e.Activity.SIGNED_OUT, None, False, None)),
    e.PoolLeaveRequested(STAMP, "back"),
    e.AgentSignedIn(STAMP),
    *(e.AgentCheckedIn(STAMP, mode) for mode in e.Mode),
    e.AgentReady(STAMP),
    e.AgentReady(STAMP, e.Forced("lea", "late")),
    e.AgentNotReady(STAMP, "late", forced_by="lea"),
    e.AgentNotReady(STAMP, "break", True, "b1"),
    e.BreakRequested(STAMP, "b1", "coffee", True),
    e.BreakApproved(STAMP, "b1", "lea"),
    e.WorkStarted(STAMP, LEG, "o1", 5_000),
    e.WorkEnded(STAMP, LEG, True),
    e.WrapUpStarted(STAMP, LEG, AT + 30_000),
    *(e.WrapUpEnded(STAMP, LEG, by) for by in e.EndedBy),
    e.AgentCheckedOut(STAMP),
    e.AgentSignedOut(STAMP),
    e.AgentCheckedOut(STAMP, e.Forced("lea", "late")),
    e.AgentSignedOut(STAMP, e.Forced("lea", "late")),
]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_what_is_written_reads_the_same(event: AgentEvent) -> None:
    message = wire.write(event)
    message.meta.recorded_at.FromMilliseconds(AT)  # type: ignore[attr-defined]
    assert wire.read(agent_pb.AgentEvent.FromString(message.SerializeToString())) == event


def test_every_kind_of_fact_has_an_example() -> None:
    assert {type(event) for event in EVENTS} == set(AgentEvent.__args__)  # type: ignore[attr-defined]


def test_a_fact_of_a_later_version_is_skipped() -> None:
    assert wire.read(agent_pb.AgentEvent(help_requested=agent_pb.HelpRequested(agent="ann"))) is None
    assert wire.read(agent_pb.AgentEvent()) is None


def test_channels_of_a_later_version_have_no_word() -> None:
    assert wire.channel_word(9_999) == ""
    assert all(wire.channel_word(wire.channel_number(word)) == word for word in wire.CHANNELS)


def received(message: Message, topic: str, stream: str, version: int = 3) -> Received:
    message.meta.MergeFrom(EventMeta(tenant_id="acme", stream=stream, version=version))  # type: ignore[attr-defined]
    message.meta.recorded_at.FromMilliseconds(AT)  # type: ignore[attr-defined]
    kind = getattr(message, message.WhichOneof("fact")).DESCRIPTOR.full_name
    value = message.SerializeToString()
    return Received(topic, 0, 0, f"acme/{stream}", StreamId("acme", stream), version, kind, "e1", "routing", value, {})


def routing(**fact: Message) -> Received:
    return received(routing_pb.RoutingEvent(**fact), "routing.events.v1", "pool-front")


def ends_at(milliseconds: int) -> Timestamp:
    found = Timestamp()
    found.FromMilliseconds(milliseconds)
    return found


def test_an_offer_is_heard_with_its_times() -> None:
    offered = routing_pb.ContactOffered(
        leg=2,
        queue="sales",
        contact="c1",
        agent="ann",
        offer_id="o1",
        channel=CHANNEL_CHAT,
        expires_at=ends_at(AT + 15_000),
        queued_at=ends_at(AT - 500),
    )
    heard = wire.read_routing(routing(contact_offered=offered))
    assert heard == OfferMade("ann", "o1", LEG, AT, AT + 15_000, AT - 500)


@pytest.mark.parametrize("blames", [True, False])
def test_only_an_expired_offer_blames_the_agent(blames: bool) -> None:
    """RT-2"""
    expired = routing_pb.OfferExpired(agent="ann", offer_id="o1", not_ready=blames)
    assert wire.read_routing(routing(offer_expired=expired)) == OfferOver("ann", "o1", OfferEnd.EXPIRED, blames)
    accepted = routing_pb.OfferAccepted(agent="ann", offer_id="o1")
    assert wire.read_routing(routing(offer_accepted=accepted)) == OfferOver("ann", "o1", OfferEnd.ACCEPTED)


def test_assignment_outcome_and_release_are_heard() -> None:
    given = routing_pb.ContactAssigned(
        leg=2, queue="sales", contact="c1", agent="ann", offer_id="o1", channel=CHANNEL_CHAT
    )
    assert wire.read_routing(routing(contact_assigned=given)) == LegAssigned("ann", LEG, "o1")
    left = routing_pb.ContactDequeued(
        leg=2, queue="sales", contact="c1", channel=CHANNEL_CHAT, outcome=routing_pb.DEQUEUE_OUTCOME_ABANDONED
    )
    assert wire.read_routing(routing(contact_dequeued=left)) == LegDequeued(LEG, answered=False)
    left.outcome = routing_pb.DEQUEUE_OUTCOME_ANSWERED
    assert wire.read_routing(routing(contact_dequeued=left)) == LegDequeued(LEG, answered=True)
    released = routing_pb.AgentReleased(agent="ann", to_pool="back")
    assert wire.read_routing(routing(agent_released=released)) == AgentLetGo("ann", "front")
    assert wire.read_routing(routing(pool_taken=routing_pb.PoolTaken())) is None


def test_of_a_contact_only_the_agents_leaving_matters() -> None:
    left = contact_pb.AgentDisconnected(leg=2, queue="sales", agent="ann", channel=CHANNEL_CHAT)
    event = contact_pb.ContactEvent(agent_disconnected=left)
    assert wire.read_contact(received(event, "contact.events.v1", "contact-c1")) == AgentLeftLeg("ann", LEG)
    other = contact_pb.ContactEvent(contact_ended=contact_pb.ContactEnded())
    assert wire.read_contact(received(other, "contact.events.v1", "contact-c1")) is None
