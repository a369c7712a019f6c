"""What administrators order: definitions of queues, hours and workflows, and policies, checked before they stand."""

from __future__ import annotations

from typing import assert_never

from routing.domain.commands import ChoosePolicy, DefineHours, DefineQueue, DefineWorkflow
from routing.domain.crowding import call_off
from routing.domain.definitions import Queue, Workflow
from routing.domain.events import HoursDefined, PolicyChosen, QueueDefined, WorkflowDefined
from routing.domain.matching import Turn
from routing.domain.settings import Setting, order_error, setting_error
from routing.domain.state import Board
from routing.domain.supervise import owns, redefine

Refusal = tuple[str, str]
"""(reason, what is wrong in words); no reason: it is done."""

DONE: Refusal = ("", "")


def define(turn: Turn, order: DefineQueue | DefineHours | DefineWorkflow | ChoosePolicy) -> Refusal:
    """Do it; else why it is refused."""
    match order:
        case DefineQueue():
            return _queue(turn, order)
        case DefineHours():
            return _hours(turn, order)
        case DefineWorkflow():
            return _workflow(turn, order)
        case ChoosePolicy():
            return _policy(turn, order)
        case _:
            assert_never(order)


def _queue(turn: Turn, order: DefineQueue) -> Refusal:
    queue = order.queue
    if queue.policy and (wrong := setting_error(Setting(queue.policy, queue.parameters))):
        return "UNKNOWN_POLICY", wrong
    if queue.targeting and (wrong := turn.board.expressions.error(queue.targeting)):
        return "BAD_EXPRESSION", f"targeting: {wrong}"
    before = turn.board.queue(queue.id).surge
    redefine(turn, QueueDefined(queue, order.command_id, reason=order.reason))
    if before and queue.surge is None:
        call_off(turn, queue.id, before)
    return DONE


def _hours(turn: Turn, order: DefineHours) -> Refusal:
    if order.removed and (users := _users(turn.board, "hours", order.hours.id)):
        return "HOURS_IN_USE", users
    turn.happen(HoursDefined(order.hours, order.command_id, order.removed))
    return DONE


def _workflow(turn: Turn, order: DefineWorkflow) -> Refusal:
    if order.removed and (users := _users(turn.board, "workflow", order.workflow.id)):
        return "WORKFLOW_IN_USE", users
    if not order.removed and (wrong := _wrong_target(turn.board, order.workflow)):
        return "BAD_EXPRESSION", wrong
    turn.happen(WorkflowDefined(order.workflow, order.command_id, order.removed))
    return DONE


def _wrong_target(board: Board, workflow: Workflow) -> str:
    """The first expression that says nothing, by its place; empty: all of them do."""
    for number, target in enumerate(workflow.targets, 1):
        if wrong := order_error(target.order_by):
            return f"target {number}, order_by: {wrong}"
        for what in ("expression", "skip_if"):
            text = getattr(target, what)
            if text and (wrong := board.expressions.error(text)):
                return f"target {number}, {what}: {wrong}"
    return ""


def _policy(turn: Turn, order: ChoosePolicy) -> Refusal:
    if wrong := setting_error(Setting(order.policy, order.parameters)):
        return "UNKNOWN_POLICY", wrong
    if order.queue and order.queue not in turn.board.queues:
        return "UNKNOWN_QUEUE", order.queue
    if order.teams is not None and not (order.queue and owns(turn.board, order.teams, order.queue)):
        return "NOT_YOUR_QUEUE", order.queue
    turn.happen(PolicyChosen(order.policy, order.command_id, order.queue, order.parameters, order.reason))
    return DONE


def _users(board: Board, what: str, id: str) -> str:
    users: list[Queue] = [queue for queue in board.queues.values() if getattr(queue, what) == id]
    return ", ".join(sorted(queue.id for queue in users))
