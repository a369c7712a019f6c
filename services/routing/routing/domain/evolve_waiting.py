"""How facts about a waiting contact change the board."""

from __future__ import annotations

from typing import assert_never

from routing.domain.definitions import Action, SurgeAction
from routing.domain.events import (
    ContactOverflowed,
    ContactPulled,
    ContactWaiting,
    OverflowObserved,
    PriorityRaised,
    SkillsRelaxed,
    TargetReached,
)
from routing.domain.evolve_pool import remember
from routing.domain.expressions import given_for
from routing.domain.members import Contact, Demand
from routing.domain.plans import NO_PLAN, plan_of
from routing.domain.state import Board, quarter_end
from routing.domain.surge import Crowd, arrive

ORIGINS_KEPT = 10_000

Passage = SkillsRelaxed | TargetReached | PriorityRaised | ContactOverflowed | ContactPulled


def waiting(board: Board, event: ContactWaiting) -> None:
    """Its plan is frozen here: later definitions concern only those who come later."""
    contact, queue = contact_of(board, event), board.queue(event.queue)
    workflow = board.workflows.get(queue.workflow)
    if queue.rules or workflow or event.preferred_agent_ms:
        contact.plan = plan_of(queue, workflow, board.queue, event.preferred_agent_ms) or NO_PLAN
    board.contacts[contact.id] = contact
    if contact.plan.conditions:
        board.conditional[contact.id] = None
    board.origins.pop(contact.id, None)
    board.waiting[contact.queue] += 1
    board.wait(contact)
    if queue.surge:
        arrive(board.crowds.setdefault(queue.id, Crowd()), event.queued_at, queue.surge.window_ms)
    end = quarter_end(event.queued_at)
    board.finalities.setdefault((event.queue, end), (event.queue, end, board.threshold(event.queue, end)))


def contact_of(board: Board, event: ContactWaiting) -> Contact:
    """As it is to be when it begins to wait, without a plan and not on the board yet."""
    source, version = board.last_seen
    return Contact(
        id=event.contact,
        version=version if source == board.stream("contact", event.contact) else 0,
        leg=event.leg,
        queue=event.queue,
        channel=event.channel,
        priority=event.priority,
        credit_ms=event.credit_ms,
        queued_at=event.queued_at,
        arrived_at=event.arrived_at,
        demand=_first_demand(event, board.queue(event.queue).targeting, _reserves(board, event.queue)),
        preferred_agent=event.preferred_agent,
        own_skills=event.own_skills,
        attributes=event.attributes,
        origin_queue=event.origin_queue,
        estimated_wait_p50_ms=event.estimated_wait_p50_ms,
        estimated_wait_p90_ms=event.estimated_wait_p90_ms,
    )


def _reserves(board: Board, queue: str) -> tuple[str, ...]:
    """Teams that a surge has brought in."""
    rule, crowd = board.queue(queue).surge, board.crowds.get(queue)
    if rule is None or crowd is None:
        return ()
    return tuple(one.to_team for one in rule.steps if one.action is SurgeAction.RESERVE and one.step in crowd.taken)


def _first_demand(event: ContactWaiting, targeting: str, groups: tuple[str, ...]) -> Demand:
    return Demand(
        event.queue,
        event.channel,
        event.required_skills,
        groups,
        expression=targeting,
        given=given_for(targeting, event.attributes),
        agent=event.preferred_agent if event.preferred_agent_ms else "",
    )


def passed(board: Board, event: Passage) -> None:
    """What is asked of the agent, or how urgently, has changed."""
    contact = board.contacts[event.contact]
    demand = contact.demand
    match event:
        case SkillsRelaxed(required_skills=skills):
            demand = demand._replace(skills=skills)
        case TargetReached():
            contact.target, contact.priority = event.target, event.priority
            demand = _aimed(contact, event)
        case PriorityRaised(priority=priority, credit_ms=credit):
            remember(board, event.command_id)
            contact.priority, contact.credit_ms = priority, credit
        case ContactPulled(command_id=command_id):
            remember(board, command_id)
        case ContactOverflowed(action=Action.GROUP, to_team=team):
            demand = demand._replace(groups=(*demand.groups, team))
        case ContactOverflowed():
            remember(board, event.command_id)
            if event.to_pool == board.pool:
                expect(board, contact.id, event.origin_queue)
        case _:
            assert_never(event)
    board.wait_elsewhere(contact, demand)


def _aimed(contact: Contact, event: TargetReached) -> Demand:
    return contact.demand._replace(
        queue=event.to_queue,
        skills=event.required_skills,
        expression=event.expression,
        given=given_for(event.expression, contact.attributes),
        order_by=event.order_by,
    )


def overflow_observed(board: Board, event: OverflowObserved) -> None:
    expect(board, event.contact, event.origin_queue)


def expect(board: Board, contact: str, origin_queue: str) -> None:
    """It will be queued anew: its first queue is remembered until then, as long as there are not too many."""
    board.origins[contact] = origin_queue
    if len(board.origins) > ORIGINS_KEPT:
        del board.origins[next(iter(board.origins))]
