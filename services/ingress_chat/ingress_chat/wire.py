"""Facts of a chat contact to protobuf and back, and the foreign facts this service listens to."""

from __future__ import annotations

from enum import StrEnum
from functools import singledispatch
from typing import TypeVar, cast

from google.protobuf.descriptor import EnumDescriptor
from google.protobuf.message import Message as ProtoMessage

from contactcenter.bus.v1.envelope_pb2 import Sealed
from contactcenter.contact.v1 import events_pb2 as pb
from contactcenter.contact.v1.types_pb2 import CHANNEL_CHAT, CHANNEL_VOICE, Attribute
from contactcenter.contact.v1.types_pb2 import SkillRequirement as SkillRequirementPb
from contactcenter.routing.v1.config_pb2 import (
    OVERFLOW_TRIGGER_CLOSED,
    SURGE_ACTION_CALLBACK_OFFER,
    SURGE_ACTION_MESSAGE,
    OverflowAction,
    QueueConfigRow,
)
from contactcenter.routing.v1.events_pb2 import DequeueOutcome, RoutingEvent
from switchlog.bus.record import Received
from switchlog.envelope import Codec, parse

from .app.ports import QueueRow
from .app.reactions import Assigned, Dequeued, Overflowed
from .app.waits import Estimated, News, Surging, WaitOver
from .domain import events as domain
from .domain.events import ContactEvent, LegEnd, Message, MessageKind, SealedText, SkillRequirement

TOPIC = "contact.events.v1"

Attributes = tuple[tuple[str, str], ...]
W = TypeVar("W", bound=StrEnum)


def write(event: ContactEvent) -> ProtoMessage:
    """The topic's message with its fact set."""
    return _write(event)


def read(message: ProtoMessage) -> ContactEvent | None:
    """The event; ``None`` for facts of calls and for those that a later version added.

    Words that a later version added read as the plainest we know: they must never keep a conversation from folding.
    """
    event = cast(pb.ContactEvent, message)
    match event.WhichOneof("fact"):
        case "contact_started":
            return _read_started(event.contact_started)
        case "system_connected":
            taken = event.system_connected
            return domain.SystemConnected(taken.system, taken.leg, taken.queue, taken.pool)
        case "message_received":
            return _read_received(event.message_received)
        case "message_sent":
            return _read_sent(event.message_sent)
        case "contact_queued":
            return _read_queued(event.contact_queued)
        case "agent_connected":
            return _read_connected(event.agent_connected)
        case "agent_disconnected":
            return _read_disconnected(event.agent_disconnected)
        case "customer_disconnected":
            gone = event.customer_disconnected
            how = _word(LegEnd, gone.reason, LegEnd.UNSPECIFIED)
            return domain.CustomerDisconnected(gone.leg, gone.queue, gone.pool, how, gone.agent, gone.team)
        case "contact_abandoned":
            lost = event.contact_abandoned
            return domain.ContactAbandoned(lost.leg, lost.queue, lost.pool, lost.lost)
        case "contact_transferred":
            return _read_transferred(event.contact_transferred)
        case "contact_ended":
            ended = event.contact_ended
            why = _word(domain.EndReason, _name(pb.EndReason.DESCRIPTOR, ended.reason), domain.EndReason.UNSPECIFIED)
            return domain.ContactEnded(why, ended.leg, ended.queue, ended.pool, ended.agent, ended.team)
        case _:
            return None


CODEC: Codec[ContactEvent] = Codec("ingress_chat", TOPIC, pb.ContactEvent, write, read)


def read_routing(received: Received) -> Assigned | Overflowed | Dequeued | None:
    """What routing decided about a contact, as far as it matters here."""
    event = received.parse(RoutingEvent)
    match event.WhichOneof("fact"):
        case "contact_assigned":
            fact = event.contact_assigned
            return Assigned(fact.contact, fact.leg, fact.queue, fact.agent, fact.team, fact.offer_id)
        case "contact_overflowed":
            flown = event.contact_overflowed
            action = _name(OverflowAction.DESCRIPTOR, flown.action)
            return Overflowed(flown.contact, flown.leg, flown.to_queue, flown.to_pool, action)
        case "contact_dequeued":
            left = event.contact_dequeued
            return Dequeued(left.contact, left.leg, _name(DequeueOutcome.DESCRIPTOR, left.outcome))
        case _:
            return None


def read_wait(received: Received) -> News | None:
    """What routing says of a wait, as far as whoever waits is to see it."""
    event = received.parse(RoutingEvent)
    match event.WhichOneof("fact"):
        case "contact_waiting":
            told = event.contact_waiting
            waits = told.estimated_wait_p50_ms, told.estimated_wait_p90_ms
            return Estimated(told.contact, told.queue, told.position, *waits) if told.position else None
        case "contact_dequeued":
            return WaitOver(event.contact_dequeued.contact)
        case "surge_step_taken":
            step = event.surge_step_taken
            offers = {SURGE_ACTION_MESSAGE: step.message, SURGE_ACTION_CALLBACK_OFFER: "callback"}
            return Surging(step.queue, offers[step.action], step.reversed) if step.action in offers else None
        case _:
            return None


