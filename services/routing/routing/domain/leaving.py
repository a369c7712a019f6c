"""How a contact leaves its queue: with an outcome, and by rule or by a person with where it goes."""

from __future__ import annotations

from routing.domain.definitions import Action, OverflowRule, Trigger
from routing.domain.events import (
    ContactDequeued,
    ContactOverflowed,
    Explanation,
    OfferWithdrawn,
    Outcome,
    Withdrawal,
)
from routing.domain.matching import Turn, bring_together, passed_over, policy_name, terms
from routing.domain.members import Contact, Phase

# Two queues that overflow into each other must not pass a contact on for ever.
MOST_LEGS = 50
MAX_LENGTH, MAX_WAIT, CLOSED, CHANNEL = "max_length", "max_wait", "closed", "channel"
SUPERVISOR, CALLBACK = "supervisor", "callback"


def dequeue(
    turn: Turn,
    contact: Contact,
    outcome: Outcome,
    at: int,
    *,
    to_queue: str = "",
    rule: str = "",
    after_announcement: bool = False,
    moved: bool = False,
) -> None:
    """The contact leaves its queue; offers still open are withdrawn first and their agents may get another."""
    freed = withdraw_rings(turn, contact, Withdrawal.MOVED if moved else Withdrawal.CUSTOMER_LEFT)
    ring = contact.ring
    turn.happen(
        ContactDequeued(
            contact=contact.id,
            leg=contact.leg,
            queue=contact.queue,
            outcome=outcome,
            channel=contact.channel,
            queued_at=contact.queued_at,
            left_at=max(at, contact.queued_at),
            offers=contact.attempts,
            agent=ring.agent,
            team=ring.team,
            offer_id=ring.offer_id,
            offered_at=ring.offered_at,
            accepted_at=contact.assigned_at,
            to_queue=to_queue,
            after_announcement=after_announcement,
            rule=rule,
            origin_queue=contact.origin_queue,
            estimated_wait_p50_ms=contact.estimated_wait_p50_ms,
            estimated_wait_p90_ms=contact.estimated_wait_p90_ms,
        )
    )
    bring_together(turn, agents=freed)


def withdraw_rings(turn: Turn, contact: Contact, reason: Withdrawal) -> list[str]:
    """Take back all open offers of ``contact``; the agents who are free of it."""
    ringing = list(contact.rings.values()) if contact.phase is Phase.OFFERED else []
    turn.happen(*[OfferWithdrawn(*terms(contact, ring), reason=reason) for ring in ringing])
    return [ring.agent for ring in ringing]


def overflow(turn: Turn, contact: Contact, rule: OverflowRule, score: str) -> None:
    """What ``rule`` says: for a group the contact stays, else it leaves."""
    turn.happen(overflowed(turn, contact, rule, score))
    if rule.action is not Action.GROUP:
        dequeue(turn, contact, _outcome(rule), turn.now, to_queue=rule.to_queue, rule=rule.rule, moved=True)


def end(turn: Turn, contact: Contact, rule: str, trigger: Trigger, score: str) -> None:
    """The queue itself does not keep it: full, closed, not for this channel, or waited for as long as one may."""
    overflow(turn, contact, OverflowRule(rule, trigger, 0, Action.END), score)


def may_go(contact: Contact, rule: OverflowRule) -> bool:
    return rule.action is not Action.QUEUE or contact.leg < MOST_LEGS


def overflowed(
    turn: Turn, contact: Contact, rule: OverflowRule, score: str, command_id: str = "", reason: str = ""
) -> ContactOverflowed:
    to_pool = (rule.to_pool or turn.board.pool) if rule.action is Action.QUEUE else ""
    return ContactOverflowed(
        contact=contact.id,
        leg=contact.leg,
        queue=contact.queue,
        from_pool=turn.board.pool,
        action=rule.action,
        rule=rule.rule,
        channel=contact.channel,
        priority=contact.priority,
        credit_ms=contact.credit_ms,
        queued_at=contact.queued_at,
        arrived_at=contact.arrived_at,
        origin_queue=contact.origin_queue or contact.queue,
        policy=policy_name(turn.board, contact),
        explanation=why(turn, contact, rule.rule, score),
        to_queue=rule.to_queue,
        to_pool=to_pool,
        to_team=rule.to_team,
        command_id=command_id,
        reason=reason,
    )


def why(turn: Turn, contact: Contact, rule: str, score: str) -> Explanation:
    """Who was passed over until now, by which rule something else is done, and what it measured."""
    return Explanation(len(turn.board.agents), passed_over(turn.board, contact), rule, "", score)


def _outcome(rule: OverflowRule) -> Outcome:
    match rule.action:
        case Action.CALLBACK:
            return Outcome.CALLBACK
        case Action.END:
            return Outcome.TIMED_OUT if rule.trigger is Trigger.WAIT else Outcome.BLOCKED
        case _:
            return Outcome.FLOWED_OUT
