"""What people wrote as the definitions that facts carry, and back: seconds to milliseconds, words to numbers.

A form's field stands in the message under its own name, ``x_s`` under ``x_ms``; the few others are named below.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from pydantic import BaseModel

from contactcenter.routing.v1.config_pb2 import HoursDefinition, PolicyParameter, QueueDefinition, WorkflowDefinition

from .forms import DAYS, HoursIn, QueueIn, WorkflowIn
from .seen import number_of, word_of

M = TypeVar("M", bound=Message)

# form's field -> (message's field, how many of its units one of the form's is)
_SCALED = {
    "baseline_per_quarter": ("baseline_per_quarter_milli", 1000),
    "start_ratio": ("start_percent", 100),
    "end_ratio": ("end_percent", 100),
    "chance": ("chance_ppm", 1_000_000),
}
_PLAIN = {"from": "from_time", "to": "to_time"}
_NOT_WRITTEN = frozenset({"restated"})


def queue_definition(id: str, form: QueueIn) -> QueueDefinition:
    return _filled(QueueDefinition(queue=id), form.model_dump(exclude={"pool"}, by_alias=False))


def queue_form(definition: QueueDefinition, pool: str) -> QueueIn:
    """What a stored definition says; what it leaves out stands as by default."""
    return QueueIn.model_validate({**_values(definition, without="queue"), "pool": pool})


def queue_form_of(definition: bytes, pool: str) -> QueueIn:
    """As ``queue_form``, of the bytes that facts and rows carry."""
    return queue_form(QueueDefinition.FromString(definition), pool)


def workflow_definition(id: str, form: WorkflowIn) -> WorkflowDefinition:
    return _filled(WorkflowDefinition(workflow=id), form.model_dump(exclude={"pool"}))


def workflow_form(definition: WorkflowDefinition, pool: str) -> WorkflowIn:
    return WorkflowIn.model_validate({**_values(definition, without="workflow"), "pool": pool})


def hours_definition(id: str, form: HoursIn) -> HoursDefinition:
    made = HoursDefinition(hours=id, name=form.name, time_zone=form.time_zone)
    for day, spans in form.weekly.items():
        for start, end in _ends(spans):
            made.weekly.add(day=DAYS.index(day) + 1, from_time=start, to_time=end)
    for date, holiday in sorted(form.holidays.items()):
        one = made.holidays.add(date=date, name=holiday.name)
        for start, end in _ends(holiday.spans):
            one.spans.add(from_time=start, to_time=end)
    return made


def hours_form(definition: HoursDefinition) -> HoursIn:
    weekly: dict[str, list[str]] = {}
    for span in definition.weekly:
        weekly.setdefault(DAYS[span.day - 1], []).append(_span(span))
    holidays = {one.date: {"name": one.name, "spans": [_span(s) for s in one.spans]} for one in definition.holidays}
    told = {"name": definition.name, "time_zone": definition.time_zone, "weekly": weekly, "holidays": holidays}
    return HoursIn.model_validate(told)


def parameters_of(given: Mapping[str, str]) -> list[PolicyParameter]:
    return [PolicyParameter(key=key, value=value) for key, value in sorted(given.items())]


def shown(form: BaseModel) -> dict[str, Any]:
    """A form as JSON."""
    return form.model_dump(mode="json", by_alias=True)


def ordered(body: dict[str, Any]) -> dict[str, Any]:
    """Lists whose order says nothing, in one order."""
    for name, key in (("skills", "skill"), ("capacity", "channel")):
        if name in body:
            body[name] = sorted(body[name], key=lambda one: one[key])
    return body


def _ends(spans: Iterable[str]) -> Iterable[tuple[str, str]]:
    return (tuple(span.split("-")) for span in spans)  # type: ignore[misc]


def _span(span: Any) -> str:
    return f"{span.from_time}-{span.to_time}"


def _filled(message: M, values: Mapping[str, Any]) -> M:
    if values.get("trigger") == "wait":
        values = {**values, "limit": _ms(values["after_s"])}
    for name, value in values.items():
        if name == "parameters":
            message.parameters.extend(parameters_of(value))  # type: ignore[attr-defined]
        elif name == "days":
            message.days.extend(DAYS.index(day) + 1 for day in value)  # type: ignore[attr-defined]
        elif value is not None and (place := _place(message, name)):
            field, units = place
            _set(message, field, round(value * units) if units != 1 else value)
    return message


def _place(message: Any, name: str) -> tuple[FieldDescriptor, int] | None:
    """Where a form's field stands; ``None`` for one that says in other words what another says."""
    known = message.DESCRIPTOR.fields_by_name
    other, units = _SCALED.get(name, (name, 1))
    if other in known:
        return known[other], units
    in_ms = f"{name.removesuffix('_s')}_ms"
    return (known[in_ms], 1000) if in_ms in known else None


def _set(message: Any, field: FieldDescriptor, value: Any) -> None:
    if field.message_type is not None:
        for one in value if field.is_repeated else [value]:
            _filled(getattr(message, field.name).add() if field.is_repeated else getattr(message, field.name), one)
        if not field.is_repeated:
            getattr(message, field.name).SetInParent()
    elif field.is_repeated:
        getattr(message, field.name).extend(_number(field, one) for one in value)
    else:
        setattr(message, field.name, _number(field, value))


def _number(field: FieldDescriptor, value: Any) -> Any:
    return number_of(field.enum_type, value) if field.enum_type is not None else value


def _values(message: Any, without: str = "") -> dict[str, Any]:
    """What a message says, by the form's names; what it leaves at zero is left out, but truth values."""
    values: dict[str, Any] = {}
    for field in message.DESCRIPTOR.fields:
        if field.name != without and field.name not in _NOT_WRITTEN and _is_said(message, field):
            name, value = _said(field, getattr(message, field.name))
            values[name] = value
    if values.get("trigger") == "wait":
        values["after_s"] = values.pop("limit", 0) / 1000
    return values


def _is_said(message: Any, field: FieldDescriptor) -> bool:
    if field.has_presence:
        return bool(message.HasField(field.name))
    return field.type == FieldDescriptor.TYPE_BOOL or bool(getattr(message, field.name))


def _said(field: FieldDescriptor, value: Any) -> tuple[str, Any]:
    if field.name == "parameters":
        return field.name, {one.key: one.value for one in value}
    if field.name == "days":
        return field.name, [DAYS[day - 1] for day in value]
    for name, (other, units) in _SCALED.items():
        if field.name == other:
            return name, value / units
    if field.name.endswith("_ms"):
        return f"{field.name.removesuffix('_ms')}_s", value / 1000
    return field.name, [_word(field, one) for one in value] if field.is_repeated else _word(field, value)


def _word(field: FieldDescriptor, value: Any) -> Any:
    if field.enum_type is not None:
        return word_of(field.enum_type, value)
    return _values(value) if field.message_type is not None else value


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