def read_queue(value: bytes) -> QueueRow:
    """A row of routing.config.v1."""
    row = cast(QueueConfigRow, parse(QueueConfigRow, value))
    asked = row.definition
    skills = tuple(SkillRequirement(s.skill, s.min_level) for s in asked.required_skills)
    sent_on = any(rule.trigger == OVERFLOW_TRIGGER_CLOSED for rule in asked.overflows)
    takes = not asked.channels or CHANNEL_CHAT in asked.channels
    newcomers = row.open or sent_on
    return QueueRow(row.tenant_id, row.queue, row.pool, newcomers, row.revision, skills, asked.priority, takes)


def read_kind(value: int) -> MessageKind | None:
    """``None`` for one that is not known here."""
    word = _name(pb.MessageKind.DESCRIPTOR, value)
    return MessageKind(word) if word in set(MessageKind) else None


@singledispatch
def _write(event: ContactEvent) -> pb.ContactEvent:
    raise TypeError(f"no fact for {type(event).__name__}")


@_write.register
def _(event: domain.ContactStarted) -> pb.ContactEvent:
    fact = pb.ContactStarted(
        channel=CHANNEL_CHAT,
        entry_point=event.entry_point,
        customer_ref=event.customer_ref,
        direction=pb.DIRECTION_INBOUND,
        attributes=_attributes(event.attributes),
        locale=event.locale,
    )
    return pb.ContactEvent(contact_started=fact)


@_write.register
def _(event: domain.SystemConnected) -> pb.ContactEvent:
    fact = pb.SystemConnected(leg=event.leg, queue=event.queue, pool=event.pool, system=event.system)
    return pb.ContactEvent(system_connected=fact)


@_write.register
def _(event: domain.MessageReceived) -> pb.ContactEvent:
    fact = pb.MessageReceived(
        leg=event.leg,
        queue=event.queue,
        pool=event.pool,
        agent=event.agent,
        team=event.team,
        message_id=event.message.message_id,
        kind=_kind(event.message.kind),
        body=_sealed(event.message.body),
        attachment_ref=event.message.attachment_ref,
        sender=pb.SENDER_KIND_CUSTOMER,
    )
    return pb.ContactEvent(message_received=fact)


@_write.register
def _(event: domain.MessageSent) -> pb.ContactEvent:
    fact = pb.MessageSent(
        leg=event.leg,
        queue=event.queue,
        pool=event.pool,
        agent=event.agent,
        team=event.team,
        message_id=event.message.message_id,
        kind=_kind(event.message.kind),
        body=_sealed(event.message.body),
        attachment_ref=event.message.attachment_ref,
        sender=pb.SENDER_KIND_AGENT,
        sender_id=event.agent,
    )
    return pb.ContactEvent(message_sent=fact)


@_write.register
def _(event: domain.ContactQueued) -> pb.ContactEvent:
    fact = pb.ContactQueued(
        leg=event.leg,
        queue=event.queue,
        pool=event.pool,
        priority=event.priority,
        required_skills=[SkillRequirementPb(skill=s.skill, min_level=s.min_level) for s in event.required_skills],
        preferred_agent=event.preferred_agent,
        preferred_agent_ms=event.preferred_agent_ms,
        from_queue=event.from_queue,
        from_pool=event.from_pool,
        channel=CHANNEL_CHAT,
        attributes=_attributes(event.attributes),
        locale=event.locale,
    )
    fact.arrived_at.FromMilliseconds(event.arrived_at)
    return pb.ContactEvent(contact_queued=fact)


@_write.register
def _(event: domain.AgentConnected) -> pb.ContactEvent:
    fact = pb.AgentConnected(
        leg=event.leg,
        queue=event.queue,
        pool=event.pool,
        agent=event.agent,
        team=event.team,
        offer_id=event.offer_id,
        channel=CHANNEL_CHAT,
    )
    return pb.ContactEvent(agent_connected=fact)


@_write.register
def _(event: domain.AgentDisconnected) -> pb.ContactEvent:
    fact = pb.AgentDisconnected(
        leg=event.leg,
        queue=event.queue,
        pool=event.pool,
        agent=event.agent,
        team=event.team,
        reason=event.reason.value,
        channel=CHANNEL_CHAT,
    )
    return pb.ContactEvent(agent_disconnected=fact)


@_write.register
def _(event: domain.CustomerDisconnected) -> pb.ContactEvent:
    fact = pb.CustomerDisconnected(
        leg=event.leg,
        queue=event.queue,
        pool=event.pool,
        agent=event.agent,
        team=event.team,
        reason=event.reason.value,
    )
    return pb.ContactEvent(customer_disconnected=fact)


