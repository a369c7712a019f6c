"""What a day begins with: a board's pieces to protobuf and back (kernel rule 19)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, fields
from typing import Any

from contactcenter.agent.v1 import events_pb2 as agent_pb
from contactcenter.contact.v1.types_pb2 import Attribute
from contactcenter.routing.v1 import events_pb2 as pb

from ..domain.estimate import Learned
from ..domain.expressions import given_for
from ..domain.members import Agent, Contact, Demand, Phase, Ring, Work, leg_key
from ..domain.observed import Attributes
from ..domain.plans import NO_PLAN, Aim, Plan, Step, StepKind
from ..domain.pool_facts import Calendar, PoolCarried
from ..domain.surge import MINUTE_MS, QUARTER_MS, Crowd
from .defined import (
    definition_of,
    hours_definition_of,
    hours_of,
    overflow,
    overflow_of,
    pairs,
    parameters,
    queue_of,
    relaxation,
    relaxation_of,
    requirements,
    target,
    target_of,
    workflow_definition_of,
    workflow_of,
)
from .seen import NOT_CHECKED_IN, attributes_of, capacity_of, channel_number, channel_of, ranks_of, skills_of

HELD = (pb.CARRIED_CONTACT_STATE_CONNECTED, pb.CARRIED_CONTACT_STATE_WRAP_UP)
NEVER = -1


def write_piece(fact: pb.PoolCarried, event: PoolCarried) -> None:
    fact.carry_id, fact.piece, fact.generation = event.carry_id, event.piece, event.generation
    fact.policies.add(policy=event.policy, parameters=parameters(event.parameters))
    for queue, policy, given in event.chosen:
        fact.policies.add(queue=queue, policy=policy, parameters=parameters(given))
    fact.queues.extend(map(definition_of, event.queues))
    fact.hours.extend(map(hours_definition_of, event.hours))
    fact.workflows.extend(map(workflow_definition_of, event.workflows))
    for agent in event.agents:
        _write_agent(fact, agent)
    _write_contacts(fact, event.contacts)
    _write_times(fact, event)
    fact.command_ids.extend(event.commands)
    for contact, origin in event.origins:
        fact.origins.add(contact=contact, origin_queue=origin)
    fact.turns, fact.share_clock = event.turns, event.share_clock
    for share, come in event.shares:
        fact.shares.add(**{"queue": share, "pass": come})
    for queue, priority, learned in event.learned:
        fact.learned.add(queue=queue, priority=priority, **asdict(learned))
    for queue, crowd in event.crowds:
        _write_crowd(fact.crowds.add(queue=queue), crowd)


def read_piece(fact: pb.PoolCarried) -> PoolCarried:
    pool, *chosen = fact.policies
    plans = {one.plan: _read_plan(one) for one in fact.plans}
    return PoolCarried(
        carry_id=fact.carry_id,
        piece=fact.piece,
        generation=fact.generation,
        policy=pool.policy,
        parameters=pairs(pool.parameters),
        chosen=tuple((one.queue, one.policy, pairs(one.parameters)) for one in chosen),
        queues=tuple(map(queue_of, fact.queues)),
        hours=tuple(map(hours_of, fact.hours)),
        workflows=tuple(map(workflow_of, fact.workflows)),
        agents=tuple(_read_agents(fact)),
        contacts=tuple(_read_contact(one, plans) for one in fact.contacts if one.state not in HELD),
        finalities=tuple((one.queue, one.interval_end.ToMilliseconds(), one.threshold_ms) for one in fact.timers),
        calendars=tuple((one.queue, _read_calendar(one)) for one in fact.calendars),
        commands=tuple(fact.command_ids),
        origins=tuple((one.contact, one.origin_queue) for one in fact.origins),
        turns=fact.turns,
        shares=tuple((one.queue, getattr(one, "pass")) for one in fact.shares),
        share_clock=fact.share_clock,
        learned=tuple((one.queue, one.priority, _read_learned(one)) for one in fact.learned),
        crowds=tuple((one.queue, _read_crowd(one)) for one in fact.crowds),
    )


def _write_times(fact: pb.PoolCarried, event: PoolCarried) -> None:
    for queue, end, threshold in event.finalities:
        timer = fact.timers.add(kind=pb.TIMER_KIND_FINALITY, queue=queue, threshold_ms=threshold)
        timer.interval_end.FromMilliseconds(end)
        timer.due_at.FromMilliseconds(end + threshold)
    for queue, calendar in event.calendars:
        one = fact.calendars.add(queue=queue, open=calendar.open, threshold_ms=calendar.threshold_ms)
        one.since.FromMilliseconds(calendar.since)
        one.threshold_before_ms = calendar.threshold_before_ms


def _read_calendar(one: pb.CarriedCalendar) -> Calendar:
    return Calendar(one.open, one.threshold_ms, one.since.ToMilliseconds(), one.threshold_before_ms)


def _read_learned(one: pb.CarriedLearned) -> Learned:
    return Learned(**{field.name: getattr(one, field.name) for field in fields(Learned)})


def _write_crowd(one: pb.CarriedCrowd, crowd: Crowd) -> None:
    one.since = crowd.since // QUARTER_MS
    minutes, quarters = sorted(crowd.minutes.items()), sorted(crowd.quarters.items())
    one.minutes.extend(at // MINUTE_MS for at, _ in minutes)
    one.minute_counts.extend(count for _, count in minutes)
    one.quarters.extend(at // QUARTER_MS for at, _ in quarters)
    one.quarter_counts.extend(count for _, count in quarters)
    _set_time(one.started_at, crowd.started_at)
    _set_time(one.calm_since, crowd.calm_since)
    one.taken.extend(crowd.taken)


def _read_crowd(one: pb.CarriedCrowd) -> Crowd:
    return Crowd(
        since=one.since * QUARTER_MS,
        minutes=dict(zip((at * MINUTE_MS for at in one.minutes), one.minute_counts, strict=True)),
        quarters=dict(zip((at * QUARTER_MS for at in one.quarters), one.quarter_counts, strict=True)),
        started_at=one.started_at.ToMilliseconds(),
        calm_since=one.calm_since.ToMilliseconds(),
        taken=tuple(one.taken),
    )


# -- agents ------------------------------------------------------------------------------------------------------------


def _write_agent(fact: pb.PoolCarried, agent: Agent) -> None:
    """Whom an agent serves now stands among the contacts of the same piece."""
    one = fact.agents.add(agent=agent.id, team=agent.team, leaving=agent.leaving, to_pool=agent.to_pool)
    one.source_version, one.standing.takes_offers = agent.version, agent.checked_in and agent.ready
    one.turn, one.standing.priority = agent.turn, agent.rank
    one.standing.skills.extend(agent_pb.Skill(skill=s, level=level) for s, level in sorted(agent.skills.items()))
    one.standing.queues.extend(agent.queues)
    one.standing.idle_since.FromMilliseconds(agent.idle_since)
    one.standing.state = _state(agent)
    one.standing.units = agent.capacity.units
    one.standing.queue_ranks.extend(agent_pb.QueueRank(queue=q, rank=rank) for q, rank in sorted(agent.ranks.items()))
    one.standing.attributes.extend(Attribute(key=key, value=value) for key, value in agent.attributes)
    costs = dict(agent.capacity.costs)
    for channel, slots in agent.capacity.slots:
        capacity = one.standing.capacities.add(channel=channel_number(channel), slots=slots, cost=costs.get(channel, 0))
        capacity.interruptible = channel in agent.capacity.interruptible
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


def _read_agents(fact: pb.PoolCarried) -> Iterable[Agent]:
    agents = {one.agent: _read_agent(one) for one in fact.agents}
    for one in fact.contacts:
        if one.state in HELD:
            wrap_up = one.state == pb.CARRIED_CONTACT_STATE_WRAP_UP
            work = Work(one.contact, one.leg, one.queue, channel_of(one.channel), wrap_up)
            agents[one.agent].work[leg_key(one.contact, one.leg)] = work
    return agents.values()


def _read_agent(one: pb.CarriedAgent) -> Agent:
    state = one.standing.state
    return Agent(
        id=one.agent,
        version=one.source_version,
        team=one.team,
        skills={skill.skill: skill.level for skill in one.standing.skills},
        capacity=capacity_of(one.standing),
        queues=tuple(one.standing.queues),
        rank=one.standing.priority,
        ranks=dict(ranks_of(one.standing)),
        attributes=attributes_of(one.standing.attributes),
        checked_in=state not in NOT_CHECKED_IN,
        ready=state in (agent_pb.AGENT_STATE_READY, agent_pb.AGENT_STATE_SIGNED_IN),
        leaving=one.leaving,
        to_pool=one.to_pool,
        idle_since=one.standing.idle_since.ToMilliseconds(),
        turn=one.turn,
    )


# -- contacts ----------------------------------------------------------------------------------------------------------


def _write_contacts(fact: pb.PoolCarried, contacts: Iterable[Contact]) -> None:
    """Each plan stands once, and contacts name it."""
    plans: dict[Plan, int] = {}
    for contact in contacts:
        one = fact.contacts.add()
        _write_contact(one, contact)
        if contact.plan:
            one.plan = plans.setdefault(contact.plan, len(plans) + 1)
    for plan, number in plans.items():
        _write_plan(fact.plans.add(plan=number), plan)


def _write_contact(one: pb.CarriedContact, contact: Contact) -> None:
    for name in _SAME:
        setattr(one, name, getattr(contact, name))
    one.contact, one.source_version, one.offers = contact.id, contact.version, contact.attempts
    one.state = pb.CarriedContactState.Value(f"CARRIED_CONTACT_STATE_{contact.phase.name}")
    one.channel = channel_number(contact.channel)
    for name in ("queued_at", "arrived_at", "assigned_at"):
        _set_time(getattr(one, name), getattr(contact, name))
    one.declined_by.extend(sorted(contact.declined_by))
    one.own_skills.extend(requirements(contact.own_skills))
    one.attributes.extend(Attribute(key=key, value=value) for key, value in contact.attributes)
    _write_demand(one, contact.demand, contact.queue)
    _write_rings(one, list(contact.rings.values()))


def _write_demand(one: pb.CarriedContact, demand: Demand, queue: str) -> None:
    one.required_skills.extend(requirements(demand.skills))
    one.to_queue = "" if demand.queue == queue else demand.queue
    one.teams.extend(demand.groups)
    one.expression, one.order_by, one.held_for = demand.expression, demand.order_by, demand.agent


def _write_rings(one: pb.CarriedContact, rings: list[Ring]) -> None:
    for ring in rings if len(rings) > 1 else ():
        open_offer = one.open_offers.add(offer_id=ring.offer_id, agent=ring.agent, team=ring.team)
        _set_time(open_offer.offered_at, ring.offered_at)
        _set_time(open_offer.expires_at, ring.expires_at)
    for ring in rings if len(rings) == 1 else ():
        one.offer_id, one.agent, one.team = ring.offer_id, ring.agent, ring.team
        _set_time(one.offered_at, ring.offered_at)
        _set_time(one.expires_at, ring.expires_at)


def _read_contact(one: pb.CarriedContact, plans: dict[int, Plan]) -> Contact:
    phase = Phase[pb.CarriedContactState.Name(one.state).removeprefix("CARRIED_CONTACT_STATE_")]
    attributes = attributes_of(one.attributes)
    return Contact(
        id=one.contact,
        version=one.source_version,
        channel=channel_of(one.channel),
        queued_at=one.queued_at.ToMilliseconds(),
        arrived_at=one.arrived_at.ToMilliseconds(),
        assigned_at=one.assigned_at.ToMilliseconds(),
        demand=_read_demand(one, attributes),
        phase=phase,
        attempts=one.offers,
        rings={ring.offer_id: ring for ring in _read_rings(one)},
        declined_by=dict.fromkeys(one.declined_by),
        own_skills=skills_of(one.own_skills),
        attributes=attributes,
        plan=plans.get(one.plan, NO_PLAN),
        **{name: getattr(one, name) for name in _SAME},
    )


def _read_demand(one: pb.CarriedContact, attributes: Attributes) -> Demand:
    return Demand(
        queue=one.to_queue or one.queue,
        channel=channel_of(one.channel),
        skills=skills_of(one.required_skills),
        groups=tuple(one.teams),
        expression=one.expression,
        given=given_for(one.expression, attributes),
        agent=one.held_for,
        order_by=one.order_by,
    )


def _read_rings(one: pb.CarriedContact) -> Iterable[Ring]:
    for ring in one.open_offers or ([one] if one.offer_id else []):
        times = ring.offered_at.ToMilliseconds(), ring.expires_at.ToMilliseconds()
        yield Ring(ring.offer_id, ring.agent, ring.team, *times)


def _set_time(message: Any, at: int) -> None:
    if at:
        message.FromMilliseconds(at)


_SAME = (
    *("leg", "queue", "priority", "credit_ms", "preferred_agent", "origin_queue"),
    *("steps_done", "target", "estimated_wait_p50_ms", "estimated_wait_p90_ms"),
)


# -- plans -------------------------------------------------------------------------------------------------------------


def _write_plan(one: pb.CarriedPlan, plan: Plan) -> None:
    one.overflows.extend(map(overflow, plan.conditions))
    one.required_skills.extend(requirements(plan.skills))
    for step in plan.steps:
        if step.kind is not StepKind.TARGET:
            _write_step(one.steps.add(kind=_kind(step.kind), after_ms=step.after_ms), step)
    when = {step.number: step.after_ms for step in plan.steps if step.kind is StepKind.TARGET}
    for number, aim in enumerate(plan.aims, 1):
        after = when.get(number, NEVER)
        made = one.steps.add(kind=_kind(StepKind.TARGET), after_ms=after, number=number, target=target(aim.target))
        made.required_skills.extend(requirements(aim.skills))


def _write_step(made: pb.CarriedStep, step: Step) -> None:
    if step.relaxation:
        made.relaxation.CopyFrom(relaxation(step.relaxation))
    if step.rule:
        made.overflow.CopyFrom(overflow(step.rule))


def _read_plan(one: pb.CarriedPlan) -> Plan:
    steps = sorted(filter(None, map(_read_step, one.steps)), key=lambda step: step.order)
    targets = [step for step in one.steps if step.kind == pb.TIMER_KIND_TARGET]
    aims = tuple(Aim(target_of(step.target), skills_of(step.required_skills)) for step in targets)
    return Plan(tuple(steps), aims, tuple(map(overflow_of, one.overflows)), skills_of(one.required_skills))


def _read_step(made: pb.CarriedStep) -> Step | None:
    if made.after_ms == NEVER:
        return None
    kind = StepKind(pb.TimerKind.Name(made.kind).removeprefix("TIMER_KIND_").lower())
    loosened = relaxation_of(made.relaxation) if made.HasField("relaxation") else None
    rule = overflow_of(made.overflow) if made.HasField("overflow") else None
    return Step(made.after_ms, kind, loosened, rule, made.number)


def _kind(kind: StepKind) -> pb.TimerKind.ValueType:
    return pb.TimerKind.Value(f"TIMER_KIND_{kind.name}")
