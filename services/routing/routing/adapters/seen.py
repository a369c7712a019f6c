"""Contacts' and agents' facts as far as a decision may rest on them, in the words of a pool."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import cast

from google.protobuf.descriptor import EnumDescriptor

from contactcenter.agent.v1 import events_pb2 as agent_pb
from contactcenter.contact.v1 import events_pb2 as contact_pb
from contactcenter.contact.v1.types_pb2 import Attribute, Channel, SkillRequirement

from ..domain import observed as seen
from ..domain.observed import Attributes, Capacity, Ranks, Skills

NOT_CHECKED_IN = frozenset(
    {agent_pb.AGENT_STATE_UNSPECIFIED, agent_pb.AGENT_STATE_SIGNED_OUT, agent_pb.AGENT_STATE_SIGNED_IN}
)


@cache
def _prefix(enum: EnumDescriptor) -> str:
    return enum.values_by_number[0].name.removesuffix("UNSPECIFIED")


def word_of(enum: EnumDescriptor, number: int) -> str:
    """The lower-case word without its prefix, as JSON has it."""
    return enum.values_by_number[number].name.removeprefix(_prefix(enum)).lower()


def number_of(enum: EnumDescriptor, word: str) -> int:
    return enum.values_by_name[f"{_prefix(enum)}{word.upper()}"].number


def channel_of(number: int) -> str:
    return word_of(Channel.DESCRIPTOR, number)


def channel_number(word: str) -> Channel.ValueType:
    return cast(Channel.ValueType, number_of(Channel.DESCRIPTOR, word))


def skills_of(requirements: Iterable[SkillRequirement]) -> Skills:
    return tuple(sorted((one.skill, max(one.min_level, 1)) for one in requirements))


def capacity_of(standing: agent_pb.AgentStanding | agent_pb.CapacitySet) -> Capacity:
    slots = sorted((channel_of(one.channel), one.slots) for one in standing.capacities)
    costs = sorted((channel_of(one.channel), one.cost) for one in standing.capacities if one.cost)
    yields = sorted(channel_of(one.channel) for one in standing.capacities if one.interruptible)
    return Capacity(tuple(slots), tuple(costs), standing.units, tuple(yields))


def ranks_of(standing: agent_pb.AgentStanding | agent_pb.AgentRegistered) -> Ranks:
    return tuple(sorted((one.queue, one.rank) for one in standing.queue_ranks))


def attributes_of(given: Iterable[Attribute]) -> Attributes:
    return tuple(sorted((one.key, one.value) for one in given))


def read_contact(event: contact_pb.ContactEvent) -> seen.ContactFact:
    """A contact's fact; ``Irrelevant`` when no decision rests on it."""
    contact, at = event.meta.stream.removeprefix("contact-"), event.meta.occurred_at.ToMilliseconds()
    match event.WhichOneof("fact"):
        case "contact_queued":
            return _queued(event.contact_queued, contact, at)
        case "agent_connected":
            return seen.AgentConnected(contact, event.agent_connected.leg, event.agent_connected.agent, at)
        case "contact_abandoned":
            return seen.ContactAbandoned(contact, at, event.contact_abandoned.after_announcement)
        case "contact_ended":
            return seen.ContactEnded(contact, word_of(contact_pb.EndReason.DESCRIPTOR, event.contact_ended.reason), at)
        case other:
            return seen.Irrelevant(other or "")


def _queued(fact: contact_pb.ContactQueued, contact: str, at: int) -> seen.ContactQueued:
    return seen.ContactQueued(
        contact=contact,
        leg=fact.leg,
        queue=fact.queue,
        pool=fact.pool,
        channel=channel_of(fact.channel),
        queued_at=at,
        arrived_at=fact.arrived_at.ToMilliseconds() if fact.HasField("arrived_at") else at,
        priority=fact.priority,
        credit_ms=fact.credit_ms,
        required_skills=skills_of(fact.required_skills),
        preferred_agent=fact.preferred_agent,
        preferred_agent_ms=fact.preferred_agent_ms,
        attributes=tuple(sorted((one.key, one.value) for one in fact.attributes)),
    )


def read_agent(event: agent_pb.AgentEvent) -> seen.AgentFact:
    """An agent's fact; ``Irrelevant`` when no decision rests on it."""
    agent = event.meta.stream.removeprefix("agent-")
    match event.WhichOneof("fact"):
        case "joined_pool":
            return _joined(event.joined_pool, agent)
        case "agent_registered":
            return _registered(event.agent_registered, agent)
        case "pool_leave_requested":
            return seen.PoolLeaveRequested(agent, event.pool_leave_requested.to_pool)
        case "team_assigned":
            return seen.TeamAssigned(agent, event.team_assigned.team)
        case "skills_assigned":
            skills = tuple(sorted((one.skill, one.level) for one in event.skills_assigned.skills))
            return seen.SkillsAssigned(agent, skills)
        case "capacity_set":
            return seen.CapacitySet(agent, capacity_of(event.capacity_set))
        case _:
            return _at_work(event, agent)


def _joined(fact: agent_pb.JoinedPool, agent: str) -> seen.JoinedPool:
    standing = fact.standing
    return seen.JoinedPool(
        agent=agent,
        pool=fact.pool,
        team=fact.team,
        skills=tuple(sorted((one.skill, one.level) for one in standing.skills)),
        capacity=capacity_of(standing),
        queues=tuple(standing.queues),
        checked_in=standing.state not in NOT_CHECKED_IN,
        ready=standing.takes_offers,
        rank=standing.priority,
        ranks=ranks_of(standing),
        attributes=attributes_of(standing.attributes),
    )


def _registered(fact: agent_pb.AgentRegistered, agent: str) -> seen.AgentRegistered:
    attributes = attributes_of(fact.attributes)
    return seen.AgentRegistered(agent, tuple(fact.queues), fact.priority, ranks_of(fact), attributes)


def _at_work(event: agent_pb.AgentEvent, agent: str) -> seen.AgentFact:
    match event.WhichOneof("fact"):
        case "agent_checked_in":
            return seen.AgentCheckedIn(agent)
        case "agent_ready":
            return seen.AgentReady(agent)
        case "agent_not_ready":
            return seen.AgentNotReady(agent, event.agent_not_ready.reason)
        case "agent_checked_out" | "agent_signed_out":
            return seen.AgentCheckedOut(agent)
        case "work_ended" if not event.work_ended.wrap_up_follows:
            return seen.WorkEnded(agent, event.work_ended.contact, event.work_ended.leg)
        case "wrap_up_started":
            return seen.WrapUpStarted(agent, event.wrap_up_started.contact, event.wrap_up_started.leg)
        case "wrap_up_ended":
            return seen.WrapUpEnded(agent, event.wrap_up_ended.contact, event.wrap_up_ended.leg)
        case other:
            return seen.Irrelevant(other or "")


def pools_of(event: contact_pb.ContactEvent | agent_pb.AgentEvent) -> list[str]:
    """The pools that are to see this fact: the one it names, and the one that a queued contact left."""
    fact = getattr(event, event.WhichOneof("fact") or "meta")
    named = [getattr(fact, "pool", "")]
    if isinstance(fact, contact_pb.ContactQueued):
        named.append(fact.from_pool)
    return list(dict.fromkeys(filter(None, named)))