@_write.register
def _(event: domain.ContactAbandoned) -> pb.ContactEvent:
    fact = pb.ContactAbandoned(leg=event.leg, queue=event.queue, pool=event.pool, lost=event.lost)
    return pb.ContactEvent(contact_abandoned=fact)


@_write.register
def _(event: domain.ContactTransferred) -> pb.ContactEvent:
    fact = pb.ContactTransferred(
        leg=event.leg,
        queue=event.queue,
        pool=event.pool,
        agent=event.agent,
        team=event.team,
        kind=pb.TransferKind.Value(f"TRANSFER_KIND_{event.kind.name}"),
        to_queue=event.to_queue,
        to_pool=event.to_pool,
    )
    return pb.ContactEvent(contact_transferred=fact)


@_write.register
def _(event: domain.ContactEnded) -> pb.ContactEvent:
    fact = pb.ContactEnded(
        leg=event.leg,
        queue=event.queue,
        pool=event.pool,
        agent=event.agent,
        team=event.team,
        reason=pb.EndReason.Value(f"END_REASON_{event.reason.name}"),
        channel=CHANNEL_CHAT,
    )
    return pb.ContactEvent(contact_ended=fact)


def _read_started(fact: pb.ContactStarted) -> domain.ContactStarted:
    return domain.ContactStarted(fact.entry_point, fact.customer_ref, fact.locale, _pairs(fact))


def _read_received(fact: pb.MessageReceived) -> domain.MessageReceived:
    return domain.MessageReceived(_message(fact), fact.leg, fact.queue, fact.pool, fact.agent, fact.team)


def _read_sent(fact: pb.MessageSent) -> domain.MessageSent:
    return domain.MessageSent(_message(fact), fact.leg, fact.queue, fact.pool, fact.agent, fact.team)


def _read_queued(fact: pb.ContactQueued) -> domain.ContactQueued:
    return domain.ContactQueued(
        fact.leg,
        fact.queue,
        fact.pool,
        fact.arrived_at.ToMilliseconds(),
        fact.priority,
        tuple(SkillRequirement(s.skill, s.min_level) for s in fact.required_skills),
        fact.preferred_agent,
        _pairs(fact),
        fact.locale,
        fact.from_queue,
        fact.from_pool,
        fact.preferred_agent_ms,
    )


def _read_connected(fact: pb.AgentConnected) -> domain.AgentConnected | None:
    if fact.channel == CHANNEL_VOICE:
        return None
    return domain.AgentConnected(fact.leg, fact.queue, fact.pool, fact.agent, fact.team, fact.offer_id)


def _read_disconnected(fact: pb.AgentDisconnected) -> domain.AgentDisconnected | None:
    if fact.channel == CHANNEL_VOICE:
        return None
    reason = _word(LegEnd, fact.reason, LegEnd.UNSPECIFIED)
    return domain.AgentDisconnected(fact.leg, fact.queue, fact.pool, fact.agent, fact.team, reason)


def _read_transferred(fact: pb.ContactTransferred) -> domain.ContactTransferred:
    kind = _word(domain.TransferKind, _name(pb.TransferKind.DESCRIPTOR, fact.kind), domain.TransferKind.BLIND)
    return domain.ContactTransferred(
        fact.leg, fact.queue, fact.pool, fact.agent, fact.team, kind, fact.to_queue, fact.to_pool
    )


def _message(fact: pb.MessageReceived | pb.MessageSent) -> Message:
    kind = read_kind(fact.kind) or MessageKind.TEXT
    body = SealedText(fact.body.key_id, fact.body.nonce, fact.body.ciphertext) if fact.HasField("body") else None
    return Message(fact.message_id, kind, body, fact.attachment_ref)


def _kind(kind: MessageKind) -> pb.MessageKind.ValueType:
    return pb.MessageKind.Value(f"MESSAGE_KIND_{kind.name}")


def _sealed(text: SealedText | None) -> Sealed | None:
    return None if text is None else Sealed(key_id=text.key_id, nonce=text.nonce, ciphertext=text.ciphertext)


def _attributes(pairs: Attributes) -> list[Attribute]:
    return [Attribute(key=key, value=value) for key, value in pairs]


def _pairs(fact: pb.ContactStarted | pb.ContactQueued) -> Attributes:
    return tuple((one.key, one.value) for one in fact.attributes)


def _name(kind: EnumDescriptor, value: int) -> str:
    """The enum's word without its prefix, in lower case; empty when a later version added it."""
    found = kind.values_by_number.get(value)
    prefix = kind.values_by_number[0].name.removesuffix("UNSPECIFIED")
    return found.name.removeprefix(prefix).lower() if found else ""


def _word(kind: type[W], text: str, otherwise: W) -> W:
    try:
        return kind(text)
    except ValueError:
        return otherwise
