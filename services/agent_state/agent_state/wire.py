"""Facts of an agent to protobuf and back, and the foreign facts this service listens to."""

from __future__ import annotations

from collections.abc import Callable
from functools import singledispatch
from typing import Any, cast

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from contactcenter.agent.v1 import events_pb2 as pb
from contactcenter.contact.v1.events_pb2 import ContactEvent
from contactcenter.contact.v1.types_pb2 import Attribute, Channel
from contactcenter.routing.v1.events_pb2 import DEQUEUE_OUTCOME_ANSWERED, RoutingEvent
from switchlog.bus.record import Received
from switchlog.envelope import Codec

from .app.foreign import (
    AgentLeftLeg,
    AgentLetGo,
    LegAssigned,
    LegDequeued,
    OfferEnd,
    OfferMade,
    OfferOver,
    RoutingFact,
)
from .domain import events as domain
from .domain.events import (
    Activity,
    AgentEvent,
    Capacity,
    Card,
    EndedBy,
    Forced,
    Leg,
    Mode,
    Skill,
    Slots,
    Stamp,
    Standing,
)

TOPIC = "agent.events.v1"
CHANNELS = frozenset(name.removeprefix("CHANNEL_").lower() for name in Channel.keys()) - {"unspecified"}  # noqa: SIM118

_LEFT = "contactcenter.contact.v1.AgentDisconnected"
_ENDS = {
    "offer_accepted": OfferEnd.ACCEPTED,
    "offer_declined": OfferEnd.DECLINED,
    "offer_expired": OfferEnd.EXPIRED,
    "offer_withdrawn": OfferEnd.WITHDRAWN,
}


# -- own facts ---------------------------------------------------------------------------------------------------------


def write(event: AgentEvent) -> Message:
    """The topic's message with its fact set."""
    return _write(event)


def read(message: Message) -> AgentEvent | None:
    """The event; ``None`` for facts that this version does not know."""
    event = cast(pb.AgentEvent, message)
    kind = event.WhichOneof("fact")
    read_fact = _READERS.get(kind or "")
    if kind is None or read_fact is None:
        return None
    fact = getattr(event, kind)
    return read_fact(Stamp(fact.agent, fact.pool, fact.team, _ms(event.meta.recorded_at)), fact)


CODEC: Codec[AgentEvent] = Codec("agent_state", TOPIC, pb.AgentEvent, write, read)


def read_own(received: Received) -> AgentEvent | None:
    """A record of this service's topic."""
    return read(received.parse(pb.AgentEvent))


# -- foreign facts -----------------------------------------------------------------------------------------------------


def read_routing(received: Received) -> RoutingFact | None:
    """What a pool decided, as far as it concerns agents."""
    event = received.parse(RoutingEvent)
    match event.WhichOneof("fact"):
        case "contact_offered":
            return _offer(event)
        case "offer_accepted" | "offer_declined" | "offer_expired" | "offer_withdrawn" as kind:
            end = getattr(event, kind)
            return OfferOver(end.agent, end.offer_id, _ENDS[kind], kind == "offer_expired" and end.not_ready)
        case "contact_assigned":
            given = event.contact_assigned
            return LegAssigned(given.agent, _leg(given), given.offer_id, given.wrap_up_ms)
        case "contact_dequeued":
            left = event.contact_dequeued
            return LegDequeued(_leg(left), left.outcome == DEQUEUE_OUTCOME_ANSWERED)
        case "agent_released":
            return AgentLetGo(event.agent_released.agent, event.meta.stream.removeprefix("pool-"))
        case _:
            return None


def read_contact(received: Received) -> AgentLeftLeg | None:
    """The end of an agent's part in a contact; nothing else of a contact matters here."""
    if received.type != _LEFT:
        return None
    event = received.parse(ContactEvent)
    left = event.agent_disconnected
    contact = event.meta.stream.removeprefix("contact-")
    return AgentLeftLeg(left.agent, Leg(contact, left.leg, left.queue, channel_word(left.channel)))


def _offer(event: RoutingEvent) -> OfferMade:
    offer = event.contact_offered
    return OfferMade(
        offer.agent,
        offer.offer_id,
        _leg(offer),
        _ms(event.meta.recorded_at),
        _ms(offer.expires_at),
        _ms(offer.queued_at),
        event.meta.traceparent,
    )


# -- writing -----------------------------------------------------------------------------------------------------------


