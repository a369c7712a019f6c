"""Facts to protobuf and back, and what this service hears of others."""

from __future__ import annotations

import pytest
from google.protobuf.message import Message as Proto

from contactcenter.bus.v1.envelope_pb2 import EventMeta
from contactcenter.contact.v1 import events_pb2 as pb
from contactcenter.contact.v1.types_pb2 import CHANNEL_CHAT, CHANNEL_VOICE
from contactcenter.routing.v1 import config_pb2
from contactcenter.routing.v1 import events_pb2 as routing_pb
from ingress_chat import wire
from ingress_chat.app.reactions import Assigned, Dequeued, Overflowed
from ingress_chat.domain import events as e
from ingress_chat.domain.decide import CONTACT
from ingress_chat.domain.events import ContactEvent
from ingress_chat.domain.state import Ended, Talking
from switchlog.bus.record import Received
from switchlog.envelope import StreamId

AT = 1_750_000_000_123
LEG = (2, "sales", "front")
SIDE = (*LEG, "ann", "t1")
TEXT = e.Message("m1", e.MessageKind.TEXT, e.SealedText("k", b"nonce", b"sealed"))
EVENTS: list[ContactEvent] = [
    e.ContactStarted("web", "cust-1", "zh-CN", (("plan", "gold"),)),
    e.SystemConnected("message", *LEG),
    e.MessageReceived(TEXT, *SIDE),
    *(e.MessageSent(e.Message("m2", kind, None, "ref-1"), *SIDE) for kind in e.MessageKind),
    e.ContactQueued(
        *LEG, AT, 3, (e.SkillRequirement("billing", 2),), "bob", (("plan", "gold"),), "en", "old", "back", 45_000
    ),
    e.AgentConnected(*SIDE, "o1"),
    *(e.AgentDisconnected(*SIDE, why) for why in e.LegEnd),
    e.CustomerDisconnected(*LEG, e.LegEnd.LOST, "ann", "t1"),
    e.ContactAbandoned(*LEG, True),
    *(e.ContactTransferred(*SIDE, kind, "billing", "back") for kind in e.TransferKind),
    *(e.ContactEnded(why, *SIDE) for why in e.EndReason),
]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_what_is_written_reads_the_same(event: ContactEvent) -> None:
    assert wire.read(wire.CODEC.parse(wire.write(event).SerializeToString(deterministic=True))) == event


def test_every_kind_of_fact_has_an_example() -> None:
    assert {type(event) for event in EVENTS} == set(ContactEvent.__args__)  # type: ignore[attr-defined]


def test_facts_of_calls_and_of_later_versions_are_not_ours() -> None:
    call = pb.ContactEvent(agent_connected=pb.AgentConnected(leg=1, agent="ann", channel=CHANNEL_VOICE))
    left = pb.ContactEvent(agent_disconnected=pb.AgentDisconnected(leg=1, agent="ann", channel=CHANNEL_VOICE))
    later = pb.ContactEvent(survey_answered=pb.SurveyAnswered())
    assert [wire.read(one) for one in (call, left, later, pb.ContactEvent())] == [None] * 4


STRANGE: list[Proto] = [
    pb.ContactStarted(customer_ref="c", entry_point="web"),
    pb.MessageReceived(message_id="m1", kind=99),
    pb.ContactQueued(leg=1, queue="q", pool="p", channel=CHANNEL_CHAT),
    pb.AgentConnected(leg=1, queue="q", pool="p", agent="ann", channel=CHANNEL_CHAT),
    pb.SurveyOffered(),
    pb.ContactTransferred(leg=1, queue="q", agent="ann", kind=99, to_queue="r"),
    pb.AgentDisconnected(leg=1, queue="q", agent="ann", reason="struck_by_lightning", channel=CHANNEL_CHAT),
    pb.CustomerDisconnected(leg=1, reason="beamed_up"),
    pb.ContactEnded(reason=99, leg=1),
    pb.MessageReceived(message_id="m2", kind=pb.MESSAGE_KIND_TEXT),
    pb.AgentConnected(leg=3, queue="q", pool="p", agent="bob", channel=CHANNEL_CHAT),
]


def test_words_of_a_later_version_do_not_keep_a_conversation_from_folding() -> None:
    """PL-4"""
    names = {field.message_type: field.name for field in pb.ContactEvent.DESCRIPTOR.fields}
    found = [wire.read(pb.ContactEvent(**{names[fact.DESCRIPTOR]: fact})) for fact in STRANGE]
    known = [event for event in found if event is not None]
    assert len(known) == len(STRANGE) - 1
    assert isinstance(CONTACT.fold(known[:-2]), Ended)
    assert isinstance(CONTACT.fold(known), Talking)


def received(**fact: Proto) -> Received:
    meta = EventMeta(tenant_id="acme", stream="pool-front", version=3)
    value = routing_pb.RoutingEvent(meta=meta, **fact).SerializeToString()
    stream = StreamId("acme", "pool-front")
    return Received("routing.events.v1", 0, 0, stream.key, stream, 3, "", "e", "routing", value, {})


def test_of_routing_only_assignments_overflows_and_the_ends_of_waits_matter() -> None:
    given = routing_pb.ContactAssigned(contact="c1", leg=2, queue="sales", agent="ann", team="t1", offer_id="o1")
    assert wire.read_routing(received(contact_assigned=given)) == Assigned("c1", 2, "sales", "ann", "t1", "o1")
    queue = config_pb2.OVERFLOW_ACTION_QUEUE
    flown = routing_pb.ContactOverflowed(contact="c1", leg=2, action=queue, to_queue="billing", to_pool="back")
    assert wire.read_routing(received(contact_overflowed=flown)) == Overflowed("c1", 2, "billing", "back")
    letter = routing_pb.ContactOverflowed(contact="c1", leg=2, action=config_pb2.OVERFLOW_ACTION_VOICEMAIL)
    assert wire.read_routing(received(contact_overflowed=letter)) == Overflowed("c1", 2, "", "", "voicemail")
    left = routing_pb.ContactDequeued(contact="c1", leg=2, outcome=routing_pb.DEQUEUE_OUTCOME_TIMED_OUT)
    assert wire.read_routing(received(contact_dequeued=left)) == Dequeued("c1", 2, "timed_out")
    assert wire.read_routing(received(pool_taken=routing_pb.PoolTaken())) is None
