"""How facts about a pool as a whole change its board: owners, days, definitions, timers, answers to orders."""

from __future__ import annotations

from typing import assert_never

from routing.domain.events import (
    Calendar,
    CommandRefused,
    HoursDefined,
    PolicyChosen,
    PoolCarried,
    PoolDayStarted,
    PoolOpened,
    PoolTaken,
    QueueDefined,
    TimerElapsed,
    TimerKind,
    WorkflowDefined,
)
from routing.domain.state import COMMANDS_KEPT, Board

PoolFact = (
    PoolTaken
    | PoolDayStarted
    | PoolCarried
    | PoolOpened
    | QueueDefined
    | HoursDefined
    | WorkflowDefined
    | PolicyChosen
    | CommandRefused
    | TimerElapsed
)


def about_the_pool(board: Board, event: PoolFact) -> None:
    match event:
        case PoolTaken(generation=generation):
            board.generation = generation
        case PoolOpened(date):
            board.date = date
        case PoolDayStarted() | PoolCarried():
            pass  # they say what this board already holds; a fold that starts here reads them (carry.py)
        case CommandRefused(command_id, reason):
            if reason != "EXPIRED":  # the same order may be sent again, in time
                remember(board, command_id)
        case TimerElapsed():
            _elapsed(board, event)
        case QueueDefined() | HoursDefined() | WorkflowDefined() | PolicyChosen():
            remember(board, event.command_id)
            _defined(board, event)
        case _:
            assert_never(event)


def remember(board: Board, command_id: str) -> None:
    """A repeat of the order has no effect."""
    if not command_id:
        return
    board.commands[command_id] = None
    if len(board.commands) > COMMANDS_KEPT:
        del board.commands[next(iter(board.commands))]


def _defined(board: Board, event: QueueDefined | HoursDefined | WorkflowDefined | PolicyChosen) -> None:
    match event:
        case QueueDefined(queue, removed=True):
            _removed(board, queue.id)
        case QueueDefined(queue):
            before = board.queue(queue.id)
            if (before.policy, before.parameters) != (queue.policy, queue.parameters):
                board.chosen.pop(queue.id, None)  # what is said last counts
            board.define(queue)
        case HoursDefined(hours, removed=removed):
            board.hours.pop(hours.id, None) if removed else board.hours.update({hours.id: hours})
        case WorkflowDefined(workflow, removed=removed):
            board.workflows.pop(workflow.id, None) if removed else board.workflows.update({workflow.id: workflow})
        case PolicyChosen(policy, queue=queue, parameters=parameters) if queue:
            board.chosen[queue] = policy, parameters
            board.settle(queue)
        case PolicyChosen(policy, parameters=parameters):
            board.policy_name, board.parameters = policy, parameters
            board.reindex()
        case _:
            assert_never(event)


def _removed(board: Board, queue: str) -> None:
    board.queues.pop(queue, None)
    board.chosen.pop(queue, None)
    board.calendars.pop(queue, None)
    board.shares.pop(queue, None)
    board.crowds.pop(queue, None)
    board.learned = {key: learned for key, learned in board.learned.items() if key[0] != queue}
    board.reindex()


def _elapsed(board: Board, timer: TimerElapsed) -> None:
    match timer.kind:
        case TimerKind.FINALITY:
            board.finalities.pop((timer.queue, timer.interval_end), None)
        case TimerKind.HOURS:
            before = board.calendars.get(timer.queue, Calendar()).threshold_ms
            board.calendars[timer.queue] = Calendar(timer.open, timer.threshold_ms, timer.due_at, before)
        case TimerKind.OFFER:
            pass  # OfferExpired says it
        case _:
            _step_over(board, timer)


def _step_over(board: Board, timer: TimerElapsed) -> None:
    """What the step does is said by the fact that follows; a hold just ends."""
    contact = board.contacts[timer.contact]
    contact.steps_done = timer.step
    if timer.kind is TimerKind.PREFERRED_AGENT:
        board.wait_elsewhere(contact, contact.demand._replace(agent=""))
