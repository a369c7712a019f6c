"""How a fact changes the board. ``at`` is when it was recorded, in epoch milliseconds."""

from __future__ import annotations

from typing import assert_never

from routing.domain import observed as seen
from routing.domain.announcing import learn_wait, learn_work
from routing.domain.events import (
    AgentObserved,
    AgentReleased,
    CapacityReleased,
    ContactAssigned,
    ContactDequeued,
    ContactObserved,
    ContactOffered,
    ContactOverflowed,
    ContactPulled,
    ContactWaiting,
    Event,
    OfferAccepted,
    OfferDeclined,
    OfferExpired,
    OfferWithdrawn,
    OverflowObserved,
    PriorityRaised,
    SkillsRelaxed,
    SurgeEnded,
    SurgeStarted,
    SurgeStepTaken,
    TargetReached,
    TimerElapsed,
    TimerKind,
)
from routing.domain.evolve_pool import about_the_pool, remember
from routing.domain.evolve_surge import evolve_surge
from routing.domain.evolve_waiting import overflow_observed, passed, waiting
from routing.domain.members import Agent, Contact, Phase, Ring, Work, leg_key
from routing.domain.policies.round_robin import round_robin_1
from routing.domain.state import Board

WITHOUT_EFFECT = seen.WorkEnded | seen.WrapUpEnded | seen.Irrelevant  # CapacityReleased follows where it has one


def evolve(board: Board, event: Event, at: int) -> Board:
    """``board`` itself, changed."""
    match event:
        case ContactObserved():
            _contact_observed(board, event)
        case AgentObserved():
            _agent_observed(board, event, at)
        case ContactWaiting():
            waiting(board, event)
        case ContactOffered():
            _offered(board, event, at)
        case OfferAccepted(command_id=command_id):
            remember(board, command_id)
        case OfferDeclined(command_id=command_id):
            remember(board, command_id)
            _let_go(board, event)
        case OfferExpired(agent=agent, not_ready=not_ready):
            board.agents[agent].ready &= not not_ready
            _let_go(board, event)
        case OfferWithdrawn(offer_id):
            _wait_again(board, offer_id)
        case ContactAssigned():
            _assigned(board, event, at)
        case ContactDequeued():
            learn_wait(board, board.contacts[event.contact], event)
            _gone(board, board.contacts.pop(event.contact))
        case CapacityReleased():
            _released(board, event, at)
        case SkillsRelaxed() | TargetReached() | PriorityRaised() | ContactOverflowed() | ContactPulled():
            passed(board, event)
        case OverflowObserved():
            overflow_observed(board, event)
        case AgentReleased(agent):
            _forgive(board, board.agents[agent])
            board.lines.forget(board.agents[agent])
            del board.agents[agent]
        case SurgeStarted() | SurgeStepTaken() | SurgeEnded() | TimerElapsed(kind=TimerKind.SURGE):
            evolve_surge(board, event, at)
        case _:
            about_the_pool(board, event)
    return board


def _contact_observed(board: Board, event: ContactObserved) -> None:
    board.last_seen = (event.source, event.version)
    contact = board.contacts.get(event.source.removeprefix(board.stream("contact", "")))
    if contact:
        contact.version = event.version


def _offered(board: Board, event: ContactOffered, at: int) -> None:
    contact, agent = board.contacts[event.contact], board.agents[event.agent]
    board.lines.stop_waiting(contact)
    board.waiting[contact.queue] -= contact.phase is Phase.WAITING
    contact.phase, contact.attempts = Phase.OFFERED, event.attempt
    contact.rings[event.offer_id] = Ring(event.offer_id, event.agent, event.team, at, event.expires_at)
    board.offers[event.offer_id] = event.contact
    board.rings(contact)
    agent.offers[event.offer_id] = event.channel
    _count_turns(board, event, agent)
    board.lines.update(agent)


def _count_turns(board: Board, event: ContactOffered, agent: Agent) -> None:
    """Rotation counts its own offers; a queue's share a contact once, however often it is offered."""
    if event.policy.partition("+")[0] == round_robin_1.name:
        board.turns += 1
        agent.turn = board.turns
    if board.weighted and event.attempt == 1:
        board.take_share(board.share_of(event.queue))


def _let_go(board: Board, event: OfferDeclined | OfferExpired) -> None:
    contact = board.contacts[event.contact]
    board.agents[event.agent].declined[event.contact] = None
    contact.declined_by[event.agent] = None
    if contact.demand.agent == event.agent:  # it was kept for this agent, who does not want it
        contact.demand = contact.demand._replace(agent="")
    _wait_again(board, event.offer_id)


