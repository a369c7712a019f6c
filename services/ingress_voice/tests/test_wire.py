"""Facts of a call to protobuf and back, and what this service hears of routing."""

from __future__ import annotations

import pytest
from google.protobuf.message import Message

from contactcenter.bus.v1.envelope_pb2 import EventMeta
from contactcenter.contact.v1 import events_pb2 as pb
from contactcenter.routing.v1 import events_pb2 as routing_pb
from contactcenter.routing.v1.config_pb2 import OVERFLOW_ACTION_QUEUE, OVERFLOW_ACTION_VOICEMAIL
from ingress_voice import wire
from ingress_voice.app.reactions import Assigned, Dequeued, Overflowed
from ingress_voice.domain import events as e
from ingress_voice.domain.decide import CALL
from ingress_voice.domain.events import CallEvent
from ingress_voice.domain.state import Ended
from switchlog.bus.record import Received
from switchlog.envelope import StreamId

LEG = (2, "sales", "front")
SIDE = (*LEG, "ann", "t1")
EVENTS: list[CallEvent] = [
    e.ContactStarted("hotline", "cust-1", "4001", "trunk-1"),
    e.TrunkSeized("trunk-1", "line-1"),
    e.SystemConnected("greeting"),
    e.ContactQueued(*LEG, 1_750_000_000_123, 3, (e.SkillRequirement("en", 2),), "old", "back"),
    e.AgentConnected(*SIDE, "o1"),
    e.ContactHeld(*SIDE),
    e.ContactResumed(*SIDE),
    *(e.AgentDisconnected(*SIDE, why) for why in e.LegEnd),
    e.CustomerDisconnected(*SIDE, e.LegEnd.LOST),
    e.ContactAbandoned(*LEG),
    e.TrunkReleased("trunk-1", "line-1", *LEG),
    *(e.ContactEnded(why, *SIDE) for why in e.EndReason),
]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_what_is_written_reads_the_same(event: CallEvent) -> None:
    assert wire.read(wire.CODEC.parse(wire.write(event).SerializeToString(deterministic=True))) == event


def test_every_kind_of_fact_has_an_example() -> None:
    assert {type(event) for event in EVENTS} == set(CallEvent.__args__)  # type: ignore[attr-defined]


def test_words_of_a_later_version_do_not_keep_a_call_from_folding() -> None:
    """PL-4"""
    strange = [
        pb.ContactEvent(contact_started=pb.ContactStarted(customer_ref="c", trunk="t")),
        pb.ContactEvent(contact_queued=pb.ContactQueued(leg=1, queue="q", pool="p")),
        pb.ContactEvent(survey_offered=pb.SurveyOffered()),
        pb.ContactEvent(agent_disconnected=pb.AgentDisconnected(leg=1, agent="a", reason="struck_by_lightning")),
        pb.ContactEvent(contact_held=pb.ContactHeld(leg=1)),
        pb.ContactEvent(customer_disconnected=pb.CustomerDisconnected(leg=1, reason="beamed_up")),
        pb.ContactEvent(contact_ended=pb.ContactEnded(reason=99)),
        pb.ContactEvent(trunk_released=pb.TrunkReleased(trunk="t")),
    ]
    known = [event for one in strange if (event := wire.read(one)) is not None]
    assert len(known) == len(strange) - 1
    assert isinstance(CALL.fold(known), Ended)


def received(**fact: Message) -> Received:
    meta = EventMeta(tenant_id="acme", stream="pool-front", version=3)
    value = routing_pb.RoutingEvent(meta=meta, **fact).SerializeToString()
    stream = StreamId("acme", "pool-front")
    return Received("routing.events.v1", 0, 0, stream.key, stream, 3, "", "e", "routing", value, {})


def test_of_routing_only_assignments_overflows_and_the_ends_of_waits_matter() -> None:
    given = routing_pb.ContactAssigned(contact="c1", leg=2, agent="ann", team="t1", offer_id="o1")
    assert wire.read_routing(received(contact_assigned=given)) == Assigned("c1", 2, "ann", "t1", "o1")
    flown = routing_pb.ContactOverflowed(
        contact="c1", leg=2, action=OVERFLOW_ACTION_QUEUE, to_queue="billing", to_pool="back"
    )
    assert wire.read_routing(received(contact_overflowed=flown)) == Overflowed("c1", 2, "billing", "back")
    letter = routing_pb.ContactOverflowed(contact="c1", leg=2, action=OVERFLOW_ACTION_VOICEMAIL)
    assert wire.read_routing(received(contact_overflowed=letter)) == Overflowed("c1", 2, "", "", "voicemail")
    left = routing_pb.ContactDequeued(contact="c1", leg=2, outcome=routing_pb.DEQUEUE_OUTCOME_TIMED_OUT)
    assert wire.read_routing(received(contact_dequeued=left)) == Dequeued("c1", 2, "timed_out")
    assert wire.read_routing(received(pool_taken=routing_pb.PoolTaken())) is None
