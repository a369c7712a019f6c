"""Surges of a queue: begun, met by the steps of its playbook, and all of it taken back when they are over (RT-9)."""

from __future__ import annotations

from routing.domain import surge
from routing.domain.definitions import Action, OverflowRule, SurgeAction, SurgeRule, SurgeStep, Trigger
from routing.domain.events import SurgeEnded, SurgeStarted, SurgeStepTaken, TimerElapsed
from routing.domain.matching import Turn, bring_together
from routing.domain.members import Phase
from routing.domain.state import Board
from routing.domain.surge import Crowd


def surge_elapsed(turn: Turn, timer: TimerElapsed) -> None:
    """Look at the arrivals of ``timer.queue``; one that would change nothing leaves no trace."""
    rule, crowd = turn.board.queue(timer.queue).surge, turn.board.crowds.get(timer.queue)
    if rule is None or crowd is None or timer.due_at > turn.now:
        return
    if not surge.is_news(rule, crowd, turn.now, timer.usual_milli):
        return
    turn.happen(timer)
    if not crowd.started_at:
        _begin(turn, timer, rule, crowd)
    elif surge.over(rule, crowd, turn.now):
        call_off(turn, timer.queue, rule, timer.usual_milli)
        return
    for step in surge.due_steps(rule, crowd, turn.now):
        turn.happen(_taken(timer.queue, step))
    _offer_to_reserve(turn, timer.queue)


def call_off(turn: Turn, queue: str, rule: SurgeRule, usual_milli: int = 0) -> None:
    """Take back the steps in force of ``rule``, last first, and say that the surge is over; nothing when none is on."""
    crowd = turn.board.crowds.get(queue)
    if crowd is None or not crowd.started_at:
        return
    for step in reversed(_in_force(rule, crowd)):
        turn.happen(_taken(queue, step, reversed=True))
    turn.happen(SurgeEnded(queue, surge.arrivals(crowd, turn.now, rule.window_ms), rule.window_ms, usual_milli))


def diversion(board: Board, queue: str) -> OverflowRule | None:
    """Where newcomers go for whom nobody is free, while a surge says so."""
    rule, crowd = board.queue(queue).surge, board.crowds.get(queue)
    for step in _in_force(rule, crowd) if rule and crowd else ():
        if step.action is SurgeAction.OVERFLOW:
            return OverflowRule(f"surge/{step.step}", Trigger.LENGTH, 0, Action.QUEUE, step.to_queue, step.to_pool)
    return None


def _in_force(rule: SurgeRule, crowd: Crowd) -> list[SurgeStep]:
    """In the order in which they were taken."""
    steps = {step.step: step for step in rule.steps}
    return [steps[name] for name in crowd.taken if name in steps]


def _begin(turn: Turn, timer: TimerElapsed, rule: SurgeRule, crowd: Crowd) -> None:
    arrived, usual = surge.arrivals(crowd, turn.now, rule.window_ms), timer.usual_milli
    turn.happen(SurgeStarted(timer.queue, arrived, rule.window_ms, usual, surge.chance_ppm(arrived, usual)))


def _taken(queue: str, step: SurgeStep, *, reversed: bool = False) -> SurgeStepTaken:
    return SurgeStepTaken(
        queue, step.step, step.action, reversed, step.to_queue, step.to_pool, step.to_team, step.message
    )


def _offer_to_reserve(turn: Turn, queue: str) -> None:
    waiting = [one.id for one in turn.board.contacts.values() if one.queue == queue and one.phase is Phase.WAITING]
    bring_together(turn, contacts=waiting)
