"""What supervisors order: each a fact with a reason, or a refusal that says why not (RT-8)."""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from routing.domain.commands import (
    MoveContact,
    PullContact,
    RaisePriority,
    RemoveQueue,
    RequestCallback,
    SetQueueOpen,
    Supervision,
    Teams,
)
from routing.domain.definitions import Action, OverflowRule, Queue, Trigger
from routing.domain.events import (
    ContactPulled,
    Explanation,
    Outcome,
    PriorityRaised,
    QueueDefined,
    Withdrawal,
)
from routing.domain.leaving import CALLBACK, SUPERVISOR, dequeue, overflowed, why, withdraw_rings
from routing.domain.matching import Turn, bring_together, offer, policy_name
from routing.domain.members import Agent, Contact, Phase, refusal
from routing.domain.state import Board
from routing.domain.waiting import condition_met


def supervise(turn: Turn, order: Supervision) -> str:
    """Do it; else why it is refused."""
    match order:
        case SetQueueOpen() | RemoveQueue():
            return _queue(turn, order)
        case MoveContact() | PullContact() | RaisePriority() | RequestCallback():
            return _contact(turn, order)
        case _:
            assert_never(order)


def owns(board: Board, teams: Teams, queue: str) -> bool:
    """A supervisor's queues are those that agents of the supervisor's teams may serve."""
    if teams is None:
        return True
    required = board.queue(queue).required_skills
    return any(agent.team in teams and _serves(agent, queue, required) for agent in board.agents.values())


def _serves(agent: Agent, queue: str, required: tuple[tuple[str, int], ...]) -> bool:
    member = not agent.queues or queue in agent.queues
    return member and all(agent.skills.get(skill, 0) >= level for skill, level in required)


# -- queues ------------------------------------------------------------------------------------------------------------


def _queue(turn: Turn, order: SetQueueOpen | RemoveQueue) -> str:
    queue = turn.board.queues.get(order.queue)
    if queue is None:
        return "UNKNOWN_QUEUE"
    if not owns(turn.board, order.teams, queue.id):
        return "NOT_YOUR_QUEUE"
    return _remove(turn, queue, order) if isinstance(order, RemoveQueue) else _set_open(turn, queue, order)


def _set_open(turn: Turn, queue: Queue, order: SetQueueOpen) -> str:
    said = replace(queue, open=order.open, definition=b"")
    redefine(turn, QueueDefined(said, order.command_id, reason=order.reason))
    return ""


def redefine(turn: Turn, event: QueueDefined) -> None:
    """Who waits when it closes overflows by the rule it came under, else stays and is served."""
    was_open = turn.board.is_open(event.queue.id)
    turn.happen(event)
    if was_open and not turn.board.is_open(event.queue.id):
        condition_met(turn, Trigger.CLOSED, event.queue.id)
    # more agents may be rung at once than before
    bring_together(turn, contacts=[id for id in turn.board.ringing if turn.board.contacts[id].queue == event.queue.id])


def _remove(turn: Turn, queue: Queue, order: RemoveQueue) -> str:
    if any(contact.queue == queue.id for contact in turn.board.contacts.values()):
        return "QUEUE_NOT_EMPTY"
    turn.happen(QueueDefined(queue, order.command_id, removed=True, to_pool=order.to_pool, reason=order.reason))
    return ""


# -- contacts ----------------------------------------------------------------------------------------------------------


def _contact(turn: Turn, order: MoveContact | PullContact | RaisePriority | RequestCallback) -> str:
    contact = turn.board.contacts.get(order.contact)
    if contact is None or contact.phase is Phase.ASSIGNED:
        return "CONTACT_NOT_WAITING"
    if not owns(turn.board, order.teams, contact.queue):
        return "NOT_YOUR_QUEUE"
    match order:
        case MoveContact():
            return _move(turn, contact, order)
        case PullContact():
            return _pull(turn, contact, order)
        case RaisePriority():
            return _raise(turn, contact, order)
        case RequestCallback():
            return _leave(turn, contact, OverflowRule(CALLBACK, Trigger.WAIT, 0, Action.CALLBACK), order)
        case _:
            assert_never(order)


def _move(turn: Turn, contact: Contact, order: MoveContact) -> str:
    board, to_pool = turn.board, order.to_pool or turn.board.pool
    if to_pool == board.pool and order.to_queue not in board.queues:
        return "UNKNOWN_QUEUE"
    if (to_pool, order.to_queue) == (board.pool, contact.queue):
        return "SAME_QUEUE"
    if to_pool == board.pool and not board.queue(order.to_queue).takes(contact.channel):
        return "CHANNEL_NOT_TAKEN"
    rule = OverflowRule(SUPERVISOR, Trigger.WAIT, 0, Action.QUEUE, order.to_queue, to_pool)
    return _leave(turn, contact, rule, order)


def _leave(turn: Turn, contact: Contact, rule: OverflowRule, order: MoveContact | RequestCallback) -> str:
    outcome = Outcome.CALLBACK if rule.action is Action.CALLBACK else Outcome.FLOWED_OUT
    waited = f"waited_ms={max(0, turn.now - contact.queued_at)}"
    turn.happen(overflowed(turn, contact, rule, waited, order.command_id, order.reason))
    dequeue(turn, contact, outcome, turn.now, to_queue=rule.to_queue, rule=rule.rule, moved=True)
    return ""


def _pull(turn: Turn, contact: Contact, order: PullContact) -> str:
    """Whatever the agent's skills and queues: the supervisor knows better. Never over capacity, never a second time."""
    agent = turn.board.agents.get(order.agent)
    if agent is None:
        return "UNKNOWN_AGENT"
    if order.teams is not None and agent.team not in order.teams:
        return "NOT_YOUR_AGENT"
    if any(ring.agent == agent.id for ring in contact.rings.values()):
        return "ALREADY_OFFERED"
    if reason := refusal(agent, contact.channel):
        return f"AGENT_{reason}" if reason.startswith("NO") else f"AGENT_IS_{reason}"
    about = contact.id, contact.leg, contact.queue, agent.id, agent.team
    turn.happen(ContactPulled(*about, order.command_id, order.reason))
    freed = withdraw_rings(turn, contact, Withdrawal.MOVED)
    offer(turn, contact, agent, Explanation(1, (), SUPERVISOR, agent.id, ""))
    bring_together(turn, agents=freed)
    return ""


def _raise(turn: Turn, contact: Contact, order: RaisePriority) -> str:
    turn.happen(
        PriorityRaised(
            contact=contact.id,
            leg=contact.leg,
            queue=contact.queue,
            priority=order.priority,
            credit_ms=order.credit_ms,
            policy=policy_name(turn.board, contact),
            explanation=why(turn, contact, SUPERVISOR, f"priority={contact.priority} credit_ms={contact.credit_ms}"),
            command_id=order.command_id,
            reason=order.reason,
        )
    )
    return ""
