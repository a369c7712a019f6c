"""What a pool does about what it is told: pure, deterministic, and the only place where a contact meets an agent."""

from __future__ import annotations

from collections.abc import Iterable
from typing import assert_never

from routing.domain import carry
from routing.domain import observed as seen
from routing.domain.announcing import told
from routing.domain.commands import (
    AcceptOffer,
    ChoosePolicy,
    DeclineOffer,
    DefineHours,
    DefineQueue,
    DefineWorkflow,
    Input,
    Order,
    StartDay,
    TakePool,
)
from routing.domain.crowding import surge_elapsed
from routing.domain.defining import define
from routing.domain.definitions import Queue, Trigger
from routing.domain.events import (
    AgentObserved,
    AgentReleased,
    Calendar,
    CapacityReleased,
    CommandRefused,
    ContactObserved,
    ContactWaiting,
    Event,
    OfferDeclined,
    OfferExpired,
    OfferWithdrawn,
    Outcome,
    OverflowObserved,
    PoolTaken,
    TimerElapsed,
    TimerKind,
    Withdrawal,
)
from routing.domain.leaving import dequeue
from routing.domain.matching import Turn, accept, bring_together, terms
from routing.domain.members import Agent, Contact, leg_key, merged
from routing.domain.state import Board
from routing.domain.supervise import supervise
from routing.domain.waiting import condition_met, enter, step_elapsed, unanswered

MAY_STOP_SERVING = (
    seen.AgentCheckedOut
    | seen.PoolLeaveRequested
    | seen.SkillsAssigned
    | seen.TeamAssigned
    | seen.AgentRegistered
    | seen.JoinedPool
)
CUSTOMER_LEFT = frozenset({"abandoned", "customer_ended", "customer_lost"})
OUTCOMES = {"callback": Outcome.CALLBACK, "timed_out": Outcome.TIMED_OUT, "blocked": Outcome.BLOCKED}


def decide(inputs: Iterable[Input], board: Board, now: int) -> list[tuple[Input, list[Event]]]:
    """Each input with the facts it caused, in order, all at the one ``now``; ``board`` is changed on the way."""
    return [(item, decide_one(item, board, now)) for item in inputs]


def decide_one(item: Input, board: Board, now: int) -> list[Event]:
    """The facts that one input causes: itself as observed, then what follows. ``[]`` when it is already true."""
    turn = Turn(board, now)
    match item:
        case ContactObserved():
            _contact(turn, item)
        case AgentObserved():
            _agent(turn, item)
        case TimerElapsed():
            _elapsed(turn, item)
        case OverflowObserved():
            turn.happen(item)
        case TakePool(owner, generation):
            turn.happen(PoolTaken(owner, generation))
        case StartDay(date, carry_id, time_zone):
            turn.happen(*carry.chapter(board, date, carry_id, time_zone))
        case _:
            _order(turn, item)
    return turn.events


def _order(turn: Turn, order: Order) -> None:
    if order.command_id in turn.board.commands:
        return
    if order.expires_at and turn.now > order.expires_at:
        return _refuse(turn, order, "EXPIRED")
    if isinstance(order, AcceptOffer | DeclineOffer):
        _answer(turn, order)
    elif isinstance(order, DefineQueue | DefineHours | DefineWorkflow | ChoosePolicy):
        _refuse_if(turn, order, *define(turn, order))
    else:
        _refuse_if(turn, order, supervise(turn, order))


def _refuse_if(turn: Turn, order: Order, reason: str, detail: str = "") -> None:
    if reason:
        _refuse(turn, order, reason, detail)


def _answer(turn: Turn, order: AcceptOffer | DeclineOffer) -> None:
    contact = turn.board.offered(order.offer_id)
    if contact is None:
        _refuse(turn, order, "OFFER_NOT_OPEN")
        return
    ring = contact.rings[order.offer_id]
    if ring.agent != order.agent:
        _refuse(turn, order, "NOT_YOUR_OFFER")
    elif isinstance(order, AcceptOffer):
        bring_together(turn, agents=accept(turn, contact, ring, order.command_id))
    else:
        turn.happen(OfferDeclined(*terms(contact, ring), command_id=order.command_id, reason=order.reason))
        bring_together(turn, contacts=[contact.id], agents=[order.agent])


def _refuse(turn: Turn, order: Order, reason: str, detail: str = "") -> None:
    offer_id, contact = getattr(order, "offer_id", ""), getattr(order, "contact", "")
    refused = CommandRefused(order.command_id, reason, type(order).__name__, offer_id, contact, order, detail)
    turn.happen(refused)


def _elapsed(turn: Turn, timer: TimerElapsed) -> None:
    """A timer whose reason is gone leaves no trace."""
    if timer.kind is TimerKind.FINALITY:
        if (timer.queue, timer.interval_end) in turn.board.finalities:
            turn.happen(timer)
    elif timer.kind is TimerKind.HOURS:
        _hours(turn, timer)
    elif timer.kind is TimerKind.SURGE:
        surge_elapsed(turn, timer)
    elif timer.contact:
        step_elapsed(turn, timer)
    elif contact := turn.board.offered(timer.offer_id):
        not_ready = turn.board.queue(contact.queue).not_ready_on_no_answer
        ring = contact.rings[timer.offer_id]
        agent = ring.agent
        turn.happen(timer, OfferExpired(*terms(contact, ring), not_ready=not_ready))
        again = [*(_withdraw(turn, turn.board.agents[agent]) if not_ready else []), contact.id]
        unanswered(turn, contact)
        bring_together(turn, contacts=again, agents=[] if not_ready else [agent])


