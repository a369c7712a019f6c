"""Facts of a recording to protobuf and back, and the contacts' facts this service listens to."""

from __future__ import annotations

from functools import singledispatch
from typing import cast

from google.protobuf.message import Message

from contactcenter.contact.v1 import events_pb2 as contact_pb
from contactcenter.contact.v1.types_pb2 import CHANNEL_CHAT
from contactcenter.recording.v1 import events_pb2 as pb
from switchlog.bus.record import Received
from switchlog.envelope import Codec

from .app.ports import Line, SealedText
from .app.reactions import LegBegan, LegEnded, Over
from .domain import events as domain
from .domain.events import RecordingEvent

TOPIC = "recording.events.v1"


def write(event: RecordingEvent) -> Message:
    """The topic's message with its fact set."""
    return _write(event)


def read(message: Message) -> RecordingEvent | None:
    """The event; ``None`` for facts that this version does not know."""
    event = cast(pb.RecordingEvent, message)
    match event.WhichOneof("fact"):
        case "recording_started":
            return _read_started(event.recording_started)
        case "recording_stored":
            return _read_stored(event.recording_stored)
        case "recording_played":
            played = event.recording_played
            return domain.RecordingPlayed(played.recording, played.by, played.reason)
        case "hold_placed":
            held = event.hold_placed
            return domain.HoldPlaced(held.recording, held.hold_id, held.by, held.reason)
        case "hold_lifted":
            lifted = event.hold_lifted
            return domain.HoldLifted(lifted.recording, lifted.hold_id, lifted.by)
        case "recording_deleted":
            gone = event.recording_deleted
            return domain.RecordingDeleted(gone.recording, gone.rule, gone.by)
        case _:
            return None


CODEC: Codec[RecordingEvent] = Codec("recording", TOPIC, pb.RecordingEvent, write, read)


def read_contact(received: Received) -> str | Line | LegBegan | LegEnded | Over | None:
    """What matters here of a contact's fact: the customer's reference, a message, or a chat leg's beginning or end."""
    event = received.parse(contact_pb.ContactEvent)
    contact = event.meta.stream.removeprefix("contact-")
    at_ms = event.meta.recorded_at.ToMilliseconds()
    match event.WhichOneof("fact"):
        case "contact_started":
            return event.contact_started.customer_ref
        case "message_received":
            return _line(event.message_received, received.version, at_ms, "customer", "MessageReceived.body")
        case "message_sent":
            return _line(event.message_sent, received.version, at_ms, "agent", "MessageSent.body")
        case "agent_connected" if event.agent_connected.channel == CHANNEL_CHAT:
            began = event.agent_connected
            return LegBegan(contact, began.leg, began.queue, began.pool, began.agent, began.team, at_ms)
        case "agent_disconnected" if event.agent_disconnected.channel == CHANNEL_CHAT:
            return LegEnded(contact, event.agent_disconnected.leg, at_ms)
        case "contact_ended":
            return Over()
        case _:
            return None


@singledispatch
def _write(event: RecordingEvent) -> pb.RecordingEvent:
    raise TypeError(f"no fact for {type(event).__name__}")


@_write.register
def _(event: domain.RecordingStarted) -> pb.RecordingEvent:
    fact = pb.RecordingStarted(
        recording=event.recording,
        contact=event.contact,
        leg=event.leg,
        queue=event.queue,
        pool=event.pool,
        agent=event.agent,
        team=event.team,
        channel=CHANNEL_CHAT,
        media=pb.MEDIA_KIND_TRANSCRIPT,
        customer_ref=event.customer_ref,
    )
    return pb.RecordingEvent(recording_started=fact)


@_write.register
def _(event: domain.RecordingStored) -> pb.RecordingEvent:
    fact = pb.RecordingStored(
        recording=event.recording,
        contact=event.contact,
        leg=event.leg,
        sha256=event.sha256,
        object=event.object,
        bytes=event.size,
        duration_ms=event.duration_ms,
        messages=event.messages,
        key_id=event.key_id,
        nonce=event.nonce,
        media_type="application/json",
        segment=1,
    )
    return pb.RecordingEvent(recording_stored=fact)


@_write.register
def _(event: domain.RecordingPlayed) -> pb.RecordingEvent:
    fact = pb.RecordingPlayed(recording=event.recording, by=event.by, reason=event.reason)
    return pb.RecordingEvent(recording_played=fact)


@_write.register
def _(event: domain.HoldPlaced) -> pb.RecordingEvent:
    fact = pb.HoldPlaced(recording=event.recording, hold_id=event.hold_id, by=event.by, reason=event.reason)
    return pb.RecordingEvent(hold_placed=fact)


@_write.register
def _(event: domain.HoldLifted) -> pb.RecordingEvent:
    fact = pb.HoldLifted(recording=event.recording, hold_id=event.hold_id, by=event.by)
    return pb.RecordingEvent(hold_lifted=fact)


@_write.register
def _(event: domain.RecordingDeleted) -> pb.RecordingEvent:
    fact = pb.RecordingDeleted(recording=event.recording, rule=event.rule, by=event.by)
    return pb.RecordingEvent(recording_deleted=fact)


def _read_started(fact: pb.RecordingStarted) -> domain.RecordingStarted:
    return domain.RecordingStarted(
        fact.recording, fact.contact, fact.leg, fact.queue, fact.pool, fact.agent, fact.team, fact.customer_ref
    )


def _read_stored(fact: pb.RecordingStored) -> domain.RecordingStored:
    return domain.RecordingStored(
        fact.recording,
        fact.contact,
        fact.leg,
        fact.sha256,
        fact.object,
        fact.bytes,
        fact.duration_ms,
        fact.messages,
        fact.key_id,
        fact.nonce,
    )


def _line(
    fact: contact_pb.MessageReceived | contact_pb.MessageSent, version: int, at_ms: int, side: str, field: str
) -> Line:
    body = SealedText(fact.body.key_id, fact.body.nonce, fact.body.ciphertext) if fact.HasField("body") else None
    named = contact_pb.MessageKind.DESCRIPTOR.values_by_number.get(fact.kind)
    kind = named.name.removeprefix("MESSAGE_KIND_").lower() if named else "unspecified"
    sender = fact.agent if side == "agent" else ""
    return Line(version, fact.leg, fact.message_id, side, sender, kind, at_ms, field, body, fact.attachment_ref)
