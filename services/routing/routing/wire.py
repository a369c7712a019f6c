"""Facts of a pool to protobuf and back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from functools import cache
from typing import Any, cast

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from contactcenter.agent.v1 import events_pb2 as agent_pb
from contactcenter.contact.v1.types_pb2 import SkillRequirement
from contactcenter.routing.v1 import config_pb2 as config_pb
from contactcenter.routing.v1 import events_pb2 as pb
from switchlog.envelope import Codec

from .adapters.seen import (
    NOT_CHECKED_IN,
    capacity_of,
    channel_number,
    channel_of,
    number_of,
    read_agent,
    read_contact,
    skills_of,
    word_of,
)
from .domain import events as domain
from .domain.events import Event, Explanation, Queue
from .domain.members import Agent, Contact, Phase, Work, leg_key
from .domain.observed import Skills

SERVICE = "routing"
TOPIC = "routing.events.v1"
TIMESTAMP = "google.protobuf.Timestamp"


# -- own facts: fields of the same name; times, enum words and skills in their proto shape -----------------------------


def write(event: Event) -> Message:
    """The topic's message with its fact set."""
    message = pb.RoutingEvent()
    fact = getattr(message, _fact_of(type(event).__name__))
    fact.SetInParent()
    special = _WRITERS.get(type(event))
    if special:
        special(fact, event)
    else:
        _fill(fact, event)
    return message


def read(message: Message) -> Event | None:
    """The event; ``None`` for facts that this version does not know."""
    event = cast(pb.RoutingEvent, message)
    kind = event.WhichOneof("fact")
    shape = _SHAPES.get(kind or "")
    if kind is None or shape is None:
        return None
    special = _READERS.get(shape)
    fact = getattr(event, kind)
    return special(fact) if special else cast(Event, shape(**_values(fact, shape)))


CODEC: Codec[Event] = Codec(SERVICE, TOPIC, pb.RoutingEvent, write, read)


@cache
def _fact_of(name: str) -> str:
    """``ContactOffered`` -> ``contact_offered``."""
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")


def _fill(message: Any, event: Any) -> None:
    known = message.DESCRIPTOR.fields_by_name
    for field in fields(event):
        value = getattr(event, field.name)
        if value or value == 0:
            _set(message, known[field.name], value)


def _set(message: Any, field: FieldDescriptor, value: Any) -> None:
    if field.message_type is not None and field.message_type.full_name == TIMESTAMP:
        if value:
            getattr(message, field.name).FromMilliseconds(value)
    elif field.enum_type is not None:
        setattr(message, field.name, number_of(field.enum_type, value))
    elif field.name == "required_skills":
        message.required_skills.extend(_requirements(value))
    else:
        setattr(message, field.name, value)


def _values(message: Any, shape: type[Any]) -> dict[str, Any]:
    known = message.DESCRIPTOR.fields_by_name
    return {field.name: _get(message, known[field.name]) for field in fields(shape)}


def _get(message: Any, field: FieldDescriptor) -> Any:
    value = getattr(message, field.name)
    if field.message_type is not None and field.message_type.full_name == TIMESTAMP:
        return value.ToMilliseconds()
    if field.enum_type is not None:
        return _ENUMS.get(field.enum_type.name, str)(word_of(field.enum_type, value))
    return skills_of(value) if field.name == "required_skills" else value


def _requirements(skills: Skills) -> list[SkillRequirement]:
    return [SkillRequirement(skill=skill, min_level=level) for skill, level in skills]


def _write_observed(fact: Any, event: domain.Observed) -> None:
    fact.source_stream, fact.source_version, fact.inbox_offset = event.source, event.version, event.inbox_offset
    fact.fact.ParseFromString(event.raw)


def _read_contact_observed(fact: pb.ContactObserved) -> Event:
    return domain.ContactObserved(fact.source_stream, fact.source_version, read_contact(fact.fact), fact.inbox_offset)


def _read_agent_observed(fact: pb.AgentObserved) -> Event:
    return domain.AgentObserved(fact.source_stream, fact.source_version, read_agent(fact.fact), fact.inbox_offset)


def _write_offered(fact: pb.ContactOffered, event: domain.ContactOffered) -> None:
    why = event.explanation
    for field in fields(event):
        if field.name != "explanation":
            _set(fact, fact.DESCRIPTOR.fields_by_name[field.name], getattr(event, field.name))
    fact.explanation.considered, fact.explanation.cause_version = why.considered, why.cause_version
    fact.explanation.tie_break, fact.explanation.winner, fact.explanation.score = why.tie_break, why.winner, why.score
    for reason, count in why.refused:
        fact.explanation.refused.add(candidate_class="agent", reason=reason, count=count)