def _who(stamp: Stamp) -> dict[str, Any]:
    """Fields 1 to 3 of every fact."""
    return {"agent": stamp.agent, "pool": stamp.pool, "team": stamp.team}


@singledispatch
def _write(event: AgentEvent) -> pb.AgentEvent:
    raise TypeError(f"no fact for {type(event).__name__}")


@_write.register
def _(event: domain.AgentRegistered) -> pb.AgentEvent:
    card = event.card
    fact = pb.AgentRegistered(
        **_who(event.stamp),
        name=card.name,
        wrap_up_ms=card.wrap_up_ms,
        ready_after_wrap_up=card.auto_ready,
        priority=card.priority,
        queues=card.queues,
        languages=card.languages,
        queue_ranks=_ranks(card.ranks),
        attributes=_attributes(card.attributes),
    )
    return pb.AgentEvent(agent_registered=fact)


@_write.register
def _(event: domain.TeamAssigned) -> pb.AgentEvent:
    return pb.AgentEvent(team_assigned=pb.TeamAssigned(**_who(event.stamp), from_team=event.from_team))


@_write.register
def _(event: domain.SkillsAssigned) -> pb.AgentEvent:
    return pb.AgentEvent(skills_assigned=pb.SkillsAssigned(**_who(event.stamp), skills=_skills(event.skills)))


@_write.register
def _(event: domain.CapacitySet) -> pb.AgentEvent:
    fact = pb.CapacitySet(**_who(event.stamp), capacities=_capacities(event.capacity), units=event.capacity.units)
    return pb.AgentEvent(capacity_set=fact)


@_write.register
def _(event: domain.JoinedPool) -> pb.AgentEvent:
    fact = pb.JoinedPool(**_who(event.stamp), from_pool=event.from_pool, standing=standing_message(event.standing))
    return pb.AgentEvent(joined_pool=fact)


@_write.register
def _(event: domain.PoolLeaveRequested) -> pb.AgentEvent:
    return pb.AgentEvent(pool_leave_requested=pb.PoolLeaveRequested(**_who(event.stamp), to_pool=event.to_pool))


@_write.register
def _(event: domain.AgentSignedIn) -> pb.AgentEvent:
    return pb.AgentEvent(agent_signed_in=pb.AgentSignedIn(**_who(event.stamp)))


@_write.register
def _(event: domain.AgentCheckedIn) -> pb.AgentEvent:
    return pb.AgentEvent(agent_checked_in=pb.AgentCheckedIn(**_who(event.stamp), mode=mode_number(event.mode)))


@_write.register
def _(event: domain.AgentReady) -> pb.AgentEvent:
    fact = pb.AgentReady(**_who(event.stamp), **_forced(event.forced))
    return pb.AgentEvent(agent_ready=fact)


@_write.register
def _(event: domain.AgentNotReady) -> pb.AgentEvent:
    fact = pb.AgentNotReady(
        **_who(event.stamp),
        reason=event.reason,
        planned=event.planned,
        break_id=event.break_id,
        forced_by=event.forced_by,
    )
    return pb.AgentEvent(agent_not_ready=fact)


@_write.register
def _(event: domain.BreakRequested) -> pb.AgentEvent:
    fact = pb.BreakRequested(**_who(event.stamp), break_id=event.break_id, reason=event.reason, planned=event.planned)
    return pb.AgentEvent(break_requested=fact)


@_write.register
def _(event: domain.BreakApproved) -> pb.AgentEvent:
    fact = pb.BreakApproved(**_who(event.stamp), break_id=event.break_id, approved_by=event.approved_by)
    return pb.AgentEvent(break_approved=fact)


@_write.register
def _(event: domain.WorkStarted) -> pb.AgentEvent:
    leg = _leg_fields(event.work)
    fact = pb.WorkStarted(**_who(event.stamp), **leg, offer_id=event.offer_id, wrap_up_ms=event.wrap_up_ms)
    return pb.AgentEvent(work_started=fact)


@_write.register
def _(event: domain.WorkEnded) -> pb.AgentEvent:
    fact = pb.WorkEnded(**_who(event.stamp), **_leg_fields(event.work), wrap_up_follows=event.wrap_up_follows)
    return pb.AgentEvent(work_ended=fact)


