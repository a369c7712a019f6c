"""What happens while a contact waits: rules on entry, targets, and the timed steps of its plan (RT-4, RT-5)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

from routing.domain.crowding import diversion
from routing.domain.definitions import OverflowRule, Queue, Relaxation, Trigger
from routing.domain.events import SkillsRelaxed, TargetReached, TimerElapsed, TimerKind
from routing.domain.expressions import Value, about_contact
from routing.domain.leaving import CHANNEL, CLOSED, MAX_LENGTH, MAX_WAIT, end, may_go, overflow, why
from routing.domain.matching import Turn, bring_together, policy_name
from routing.domain.members import Contact, Phase, merged
from routing.domain.observed import Skills
from routing.domain.plans import Step, StepKind, relaxed
from routing.domain.state import Board


def enter(turn: Turn, contact: Contact) -> None:
    """``contact`` has just been queued: it is passed on, refused, or looked after."""
    queue = turn.board.queue(contact.queue)
    if not queue.takes(contact.channel):
        return end(turn, contact, CHANNEL, Trigger.CLOSED, f"channel={contact.channel}")
    for rule in queue.overflows:
        score = _applies(turn.board, contact, rule)
        if score and may_go(contact, rule):
            overflow(turn, contact, rule, score)
        if contact.id not in turn.board.contacts:
            return
    if not turn.board.is_open(queue.id) and queue.id in turn.board.queues:
        end(turn, contact, CLOSED, Trigger.CLOSED, "closed")
    elif _full(turn.board, queue):
        end(turn, contact, MAX_LENGTH, Trigger.LENGTH, f"waiting={_others(turn.board, queue.id)}")
    elif (elsewhere := diversion(turn.board, queue.id)) and _to_go(turn.board, contact, elsewhere):
        overflow(turn, contact, elsewhere, f"waiting={_others(turn.board, queue.id)}")
    elif contact.plan.aims:
        _reach(turn, contact, 1)
    else:
        bring_together(turn, contacts=[contact.id])


def _to_go(board: Board, contact: Contact, rule: OverflowRule) -> bool:
    """Nobody goes elsewhere for whom an agent is free here."""
    return may_go(contact, rule) and not available(board, contact)


def _applies(board: Board, contact: Contact, rule: OverflowRule) -> str:
    """What was measured, when ``rule`` applies to a contact that comes now; else empty."""
    match rule.trigger:
        case Trigger.LENGTH:
            others = _others(board, contact.queue)
            return f"waiting={others}" if others >= rule.limit else ""
        case Trigger.NOBODY_SIGNED_IN:
            return "" if signed_in(board, contact) else "signed_in=0"
        case Trigger.CLOSED:
            return "" if board.is_open(contact.queue) else "closed"
        case Trigger.WAIT:
            return ""
        case _:
            assert_never(rule.trigger)


def _others(board: Board, queue: str) -> int:
    """How many wait in ``queue`` beside the one that has just come."""
    return board.waiting[queue] - 1


def _full(board: Board, queue: Queue) -> bool:
    return bool(queue.max_length) and _others(board, queue.id) >= queue.max_length


def signed_in(board: Board, contact: Contact) -> int:
    """How many agents could ever serve ``contact`` of those who are signed in and stay."""
    lines = board.lines.of(contact, board.setting(contact))
    away = sum(line.refused[reason] for line in lines for reason in ("NOT_CHECKED_IN", "LEAVING"))
    return sum(len(line.members) for line in lines) - away


def available(board: Board, contact: Contact) -> int:
    """How many agents could be offered ``contact`` now."""
    return sum(len(line.free) for line in board.lines.of(contact, board.setting(contact)))


# -- timed steps -------------------------------------------------------------------------------------------------------


def next_step(contact: Contact) -> tuple[int, int, Step] | None:
    """(number from 1, when it is due, the step) that comes next; steps that would change nothing are passed over.

    Steps are taken only while the contact waits: those that fall due while it is offered are due when it comes back.
    """
    if contact.phase is not Phase.WAITING:
        return None
    for n, step in enumerate(contact.plan.steps[contact.steps_done :], contact.steps_done + 1):
        if _matters(contact, step):
            return n, contact.queued_at + step.after_ms, step
    return None


def timer_of(contact: Contact) -> TimerElapsed | None:
    """The input that is due for ``contact`` next."""
    coming = next_step(contact)
    if coming is None:
        return None
    number, due, step = coming
    rule = step.rule.rule if step.rule else ""
    kind = TimerKind(step.kind.value)
    return TimerElapsed(kind, due, queue=contact.queue, contact=contact.id, leg=contact.leg, rule=rule, step=number)


def _matters(contact: Contact, step: Step) -> bool:
    match step.kind:
        case StepKind.RELAXATION:
            assert step.relaxation
            return dict(contact.required).get(step.relaxation.skill, 0) > step.relaxation.min_level
        case StepKind.PREFERRED_AGENT:
            return bool(contact.demand.agent)
        case StepKind.TARGET:
            return step.number > contact.target
        case StepKind.OVERFLOW:
            assert step.rule
            return may_go(contact, step.rule) and step.rule.to_team not in contact.demand.groups
        case StepKind.MAX_WAIT:
            return True
        case _:
            assert_never(step.kind)


def step_elapsed(turn: Turn, timer: TimerElapsed) -> None:
    """A step that is due; a timer whose reason is gone, or that comes before its time, leaves no trace."""
    contact = turn.board.contacts.get(timer.contact)
    if contact is None or contact.leg != timer.leg or timer.due_at > turn.now or timer_of(contact) != timer:
        return
    step = contact.plan.steps[timer.step - 1]
    turn.happen(timer)
    waited = f"waited_ms={turn.now - contact.queued_at}"
    match step.kind:
        case StepKind.RELAXATION:
            turn.happen(_relaxed(turn, contact, waited))
        case StepKind.TARGET:
            return _reach(turn, contact, step.number)
        case StepKind.OVERFLOW:
            assert step.rule
            overflow(turn, contact, step.rule, waited)
        case StepKind.MAX_WAIT:
            end(turn, contact, MAX_WAIT, Trigger.WAIT, waited)
        case StepKind.PREFERRED_AGENT:
            pass  # the timer's own fact ended the hold
        case _:
            assert_never(step.kind)
    bring_together(turn, contacts=[contact.id])


def _relaxed(turn: Turn, contact: Contact, waited: str) -> SkillsRelaxed:
    return SkillsRelaxed(
        contact=contact.id,
        leg=contact.leg,
        queue=contact.queue,
        required_skills=_asked(contact, contact.target),
        ring=len(list(_relaxations(contact))),
        policy=policy_name(turn.board, contact),
        explanation=why(turn, contact, "relaxation", waited),
    )


def _asked(contact: Contact, target: int) -> Skills:
    """What is asked of an agent at ``target`` (0: in the queue itself), after all relaxations until now."""
    skills = contact.plan.aims[target - 1].skills if target else contact.plan.skills
    return relaxed(merged(skills, contact.own_skills), _relaxations(contact))


def _relaxations(contact: Contact) -> Iterator[Relaxation]:
    return (step.relaxation for step in contact.plan.steps[: contact.steps_done] if step.relaxation)


# -- targets -----------------------------------------------------------------------------------------------------------


def _reach(turn: Turn, contact: Contact, number: int) -> None:
    """Look for agents at target ``number``, and further on while nobody takes it and the target is to be skipped."""
    while True:
        turn.happen(_reached(turn, contact, number))
        bring_together(turn, contacts=[contact.id])
        if contact.phase is not Phase.WAITING or not _skipped(turn.board, contact):
            return
        number += 1


def unanswered(turn: Turn, contact: Contact) -> None:
    """Nobody answered in time: the next target is looked at, and left at its own time, as TaskRouter documents it."""
    if contact.phase is Phase.WAITING and 0 < contact.target < len(contact.plan.aims):
        _reach(turn, contact, contact.target + 1)


def _reached(turn: Turn, contact: Contact, number: int) -> TargetReached:
    target = contact.plan.aims[number - 1].target
    return TargetReached(
        contact=contact.id,
        leg=contact.leg,
        queue=contact.queue,
        target=number,
        to_queue=target.queue,
        priority=contact.priority if target.priority is None else target.priority,
        required_skills=_asked(contact, number),
        expression=target.expression,
        order_by=target.order_by,
        policy=policy_name(turn.board, contact),
        explanation=why(turn, contact, f"target_{number}", f"waited_ms={max(0, turn.now - contact.queued_at)}"),
    )


def _skipped(board: Board, contact: Contact) -> bool:
    """Whether the target it has reached is passed at once; the last one never is."""
    skip_if = contact.plan.aims[contact.target - 1].target.skip_if
    if not skip_if or contact.target == len(contact.plan.aims):
        return False
    return board.expressions.holds(skip_if, {"queue": _about_queue(board, contact), "contact": _about(contact)})


def _about_queue(board: Board, contact: Contact) -> dict[str, Value]:
    """``queue`` in ``skip_if``: the target's queue, and its agents as this contact asks for them."""
    return {
        "id": contact.demand.queue,
        "waiting": board.waiting[contact.demand.queue],
        "agents_available": available(board, contact),
        "agents_signed_in": signed_in(board, contact),
    }


def _about(contact: Contact) -> dict[str, Value]:
    known: dict[str, Value] = {"id": contact.id, "queue": contact.queue, "channel": contact.channel}
    return about_contact(contact.attributes) | known | {"priority": contact.priority}


# -- changes of a queue that concern those who wait --------------------------------------------------------------------


def condition_met(turn: Turn, trigger: Trigger, queue: str = "") -> None:
    """Those who wait (in ``queue``; empty: anywhere) overflow by the rule for ``trigger`` that they came under."""
    board = turn.board
    waiting = [c for id in board.conditional if (c := board.contacts[id]).phase is Phase.WAITING]
    for contact in sorted((c for c in waiting if queue in ("", c.queue)), key=lambda c: (c.queued_at, c.id)):
        rule = contact.plan.rule_for(trigger)
        score = _applies(board, contact, rule) if rule else ""
        if rule and score and may_go(contact, rule) and rule.to_team not in contact.demand.groups:
            overflow(turn, contact, rule, score)
            bring_together(turn, contacts=[contact.id])
