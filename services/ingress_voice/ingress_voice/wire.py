"""Facts of a call to protobuf and back, and the foreign facts this service listens to."""

from __future__ import annotations

from functools import singledispatch
from typing import Any, cast

from google.protobuf.descriptor import EnumDescriptor
from google.protobuf.message import Message

from contactcenter.contact.v1 import events_pb2 as pb
from contactcenter.contact.v1.types_pb2 import CHANNEL_VOICE
from contactcenter.contact.v1.types_pb2 import SkillRequirement as SkillRequirementPb
from contactcenter.routing.v1.config_pb2 import OVERFLOW_TRIGGER_CLOSED, OverflowAction, QueueConfigRow
from contactcenter.routing.v1.events_pb2 import DequeueOutcome, RoutingEvent
from switchlog.bus.record import Received
from switchlog.envelope import Codec, parse

from .app.ports import QueueRow
from .app.reactions import Assigned, Dequeued, Overflowed
from .domain import events as domain
from .domain.events import CallEvent, LegEnd, SkillRequirement

TOPIC = "contact.events.v1"


def write(event: CallEvent) -> Message:
    """The topic's message with its fact set."""
    return _write(event)


def read(message: Message) -> CallEvent | None:
    """The event; ``None`` for facts that calls do not have and for those that a later version added.

    Words that a later version added read as unspecified: they must never keep a call from folding.
    """
    event = cast(pb.ContactEvent, message)
    match event.WhichOneof("fact"):
        case "contact_started":
            start = event.contact_started
            return domain.ContactStarted(start.entry_point, start.customer_ref, start.called, start.trunk)
        case "trunk_seized":
            return domain.TrunkSeized(event.trunk_seized.trunk, event.trunk_seized.line)
        case "system_connected":
            taken = event.system_connected
            return domain.SystemConnected(taken.system, taken.leg, taken.queue, taken.pool)
        case "contact_queued":
            return _read_queued(event.contact_queued)
        case "agent_connected":
            fact = event.agent_connected
            return domain.AgentConnected(fact.leg, fact.queue, fact.pool, fact.agent, fact.team, fact.offer_id)
        case "contact_held":
            return domain.ContactHeld(*_leg(event.contact_held))
        case "contact_resumed":
            return domain.ContactResumed(*_leg(event.contact_resumed))
        case "agent_disconnected":
            left = event.agent_disconnected
            return domain.AgentDisconnected(*_leg(left), reason=_leg_end(left.reason))
        case "customer_disconnected":
            gone = event.customer_disconnected
            return domain.CustomerDisconnected(*_leg(gone), reason=_leg_end(gone.reason))
        case "contact_abandoned":
            lost = event.contact_abandoned
            return domain.ContactAbandoned(lost.leg, lost.queue, lost.pool)
        case "trunk_released":
            free = event.trunk_released
            return domain.TrunkReleased(free.trunk, free.line, free.leg, free.queue, free.pool)
        case "contact_ended":
            ended = event.contact_ended
            return domain.ContactEnded(_end_reason(ended.reason), *_leg(ended))
        case _:
            return None


CODEC: Codec[CallEvent] = Codec("ingress_voice", TOPIC, pb.ContactEvent, write, read)


def read_routing(received: Received) -> Assigned | Overflowed | Dequeued | None:
    """What routing decided about a contact, as far as it matters here."""
    event = received.parse(RoutingEvent)
    match event.WhichOneof("fact"):
        case "contact_assigned":
            fact = event.contact_assigned
            return Assigned(fact.contact, fact.leg, fact.agent, fact.team, fact.offer_id)
        case "contact_overflowed":
            flown = event.contact_overflowed
            action = _word(OverflowAction.DESCRIPTOR, flown.action)
            return Overflowed(flown.contact, flown.leg, flown.to_queue, flown.to_pool, action)
        case "contact_dequeued":
            left = event.contact_dequeued
            return Dequeued(left.contact, left.leg, _word(DequeueOutcome.DESCRIPTOR, left.outcome))
        case _:
            return None


def read_queue(value: bytes) -> QueueRow:
    """A row of routing.config.v1."""
    row = cast(QueueConfigRow, parse(QueueConfigRow, value))
    asked = row.definition
    skills = tuple(SkillRequirement(s.skill, s.min_level) for s in asked.required_skills)
    sent_on = any(rule.trigger == OVERFLOW_TRIGGER_CLOSED for rule in asked.overflows)
    takes = not asked.channels or CHANNEL_VOICE in asked.channels
    newcomers = row.open or sent_on
    return QueueRow(row.tenant_id, row.queue, row.pool, newcomers, row.revision, skills, asked.priority, takes)


@singledispatch
def _write(event: CallEvent) -> pb.ContactEvent:
    raise TypeError(f"no fact for {type(event).__name__}")