@_write.register
def _(event: domain.WrapUpStarted) -> pb.AgentEvent:
    fact = pb.WrapUpStarted(**_who(event.stamp), **_leg_fields(event.work), ends_at=stamp_of(event.ends_at))
    return pb.AgentEvent(wrap_up_started=fact)


@_write.register
def _(event: domain.WrapUpEnded) -> pb.AgentEvent:
    by = pb.WrapUpEndedBy.Value(f"WRAP_UP_ENDED_BY_{event.by.name}")
    return pb.AgentEvent(wrap_up_ended=pb.WrapUpEnded(**_who(event.stamp), **_leg_fields(event.work), by=by))


@_write.register
def _(event: domain.AgentCheckedOut) -> pb.AgentEvent:
    fact = pb.AgentCheckedOut(**_who(event.stamp), **_forced(event.forced))
    return pb.AgentEvent(agent_checked_out=fact)


@_write.register
def _(event: domain.AgentSignedOut) -> pb.AgentEvent:
    fact = pb.AgentSignedOut(**_who(event.stamp), **_forced(event.forced))
    return pb.AgentEvent(agent_signed_out=fact)


def standing_message(standing: Standing) -> pb.AgentStanding:
    """What a pool must know of an agent; also part of what queries answer."""
    return pb.AgentStanding(
        skills=_skills(standing.skills),
        capacities=_capacities(standing.capacity),
        units=standing.capacity.units,
        priority=standing.priority,
        state=pb.AgentState.Value(f"AGENT_STATE_{standing.activity.name}"),
        mode=mode_number(standing.mode),
        takes_offers=standing.takes_offers,
        idle_since=stamp_of(standing.idle_since),
        queues=standing.queues,
        queue_ranks=_ranks(standing.ranks),
        attributes=_attributes(standing.attributes),
    )


def _forced(forced: Forced | None) -> dict[str, Any]:
    return {} if forced is None else {"reason": forced.reason, "forced_by": forced.by}


def _ranks(ranks: tuple[tuple[str, int], ...]) -> list[pb.QueueRank]:
    return [pb.QueueRank(queue=queue, rank=rank) for queue, rank in ranks]


def _attributes(pairs: tuple[tuple[str, str], ...]) -> list[Attribute]:
    return [Attribute(key=key, value=value) for key, value in pairs]


def _skills(skills: tuple[Skill, ...]) -> list[pb.Skill]:
    return [pb.Skill(skill=one.skill, level=one.level) for one in skills]


def _capacities(capacity: Capacity) -> list[pb.ChannelCapacity]:
    found = [
        pb.ChannelCapacity(
            channel=channel_number(one.channel), slots=one.slots, cost=one.cost, interruptible=one.interruptible
        )
        for one in capacity.channels
    ]
    return sorted(found, key=lambda one: one.channel)


def _leg_fields(leg: Leg) -> dict[str, Any]:
    return {"contact": leg.contact, "leg": leg.leg, "queue": leg.queue, "channel": channel_number(leg.channel)}


# -- reading -----------------------------------------------------------------------------------------------------------


def _card(fact: pb.AgentRegistered) -> Card:
    return Card(
        fact.name,
        fact.wrap_up_ms,
        fact.ready_after_wrap_up,
        fact.priority,
        tuple(fact.queues),
        tuple(fact.languages),
        read_ranks(fact.queue_ranks),
        read_attributes(fact.attributes),
    )


def read_ranks(ranks: Any) -> tuple[tuple[str, int], ...]:
    """(queue, rank), sorted by queue."""
    return tuple(sorted((one.queue, one.rank) for one in ranks))


def read_attributes(attributes: Any) -> tuple[tuple[str, str], ...]:
    """(key, value), sorted by key."""
    return tuple(sorted((one.key, one.value) for one in attributes))


def read_skills(skills: Any) -> tuple[Skill, ...]:
    return tuple(Skill(one.skill, one.level) for one in skills)


def read_capacity(message: Any) -> Capacity:
    """From anything with ``capacities`` and ``units``, in the order of the channels' words."""
    slots = [Slots(channel_word(one.channel), one.slots, one.cost, one.interruptible) for one in message.capacities]
    return Capacity(tuple(sorted(slots)), message.units)


