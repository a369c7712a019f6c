"""Orders to a pool: protobuf to the words of the pool and back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from contactcenter.routing.v1 import inbox_pb2 as pb

from ..domain import commands as ask
from ..domain.commands import Order, Teams
from .defined import (
    definition_of,
    hours_definition_of,
    hours_of,
    pairs,
    parameters,
    queue_of,
    workflow_definition_of,
    workflow_of,
)

EVERYWHERE = "admin"


def write_order(command: pb.PoolCommand, order: Order) -> None:
    """Set what is asked, until when, and by whose rights."""
    command.command_id = order.command_id
    if order.expires_at:
        command.expires_at.FromMilliseconds(order.expires_at)
    if type(order) in _SUPERVISED:
        _write_rights(command, getattr(order, "teams", None))
    wish = getattr(command, _FIELDS[type(order)])
    wish.SetInParent()
    special = _WRITERS.get(type(order))
    if special:
        special(wish, order)
    else:
        for name in _same(wish):
            setattr(wish, name, getattr(order, name))


def read_order(command: pb.PoolCommand) -> Order | None:
    """``None`` for an order of a later version."""
    field = command.WhichOneof("command")
    shape = _SHAPES.get(field or "")
    if field is None or shape is None:
        return None
    values = _values(getattr(command, field)) | ({"teams": _teams(command)} if shape in _SUPERVISED else {})
    late = command.expires_at.ToMilliseconds()
    return cast(Order, shape(command_id=command.command_id, expires_at=late, **values))


def _values(wish: Any) -> dict[str, Any]:
    special = _READERS.get(type(wish))
    return special(wish) if special else {name: getattr(wish, name) for name in _same(wish)}


def _same(wish: Any) -> list[str]:
    return list(wish.DESCRIPTOR.fields_by_name)


def _write_rights(command: pb.PoolCommand, teams: Teams) -> None:
    if teams is None:
        command.roles.append(EVERYWHERE)
    else:
        command.teams.extend(teams)


def _teams(command: pb.PoolCommand) -> Teams:
    return None if EVERYWHERE in command.roles else tuple(command.teams)


def _write_queue(wish: pb.DefineQueue, order: ask.DefineQueue) -> None:
    wish.definition.CopyFrom(definition_of(order.queue))
    wish.reason = order.reason


def _write_hours(wish: pb.DefineHours, order: ask.DefineHours) -> None:
    wish.definition.CopyFrom(hours_definition_of(order.hours))
    wish.removed = order.removed


def _write_workflow(wish: pb.DefineWorkflow, order: ask.DefineWorkflow) -> None:
    wish.definition.CopyFrom(workflow_definition_of(order.workflow))
    wish.removed = order.removed


def _write_policy(wish: pb.ChoosePolicy, order: ask.ChoosePolicy) -> None:
    wish.queue, wish.policy, wish.reason = order.queue, order.policy, order.reason
    wish.parameters.extend(parameters(order.parameters))


_ORDERS: tuple[type[Any], ...] = Order.__args__
_FIELDS = {
    shape: "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in shape.__name__).lstrip("_")
    for shape in _ORDERS
}
_SHAPES = {field: shape for shape, field in _FIELDS.items()}
_SUPERVISED = frozenset({*ask.Supervision.__args__, ask.ChoosePolicy})
_WRITERS: dict[type[Any], Callable[[Any, Any], None]] = {
    ask.DefineQueue: _write_queue,
    ask.DefineHours: _write_hours,
    ask.DefineWorkflow: _write_workflow,
    ask.ChoosePolicy: _write_policy,
}
_READERS: dict[type[Any], Callable[[Any], dict[str, Any]]] = {
    pb.DefineQueue: lambda wish: {"queue": queue_of(wish.definition), "reason": wish.reason},
    pb.DefineHours: lambda wish: {"hours": hours_of(wish.definition), "removed": wish.removed},
    pb.DefineWorkflow: lambda wish: {"workflow": workflow_of(wish.definition), "removed": wish.removed},
    pb.ChoosePolicy: lambda wish: {
        "queue": wish.queue,
        "policy": wish.policy,
        "reason": wish.reason,
        "parameters": pairs(wish.parameters),
    },
}