@_write.register
def _(event: domain.ContactStarted) -> pb.ContactEvent:
    fact = pb.ContactStarted(
        channel=CHANNEL_VOICE,
        entry_point=event.entry_point,
        customer_ref=event.customer_ref,
        direction=pb.DIRECTION_INBOUND,
        called=event.called,
        trunk=event.trunk,
    )
    return pb.ContactEvent(contact_started=fact)


@_write.register
def _(event: domain.TrunkSeized) -> pb.ContactEvent:
    return pb.ContactEvent(trunk_seized=pb.TrunkSeized(trunk=event.trunk, line=event.line))


@_write.register
def _(event: domain.SystemConnected) -> pb.ContactEvent:
    fact = pb.SystemConnected(leg=event.leg, queue=event.queue, pool=event.pool, system=event.system)
    return pb.ContactEvent(system_connected=fact)


@_write.register
def _(event: domain.ContactQueued) -> pb.ContactEvent:
    fact = pb.ContactQueued(
        leg=event.leg,
        queue=event.queue,
        pool=event.pool,
        priority=event.priority,
        required_skills=[SkillRequirementPb(skill=s.skill, min_level=s.min_level) for s in event.required_skills],
        from_queue=event.from_queue,
        from_pool=event.from_pool,
        preferred_agent=event.preferred_agent,
        preferred_agent_ms=event.preferred_agent_ms,
        channel=CHANNEL_VOICE,
    )
    fact.arrived_at.FromMilliseconds(event.arrived_at)
    return pb.ContactEvent(contact_queued=fact)


@_write.register
def _(event: domain.AgentConnected) -> pb.ContactEvent:
    fact = pb.AgentConnected(**_side(event), offer_id=event.offer_id, channel=CHANNEL_VOICE)
    return pb.ContactEvent(agent_connected=fact)


@_write.register
def _(event: domain.ContactHeld) -> pb.ContactEvent:
    return pb.ContactEvent(contact_held=pb.ContactHeld(**_side(event)))


@_write.register
def _(event: domain.ContactResumed) -> pb.ContactEvent:
    return pb.ContactEvent(contact_resumed=pb.ContactResumed(**_side(event)))


@_write.register
def _(event: domain.AgentDisconnected) -> pb.ContactEvent:
    fact = pb.AgentDisconnected(**_side(event), reason=event.reason.value, channel=CHANNEL_VOICE)
    return pb.ContactEvent(agent_disconnected=fact)


@_write.register
def _(event: domain.CustomerDisconnected) -> pb.ContactEvent:
    fact = pb.CustomerDisconnected(**_side(event), reason=event.reason.value)
    return pb.ContactEvent(customer_disconnected=fact)


@_write.register
def _(event: domain.ContactAbandoned) -> pb.ContactEvent:
    fact = pb.ContactAbandoned(leg=event.leg, queue=event.queue, pool=event.pool)
    return pb.ContactEvent(contact_abandoned=fact)


@_write.register
def _(event: domain.TrunkReleased) -> pb.ContactEvent:
    fact = pb.TrunkReleased(leg=event.leg, queue=event.queue, pool=event.pool, trunk=event.trunk, line=event.line)
    return pb.ContactEvent(trunk_released=fact)


@_write.register
def _(event: domain.ContactEnded) -> pb.ContactEvent:
    reason = pb.EndReason.Value(f"END_REASON_{event.reason.name}")
    return pb.ContactEvent(contact_ended=pb.ContactEnded(**_side(event), reason=reason, channel=CHANNEL_VOICE))


def _side(event: Any) -> dict[str, Any]:
    """What every fact of a leg carries."""
    return {"leg": event.leg, "queue": event.queue, "pool": event.pool, "agent": event.agent, "team": event.team}


def _leg(fact: Any) -> tuple[int, str, str, str, str]:
    return fact.leg, fact.queue, fact.pool, fact.agent, fact.team


def _leg_end(word: str) -> LegEnd:
    return LegEnd(word) if word in set(LegEnd) else LegEnd.UNSPECIFIED


def _word(kind: EnumDescriptor, value: int) -> str:
    """The enum's word without its prefix, in lower case; empty when a later version added it."""
    found = kind.values_by_number.get(value)
    prefix = kind.values_by_number[0].name.removesuffix("UNSPECIFIED")
    return found.name.removeprefix(prefix).lower() if found else ""


def _end_reason(value: int) -> domain.EndReason:
    word = _word(pb.EndReason.DESCRIPTOR, value)
    return domain.EndReason(word) if word in set(domain.EndReason) else domain.EndReason.UNSPECIFIED


def _read_queued(fact: pb.ContactQueued) -> domain.ContactQueued:
    return domain.ContactQueued(
        fact.leg,
        fact.queue,
        fact.pool,
        fact.arrived_at.ToMilliseconds(),
        fact.priority,
        tuple(SkillRequirement(s.skill, s.min_level) for s in fact.required_skills),
        fact.from_queue,
        fact.from_pool,
        fact.preferred_agent,
        fact.preferred_agent_ms,
    )
