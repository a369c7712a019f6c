"""Facts of a pool to protobuf and back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from functools import cache
from typing import Any, cast

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from contactcenter.contact.v1.types_pb2 import Attribute
from contactcenter.routing.v1 import events_pb2 as pb
from contactcenter.routing.v1 import inbox_pb2 as inbox_pb
from switchlog.envelope import Codec

from .adapters.asked import read_order, write_order
from .adapters.carried import read_piece, write_piece
from .adapters.defined import (
    definition_of,
    hours_definition_of,
    hours_of,
    pairs,
    parameters,
    queue_of,
    requirements,
    workflow_definition_of,
    workflow_of,
)
from .adapters.seen import attributes_of, number_of, read_agent, read_contact, skills_of, word_of
from .domain import events as domain
from .domain.definitions import Action, SurgeAction
from .domain.events import Event, Explanation

SERVICE = "routing"
TOPIC = "routing.events.v1"
TIMESTAMP = "google.protobuf.Timestamp"


# -- own facts: fields of the same name; times, enum words and skills in their proto shape -----------------------------


def write(event: Event) -> Message:
    """The topic's message with its fact set."""
    message = pb.RoutingEvent()
    fact = getattr(message, _fact_of(type(event).__name__))
    fact.SetInParent()
    special = _WRITERS.get(type(event))
    if special:
        special(fact, event)
    else:
        _fill(fact, event)
    return message


def read(message: Message) -> Event | None:
    """The event; ``None`` for facts that this version does not know."""
    event = cast(pb.RoutingEvent, message)
    kind = event.WhichOneof("fact")
    shape = _SHAPES.get(kind or "")
    if kind is None or shape is None:
        return None
    special = _READERS.get(shape)
    fact = getattr(event, kind)
    return special(fact) if special else cast(Event, shape(**_values(fact, shape)))


CODEC: Codec[Event] = Codec(SERVICE, TOPIC, pb.RoutingEvent, write, read)


@cache
def _fact_of(name: str) -> str:
    """``ContactOffered`` -> ``contact_offered``."""
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")


def _fill(message: Any, event: Any) -> None:
    known = message.DESCRIPTOR.fields_by_name
    for field in fields(event):
        value = getattr(event, field.name)
        if value or value == 0:
            _set(message, known[field.name], value)


def _set(message: Any, field: FieldDescriptor, value: Any) -> None:
    if field.message_type is not None and field.message_type.full_name == TIMESTAMP:
        if value:
            getattr(message, field.name).FromMilliseconds(value)
    elif field.enum_type is not None:
        setattr(message, field.name, number_of(field.enum_type, value))
    elif field.name in _SHAPED:
        getattr(message, field.name).extend(_SHAPED[field.name][0](value))
    elif field.name == "explanation":
        _write_explanation(message.explanation, value)
    else:
        setattr(message, field.name, value)


def _values(message: Any, shape: type[Any]) -> dict[str, Any]:
    return {
        name: getattr(message, name) if read is None else read(getattr(message, name))
        for name, read in _reading(_fact_of(shape.__name__))
    }


@cache
def _reading(kind: str) -> tuple[tuple[str, Callable[[Any], Any] | None], ...]:
    """How each field of a fact is read; looked up once, for a log is read by the million."""
    fact = pb.RoutingEvent.DESCRIPTOR.fields_by_name[kind].message_type
    assert fact is not None
    return tuple((field.name, _reader(fact.fields_by_name[field.name])) for field in fields(_SHAPES[kind]))


def _reader(field: FieldDescriptor) -> Callable[[Any], Any] | None:
    """``None``: as it is."""
    if field.message_type is not None and field.message_type.full_name == TIMESTAMP:
        return _milliseconds
    if field.enum_type is not None:
        words, enum = _ENUMS.get(field.enum_type.name, str), field.enum_type
        return lambda number: words(word_of(enum, number))
    if field.name == "explanation":
        return _read_explanation
    return _SHAPED[field.name][1] if field.name in _SHAPED else None