def _hours(turn: Turn, timer: TimerElapsed) -> None:
    """What the calendar says now, if that is news; who waits when it closes overflows by rule, else stays."""
    before = turn.board.calendars.get(timer.queue, Calendar())
    if (before.open, before.threshold_ms) == (timer.open, timer.threshold_ms):
        return
    turn.happen(timer)
    if before.open and not timer.open:
        condition_met(turn, Trigger.CLOSED, timer.queue)


def _contact(turn: Turn, seen_now: ContactObserved) -> None:
    turn.happen(seen_now)
    fact = seen_now.fact
    contact = None if isinstance(fact, seen.Irrelevant) else turn.board.contacts.get(fact.contact)
    match fact:
        case seen.ContactQueued():
            _queued(turn, fact, contact)
        case seen.AgentConnected(leg=leg, at=at):
            if contact and contact.leg == leg:
                dequeue(turn, contact, Outcome.ANSWERED, at)
        case seen.ContactAbandoned(at=at, after_announcement=heard):
            if contact:
                dequeue(turn, contact, _abandoned(turn.board, contact, at), at, after_announcement=heard)
        case seen.ContactEnded(reason=reason, at=at):
            if contact:
                dequeue(turn, contact, _ended(turn.board, contact, reason, at), at)
        case seen.Irrelevant():
            pass
        case _:
            assert_never(fact)


def _queued(turn: Turn, fact: seen.ContactQueued, contact: Contact | None) -> None:
    if contact and contact.leg >= fact.leg:
        return
    if contact:
        dequeue(turn, contact, Outcome.FLOWED_OUT, fact.queued_at, to_queue=fact.queue, moved=True)
    if fact.pool == turn.board.pool:
        turn.happen(told(turn.board, _waiting(turn.board, fact)))
        enter(turn, turn.board.contacts[fact.contact])


def _waiting(board: Board, fact: seen.ContactQueued) -> ContactWaiting:
    """What only rules look at stands there only where there are rules."""
    queue = board.queue(fact.queue)
    planned = queue.rules or queue.workflow in board.workflows
    return ContactWaiting(
        contact=fact.contact,
        leg=fact.leg,
        queue=fact.queue,
        channel=fact.channel,
        priority=fact.priority,
        credit_ms=fact.credit_ms + queue.credit_ms,
        queued_at=fact.queued_at,
        arrived_at=fact.arrived_at,
        required_skills=merged(queue.required_skills, fact.required_skills),
        preferred_agent=fact.preferred_agent,
        preferred_agent_ms=_held_ms(board, queue, fact),
        own_skills=fact.required_skills if planned else (),
        attributes=fact.attributes if planned or queue.targeting else (),
        origin_queue=board.origins.get(fact.contact, ""),
    )


def _held_ms(board: Board, queue: Queue, fact: seen.ContactQueued) -> int:
    """How long to look at nobody but the preferred agent: not at all for one who is not signed in."""
    agent = board.agents.get(fact.preferred_agent)
    if agent is None or agent.leaving or not agent.checked_in:
        return 0
    return fact.preferred_agent_ms or queue.preferred_agent_ms


def _abandoned(board: Board, contact: Contact, at: int) -> Outcome:
    limit = board.queue(contact.queue).short_abandon_ms
    return Outcome.SHORT_ABANDONED if at - contact.queued_at < limit else Outcome.ABANDONED


def _ended(board: Board, contact: Contact, reason: str, at: int) -> Outcome:
    if reason in CUSTOMER_LEFT:
        return _abandoned(board, contact, at)
    return OUTCOMES.get(reason, Outcome.FAILED)


def _agent(turn: Turn, seen_now: AgentObserved) -> None:
    turn.happen(seen_now)
    fact = seen_now.fact
    agent = None if isinstance(fact, seen.Irrelevant) else turn.board.agents.get(fact.agent)
    if agent is None:
        return
    if isinstance(fact, seen.WorkEnded | seen.WrapUpEnded):
        _release_work(turn, agent, fact)
    freed = _withdraw(turn, agent) if agent.leaving or not (agent.ready and agent.checked_in) else []
    if agent.leaving and not agent.work:
        turn.happen(AgentReleased(agent.id, agent.team, agent.to_pool))
    bring_together(turn, contacts=freed, agents=[agent.id])
    if isinstance(fact, MAY_STOP_SERVING):
        condition_met(turn, Trigger.NOBODY_SIGNED_IN)


def _withdraw(turn: Turn, agent: Agent) -> list[str]:
    """Take back all of the agent's offers; the contacts they were about."""
    held = [(turn.board.contacts[turn.board.offers[id]], id) for id in sorted(agent.offers)]
    left = [terms(contact, contact.rings[id]) for contact, id in held]
    turn.happen(*[OfferWithdrawn(*one, reason=Withdrawal.AGENT_LEFT) for one in left])
    return [contact.id for contact, _ in held]


def _release_work(turn: Turn, agent: Agent, fact: seen.WorkEnded | seen.WrapUpEnded) -> None:
    """Rule 24: only the agent's own stream gives a place back."""
    work = agent.work.get(leg_key(fact.contact, fact.leg))
    if work:
        turn.happen(CapacityReleased(agent.id, agent.team, work.contact, work.leg, work.queue, work.channel))