def _read_offered(fact: pb.ContactOffered) -> Event:
    why = fact.explanation
    refused = tuple((one.reason, one.count) for one in why.refused)
    explained = Explanation(why.considered, refused, why.tie_break, why.winner, why.score, why.cause_version)
    known = fact.DESCRIPTOR.fields_by_name
    names = (field.name for field in fields(domain.ContactOffered) if field.name != "explanation")
    return domain.ContactOffered(**{name: _get(fact, known[name]) for name in names}, explanation=explained)


def _write_dequeued(fact: pb.ContactDequeued, event: domain.ContactDequeued) -> None:
    _fill(fact, event)
    fact.waited_ms = event.left_at - event.queued_at


def _write_defined(fact: pb.QueueDefined, event: domain.QueueDefined) -> None:
    fact.command_id = event.command_id
    fact.definition.CopyFrom(definition_of(event.queue))


def _read_defined(fact: pb.QueueDefined) -> Event:
    return domain.QueueDefined(queue_of(fact.definition), fact.command_id)


def _write_carried(fact: pb.PoolCarried, event: domain.PoolCarried) -> None:
    fact.carry_id, fact.piece, fact.generation = event.carry_id, event.piece, event.generation
    fact.policies.add(policy=event.policy)
    fact.queues.extend(definition_of(queue) for queue in event.queues)
    for agent in event.agents:
        _write_agent(fact, agent)
    for contact in event.contacts:
        _write_contact(fact.contacts.add(), contact)
    for queue, end, threshold in event.finalities:
        timer = fact.timers.add(kind=pb.TIMER_KIND_FINALITY, queue=queue, threshold_ms=threshold)
        timer.interval_end.FromMilliseconds(end)
        timer.due_at.FromMilliseconds(end + threshold)
    fact.command_ids.extend(event.commands)


def _read_carried(fact: pb.PoolCarried) -> Event:
    held = (pb.CARRIED_CONTACT_STATE_CONNECTED, pb.CARRIED_CONTACT_STATE_WRAP_UP)
    agents = {one.agent: _read_agent(one) for one in fact.agents}
    for one in fact.contacts:
        if one.state in held:
            wrap_up = one.state == pb.CARRIED_CONTACT_STATE_WRAP_UP
            work = Work(one.contact, one.leg, one.queue, channel_of(one.channel), wrap_up)
            agents[one.agent].work[leg_key(one.contact, one.leg)] = work
    return domain.PoolCarried(
        fact.carry_id,
        fact.piece,
        fact.generation,
        fact.policies[0].policy,
        tuple(queue_of(one) for one in fact.queues),
        tuple(agents.values()),
        tuple(_read_contact(one) for one in fact.contacts if one.state not in held),
        tuple((one.queue, one.interval_end.ToMilliseconds(), one.threshold_ms) for one in fact.timers),
        tuple(fact.command_ids),
    )


def _write_agent(fact: pb.PoolCarried, agent: Agent) -> None:
    """Whom an agent serves now stands among the contacts of the same piece."""
    one = fact.agents.add(agent=agent.id, team=agent.team, leaving=agent.leaving, to_pool=agent.to_pool)
    one.source_version, one.standing.takes_offers = agent.version, agent.checked_in and agent.ready
    one.standing.skills.extend(agent_pb.Skill(skill=s, level=level) for s, level in sorted(agent.skills.items()))
    one.standing.queues.extend(agent.queues)
    one.standing.idle_since.FromMilliseconds(agent.idle_since)
    one.standing.state = _state(agent)
    one.standing.units = agent.capacity.units
    costs = dict(agent.capacity.costs)
    for channel, slots in agent.capacity.slots:
        one.standing.capacities.add(channel=channel_number(channel), slots=slots, cost=costs.get(channel, 0))
    for work in agent.work.values():
        state = pb.CARRIED_CONTACT_STATE_WRAP_UP if work.wrap_up else pb.CARRIED_CONTACT_STATE_CONNECTED
        fact.contacts.add(
            leg=work.leg,
            queue=work.queue,
            contact=work.contact,
            agent=agent.id,
            team=agent.team,
            state=state,
            channel=channel_number(work.channel),
        )


def _state(agent: Agent) -> agent_pb.AgentState.ValueType:
    """``takes_offers`` alone cannot tell ready without being checked in: SIGNED_IN stands for that."""
    if agent.checked_in:
        return agent_pb.AGENT_STATE_READY if agent.ready else agent_pb.AGENT_STATE_NOT_READY
    return agent_pb.AGENT_STATE_SIGNED_IN if agent.ready else agent_pb.AGENT_STATE_SIGNED_OUT