def _standing(message: pb.AgentStanding) -> Standing:
    return Standing(
        read_skills(message.skills),
        read_capacity(message),
        message.priority,
        tuple(message.queues),
        Activity(_word(pb.AgentState, "AGENT_STATE_", message.state)),
        mode_word(message.mode),
        message.takes_offers,
        _ms(message.idle_since) if message.HasField("idle_since") else None,
        read_ranks(message.queue_ranks),
        read_attributes(message.attributes),
    )


def _leg(fact: Any) -> Leg:
    return Leg(fact.contact, fact.leg, fact.queue, channel_word(fact.channel))


_READERS: dict[str, Callable[[Stamp, Any], AgentEvent]] = {
    "agent_registered": lambda stamp, fact: domain.AgentRegistered(stamp, _card(fact)),
    "team_assigned": lambda stamp, fact: domain.TeamAssigned(stamp, fact.from_team),
    "skills_assigned": lambda stamp, fact: domain.SkillsAssigned(stamp, read_skills(fact.skills)),
    "capacity_set": lambda stamp, fact: domain.CapacitySet(stamp, read_capacity(fact)),
    "joined_pool": lambda stamp, fact: domain.JoinedPool(stamp, _standing(fact.standing), fact.from_pool),
    "pool_leave_requested": lambda stamp, fact: domain.PoolLeaveRequested(stamp, fact.to_pool),
    "agent_signed_in": lambda stamp, fact: domain.AgentSignedIn(stamp),
    "agent_checked_in": lambda stamp, fact: domain.AgentCheckedIn(stamp, mode_word(fact.mode) or Mode.WEB),
    "agent_ready": lambda stamp, fact: domain.AgentReady(stamp, _read_forced(fact)),
    "agent_not_ready": lambda stamp, fact: domain.AgentNotReady(
        stamp, fact.reason, fact.planned, fact.break_id, fact.forced_by
    ),
    "break_requested": lambda stamp, fact: domain.BreakRequested(stamp, fact.break_id, fact.reason, fact.planned),
    "break_approved": lambda stamp, fact: domain.BreakApproved(stamp, fact.break_id, fact.approved_by),
    "work_started": lambda stamp, fact: domain.WorkStarted(stamp, _leg(fact), fact.offer_id, fact.wrap_up_ms),
    "work_ended": lambda stamp, fact: domain.WorkEnded(stamp, _leg(fact), fact.wrap_up_follows),
    "wrap_up_started": lambda stamp, fact: domain.WrapUpStarted(stamp, _leg(fact), _ms(fact.ends_at)),
    "wrap_up_ended": lambda stamp, fact: domain.WrapUpEnded(stamp, _leg(fact), _ended_by(fact.by)),
    "agent_checked_out": lambda stamp, fact: domain.AgentCheckedOut(stamp, _read_forced(fact)),
    "agent_signed_out": lambda stamp, fact: domain.AgentSignedOut(stamp, _read_forced(fact)),
}


def _read_forced(fact: Any) -> Forced | None:
    return Forced(fact.forced_by, fact.reason) if fact.forced_by else None


def _ended_by(number: int) -> EndedBy:
    return EndedBy(_word(pb.WrapUpEndedBy, "WRAP_UP_ENDED_BY_", number))


# -- words and numbers -------------------------------------------------------------------------------------------------


def channel_word(number: int) -> str:
    """``chat`` for CHANNEL_CHAT; empty when not stated or added by a later version."""
    return "" if number not in Channel.values() or not number else _word(Channel, "CHANNEL_", number)


def channel_number(word: str) -> Channel.ValueType:
    return Channel.Value(f"CHANNEL_{word.upper()}") if word in CHANNELS else Channel.CHANNEL_UNSPECIFIED


def mode_word(number: int) -> Mode | None:
    return Mode(_word(pb.AgentMode, "AGENT_MODE_", number)) if number else None


def mode_number(mode: Mode | None) -> pb.AgentMode.ValueType:
    return pb.AgentMode.Value(f"AGENT_MODE_{mode.name}") if mode else pb.AGENT_MODE_UNSPECIFIED


def stamp_of(milliseconds: int | None) -> Timestamp | None:
    """Epoch milliseconds as a protobuf timestamp."""
    if milliseconds is None:
        return None
    found = Timestamp()
    found.FromMilliseconds(milliseconds)
    return found


def _word(enum: Any, prefix: str, number: int) -> str:
    return str(enum.Name(number)).removeprefix(prefix).lower()


def _ms(timestamp: Timestamp) -> int:
    return timestamp.ToMilliseconds()