def _wait_again(board: Board, offer_id: str) -> None:
    """The offer is over; with the last one the contact waits again, at the head: it has had an attempt."""
    contact = board.contacts[board.offers.pop(offer_id)]
    agent = board.agents[contact.rings.pop(offer_id).agent]
    del agent.offers[offer_id]
    board.lines.update(agent)
    if not contact.rings:
        contact.phase = Phase.WAITING
        board.rings(contact)
        board.waiting[contact.queue] += 1
        board.wait(contact)


def _assigned(board: Board, event: ContactAssigned, at: int) -> None:
    agent, contact = board.agents[event.agent], board.contacts[event.contact]
    del board.offers[event.offer_id]
    del agent.offers[event.offer_id]
    agent.work[leg_key(event.contact, event.leg)] = Work(event.contact, event.leg, event.queue, event.channel)
    agent.idle_since = at
    contact.phase, contact.assigned_at = Phase.ASSIGNED, event.accepted_at
    ring = contact.rings[event.offer_id]
    contact.rings = {ring.offer_id: Ring(ring.offer_id, ring.agent, ring.team, ring.offered_at, expires_at=0)}
    board.rings(contact)
    board.lines.update(agent)


def _gone(board: Board, contact: Contact) -> None:
    board.lines.stop_waiting(contact)
    board.waiting[contact.queue] -= contact.phase is Phase.WAITING
    board.conditional.pop(contact.id, None)
    board.ringing.pop(contact.id, None)
    for agent in contact.declined_by:
        del board.agents[agent].declined[contact.id]


def _forgive(board: Board, agent: Agent) -> None:
    """What the agent let go may be offered to it again."""
    for contact in agent.declined:
        del board.contacts[contact].declined_by[agent.id]
    agent.declined = {}


def _released(board: Board, event: CapacityReleased, at: int) -> None:
    agent = board.agents[event.agent]
    del agent.work[leg_key(event.contact, event.leg)]
    learn_work(board, event.queue, at - agent.idle_since)
    agent.idle_since = at
    board.lines.update(agent)


def _agent_observed(board: Board, event: AgentObserved, at: int) -> None:
    """Only joining makes an agent known: late facts of one that was released must not bring it back (rule 24)."""
    fact = event.fact
    if isinstance(fact, seen.JoinedPool) and fact.pool == board.pool:
        _joined(board, fact, at)
    agent = board.agents.get(event.source.removeprefix(board.stream("agent", "")))
    if agent is None:
        return
    agent.version = event.version
    if isinstance(fact, seen.AgentReady):
        _forgive(board, agent)
    if _change(agent, fact, at):
        board.lines.requalify(agent)
    elif not isinstance(fact, WITHOUT_EFFECT):
        board.lines.update(agent)


def _joined(board: Board, fact: seen.JoinedPool, at: int) -> None:
    agent = board.agents.setdefault(fact.agent, Agent(fact.agent, idle_since=at))
    agent.team, agent.skills, agent.capacity = fact.team, dict(fact.skills), fact.capacity
    agent.queues, agent.leaving, agent.to_pool = fact.queues, False, ""
    agent.checked_in, agent.ready = fact.checked_in, fact.ready
    agent.rank, agent.ranks, agent.attributes = fact.rank, dict(fact.ranks), fact.attributes


def _change(agent: Agent, fact: seen.AgentFact, at: int) -> bool:
    """Apply ``fact``; true when it may change which lines the agent serves."""
    match fact:
        case seen.JoinedPool():
            return True
        case seen.SkillsAssigned(skills=skills):
            agent.skills = dict(skills)
            return True
        case seen.AgentRegistered():
            agent.queues, agent.rank = fact.queues, fact.rank
            agent.ranks, agent.attributes = dict(fact.ranks), fact.attributes
            return True
        case seen.TeamAssigned(team=team):
            agent.team = team
            return True
        case seen.CapacitySet(capacity=capacity):
            agent.capacity = capacity
        case seen.WrapUpStarted(contact=contact, leg=leg):
            if work := agent.work.get(leg_key(contact, leg)):
                work.wrap_up = True
        case seen.WorkEnded() | seen.WrapUpEnded() | seen.Irrelevant():
            pass
        case _:
            _change_presence(agent, fact, at)
    return False


def _change_presence(
    agent: Agent,
    fact: seen.AgentCheckedIn | seen.AgentReady | seen.AgentNotReady | seen.AgentCheckedOut | seen.PoolLeaveRequested,
    at: int,
) -> None:
    match fact:
        case seen.AgentCheckedIn():
            agent.checked_in = True
        case seen.AgentReady():
            agent.idle_since = agent.idle_since if agent.ready else at
            agent.ready = True
        case seen.AgentNotReady():
            agent.ready = False
        case seen.AgentCheckedOut():
            agent.checked_in = agent.ready = False
        case seen.PoolLeaveRequested(to=to):
            agent.leaving, agent.to_pool = True, to
        case _:
            assert_never(fact)