def _milliseconds(instant: Any) -> int:
    return int(instant.seconds * 1000 + instant.nanos // 1_000_000)


def _write_explanation(said: pb.Explanation, why: Explanation) -> None:
    said.considered, said.cause_version = why.considered, why.cause_version
    said.tie_break, said.winner, said.score = why.tie_break, why.winner, why.score
    for reason, count in why.refused:
        said.refused.add(candidate_class="agent", reason=reason, count=count)


def _read_explanation(said: pb.Explanation) -> Explanation:
    refused = tuple((one.reason, one.count) for one in said.refused)
    return Explanation(said.considered, refused, said.tie_break, said.winner, said.score, said.cause_version)


def _write_observed(fact: Any, event: domain.ContactObserved | domain.AgentObserved) -> None:
    fact.source_stream, fact.source_version, fact.inbox_offset = event.source, event.version, event.inbox_offset
    fact.fact.ParseFromString(event.raw)


def _read_contact_observed(fact: pb.ContactObserved) -> Event:
    return domain.ContactObserved(fact.source_stream, fact.source_version, read_contact(fact.fact), fact.inbox_offset)


def _read_agent_observed(fact: pb.AgentObserved) -> Event:
    return domain.AgentObserved(fact.source_stream, fact.source_version, read_agent(fact.fact), fact.inbox_offset)


def _write_overflow_observed(fact: pb.OverflowObserved, event: domain.OverflowObserved) -> None:
    fact.source_stream, fact.source_version, fact.inbox_offset = event.source, event.version, event.inbox_offset
    fact.contact, fact.origin_queue, fact.to_queue = event.contact, event.origin_queue, event.to_queue


def _read_overflow_observed(fact: pb.OverflowObserved) -> Event:
    about = fact.contact, fact.origin_queue, fact.to_queue
    return domain.OverflowObserved(fact.source_stream, fact.source_version, *about, fact.inbox_offset)


def _write_dequeued(fact: pb.ContactDequeued, event: domain.ContactDequeued) -> None:
    _fill(fact, event)
    fact.waited_ms = event.left_at - event.queued_at


def _write_defined(fact: pb.QueueDefined, event: domain.QueueDefined) -> None:
    fact.definition.CopyFrom(definition_of(event.queue))
    fact.command_id, fact.reason = event.command_id, event.reason
    fact.removed, fact.to_pool = event.removed, event.to_pool


def _read_defined(fact: pb.QueueDefined) -> Event:
    return domain.QueueDefined(queue_of(fact.definition), fact.command_id, fact.removed, fact.to_pool, fact.reason)


def _write_hours(fact: pb.HoursDefined, event: domain.HoursDefined) -> None:
    fact.definition.CopyFrom(hours_definition_of(event.hours))
    fact.command_id, fact.removed = event.command_id, event.removed


def _read_hours(fact: pb.HoursDefined) -> Event:
    return domain.HoursDefined(hours_of(fact.definition), fact.command_id, fact.removed)


def _write_workflow(fact: pb.WorkflowDefined, event: domain.WorkflowDefined) -> None:
    fact.definition.CopyFrom(workflow_definition_of(event.workflow))
    fact.command_id, fact.removed = event.command_id, event.removed


def _read_workflow(fact: pb.WorkflowDefined) -> Event:
    return domain.WorkflowDefined(workflow_of(fact.definition), fact.command_id, fact.removed)


def _write_refused(fact: pb.CommandRefused, event: domain.CommandRefused) -> None:
    fact.command_id, fact.reason, fact.command = event.command_id, event.reason, event.command
    fact.offer_id, fact.contact, fact.detail = event.offer_id, event.contact, event.detail
    if event.request is not None:
        asked = inbox_pb.PoolCommand()
        write_order(asked, event.request)
        fact.request = asked.SerializeToString(deterministic=True)


def _read_refused(fact: pb.CommandRefused) -> Event:
    asked = read_order(inbox_pb.PoolCommand.FromString(fact.request)) if fact.request else None
    known = fact.command_id, fact.reason, fact.command, fact.offer_id, fact.contact
    return domain.CommandRefused(*known, asked, fact.detail)


_ENUMS: dict[str, Callable[[str], Any]] = {
    "DequeueOutcome": domain.Outcome,
    "WithdrawReason": domain.Withdrawal,
    "TimerKind": domain.TimerKind,
    "OverflowAction": Action,
    "SurgeAction": SurgeAction,
}
_SHAPED: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "required_skills": (requirements, skills_of),
    "own_skills": (requirements, skills_of),
    "parameters": (parameters, pairs),
    "attributes": (lambda given: [Attribute(key=key, value=value) for key, value in given], attributes_of),
}
_SHAPES: dict[str, type[Any]] = {_fact_of(shape.__name__): shape for shape in domain.Event.__args__}
_WRITERS: dict[type[Any], Callable[[Any, Any], None]] = {
    domain.ContactObserved: _write_observed,
    domain.AgentObserved: _write_observed,
    domain.OverflowObserved: _write_overflow_observed,
    domain.ContactDequeued: _write_dequeued,
    domain.QueueDefined: _write_defined,
    domain.HoursDefined: _write_hours,
    domain.WorkflowDefined: _write_workflow,
    domain.CommandRefused: _write_refused,
    domain.PoolCarried: write_piece,
}
_READERS: dict[type[Any], Callable[[Any], Event]] = {
    domain.ContactObserved: _read_contact_observed,
    domain.AgentObserved: _read_agent_observed,
    domain.OverflowObserved: _read_overflow_observed,
    domain.QueueDefined: _read_defined,
    domain.HoursDefined: _read_hours,
    domain.WorkflowDefined: _read_workflow,
    domain.CommandRefused: _read_refused,
    domain.PoolCarried: read_piece,
}

__all__ = ["CODEC", "SERVICE", "TOPIC", "definition_of", "queue_of", "read", "write"]