def _read_agent(one: pb.CarriedAgent) -> Agent:
    state = one.standing.state
    return Agent(
        id=one.agent,
        version=one.source_version,
        team=one.team,
        skills={skill.skill: skill.level for skill in one.standing.skills},
        capacity=capacity_of(one.standing),
        queues=tuple(one.standing.queues),
        checked_in=state not in NOT_CHECKED_IN,
        ready=state in (agent_pb.AGENT_STATE_READY, agent_pb.AGENT_STATE_SIGNED_IN),
        leaving=one.leaving,
        to_pool=one.to_pool,
        idle_since=one.standing.idle_since.ToMilliseconds(),
    )


def _write_contact(one: pb.CarriedContact, contact: Contact) -> None:
    one.contact, one.source_version, one.offers = contact.id, contact.version, contact.attempts
    one.state = pb.CarriedContactState.Value(f"CARRIED_CONTACT_STATE_{contact.phase.name}")
    one.required_skills.extend(_requirements(contact.required))
    one.declined_by.extend(sorted(contact.declined_by))
    for name in _CARRIED:
        _set(one, one.DESCRIPTOR.fields_by_name[name], getattr(contact, name))


def _read_contact(one: pb.CarriedContact) -> Contact:
    phase = Phase[pb.CarriedContactState.Name(one.state).removeprefix("CARRIED_CONTACT_STATE_")]
    return Contact(
        id=one.contact,
        version=one.source_version,
        required=skills_of(one.required_skills),
        phase=phase,
        attempts=one.offers,
        declined_by=dict.fromkeys(one.declined_by),
        **{name: _get(one, one.DESCRIPTOR.fields_by_name[name]) for name in _CARRIED},
    )


_CARRIED = (
    *("leg", "queue", "channel", "priority", "credit_ms", "queued_at", "arrived_at", "preferred_agent"),
    *("offer_id", "offered_at", "expires_at", "assigned_at", "agent", "team"),
)
_ENUMS: dict[str, Callable[[str], Any]] = {
    "DequeueOutcome": domain.Outcome,
    "WithdrawReason": domain.Withdrawal,
    "TimerKind": domain.TimerKind,
}
_SHAPES: dict[str, type[Any]] = {_fact_of(shape.__name__): shape for shape in domain.Event.__args__}
_WRITERS: dict[type[Any], Callable[[Any, Any], None]] = {
    domain.ContactObserved: _write_observed,
    domain.AgentObserved: _write_observed,
    domain.ContactOffered: _write_offered,
    domain.ContactDequeued: _write_dequeued,
    domain.QueueDefined: _write_defined,
    domain.PoolCarried: _write_carried,
}
_READERS: dict[type[Any], Callable[[Any], Event]] = {
    domain.ContactObserved: _read_contact_observed,
    domain.AgentObserved: _read_agent_observed,
    domain.ContactOffered: _read_offered,
    domain.QueueDefined: _read_defined,
    domain.PoolCarried: _read_carried,
}


# -- queues ------------------------------------------------------------------------------------------------------------


def definition_of(queue: Queue) -> config_pb.QueueDefinition:
    """The whole definition, also of what decisions do not look at yet."""
    if queue.definition:
        return config_pb.QueueDefinition.FromString(queue.definition)
    return config_pb.QueueDefinition(
        queue=queue.id,
        open=queue.open,
        offer_timeout_ms=queue.offer_timeout_ms,
        service_level_threshold_ms=queue.threshold_ms,
        short_abandon_ms=queue.short_abandon_ms,
        credit_ms=queue.credit_ms,
        required_skills=_requirements(queue.required_skills),
        not_ready_on_no_answer=queue.not_ready_on_no_answer,
    )


def queue_of(definition: config_pb.QueueDefinition) -> Queue:
    defaults = Queue(definition.queue)
    return Queue(
        id=definition.queue,
        open=definition.open,
        offer_timeout_ms=definition.offer_timeout_ms or defaults.offer_timeout_ms,
        threshold_ms=definition.service_level_threshold_ms or defaults.threshold_ms,
        short_abandon_ms=definition.short_abandon_ms,
        credit_ms=definition.credit_ms,
        required_skills=skills_of(definition.required_skills),
        not_ready_on_no_answer=definition.not_ready_on_no_answer,
        definition=definition.SerializeToString(deterministic=True),
    )
