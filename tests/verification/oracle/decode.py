"""Records into one Arrow table a fact, columns as the contract names them; nothing here knows what a fact means.

Times become epoch milliseconds, enums lower-case words without prefix, nested messages columns with a prefix. Sealed
text, repeated messages and facts within facts (what a pool observed) are left out: no figure is made of them, but of
the slots of an agent (``LISTS``).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from operator import attrgetter
from typing import Any

import pyarrow as pa
from google.protobuf.descriptor import Descriptor, FieldDescriptor

from contactcenter.catalogue import Topic

from .topics import EVENTS, First, Record

F = FieldDescriptor
INTEGERS = {F.TYPE_INT32, F.TYPE_INT64, F.TYPE_UINT32, F.TYPE_UINT64}
PLAIN = {F.TYPE_STRING: pa.string(), F.TYPE_BOOL: pa.bool_(), F.TYPE_DOUBLE: pa.float64()}
TIMESTAMP = "google.protobuf.Timestamp"
DEEPEST = 2
LISTS = {"ChannelCapacity"}
"""Repeated messages that become lists of structs."""


@dataclass(frozen=True)
class Column:
    """One scalar of a fact: how to get its raw value, and what becomes of it."""

    name: str
    raw: Callable[[Any], Any]
    type: pa.DataType
    shown: Callable[[Any], Any]


@dataclass(frozen=True)
class Facts:
    """``tables`` by fact (``contact_queued``), each event once; how many records and repeats there were."""

    tables: Mapping[str, pa.Table]
    records: int
    repeats: int


def decode(records: Iterable[Record]) -> Facts:
    """Every event's first occurrence. Raises what ``First`` raises, and ``DecodeError``."""
    first, count = First(), 0
    rows: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
    readers = {name: _message(topic) for name, topic in EVENTS.items()}
    columns = {name: found for topic in EVENTS.values() for name, found in _facts_of(topic)}
    for record in records:
        count += 1
        event: Any = readers[record.topic].FromString(record.value)
        if first.is_new(record, event.meta.version) and (name := event.WhichOneof("fact")):
            fact = getattr(event, name)
            rows[name].append((*_meta(record, event.meta), *(one.raw(fact) for one in columns[name])))
    return Facts({name: _table(rows[name], found) for name, found in columns.items()}, count, first.repeats)


def _meta(record: Record, meta: Any) -> tuple[Any, ...]:
    return (
        meta.tenant_id,
        meta.stream,
        meta.version,
        meta.occurred_at.seconds * 1000 + meta.occurred_at.nanos // 1_000_000,
        meta.recorded_at.seconds * 1000 + meta.recorded_at.nanos // 1_000_000,
        record.offset,
    )


_META = [
    *(("tenant", pa.string()), ("stream", pa.string()), ("version", pa.int64())),
    *(("happened", pa.int64()), ("recorded", pa.int64()), ("kafka_offset", pa.int64())),
]


def _table(rows: list[tuple[Any, ...]], columns: list[Column]) -> pa.Table:
    """The rows turned into columns, with the right types also when there are none."""
    turned = list(zip(*rows, strict=True)) if rows else [()] * (len(_META) + len(columns))
    named = [(name, pa.array(values, type)) for (name, type), values in zip(_META, turned, strict=False)]
    for column, values in zip(columns, turned[len(_META) :], strict=True):
        named.append((column.name, pa.array([column.shown(value) for value in values], column.type)))
    return pa.table([array for _, array in named], names=[name for name, _ in named])


def _facts_of(topic: Topic) -> Iterator[tuple[str, list[Column]]]:
    for field in _message(topic).DESCRIPTOR.oneofs_by_name["fact"].fields:
        yield field.name, list(_columns(field.message_type))


def _columns(message: Descriptor, path: str = "", depth: int = 0) -> Iterator[Column]:
    for field in message.fields:
        name, where = f"{path}{field.name}".replace(".", "_"), f"{path}{field.name}"
        if field.message_type is not None:
            yield from _of_message(field, name, where, depth)
        elif field.is_repeated and field.type in INTEGERS:
            yield Column(name, attrgetter(where), pa.list_(pa.int64()), list)
        elif not field.is_repeated and field.type != F.TYPE_BYTES:
            yield _scalar(field, name, where)


def _of_message(field: FieldDescriptor, name: str, where: str, depth: int) -> Iterator[Column]:
    kind = field.message_type
    if field.is_repeated and kind.name in LISTS:
        yield _list(kind, name, where)
    elif field.is_repeated or "meta" in kind.fields_by_name or kind.name == "Sealed":
        return
    elif kind.full_name == TIMESTAMP:
        yield Column(name, attrgetter(f"{where}.seconds", f"{where}.nanos"), pa.int64(), _milliseconds)
    elif depth < DEEPEST:
        yield from _columns(kind, f"{where}.", depth + 1)


def _list(kind: Descriptor, name: str, where: str) -> Column:
    inner = list(_columns(kind))
    type_ = pa.list_(pa.struct([(one.name, one.type) for one in inner]))
    return Column(
        name,
        attrgetter(where),
        type_,
        lambda found: [{one.name: one.shown(one.raw(each)) for one in inner} for each in found],
    )


def _scalar(field: FieldDescriptor, name: str, where: str) -> Column:
    if field.type == F.TYPE_ENUM:
        words = _words(field)
        return Column(name, attrgetter(where), pa.string(), words.get)
    return Column(name, attrgetter(where), PLAIN.get(field.type, pa.int64()), lambda value: value)


def _milliseconds(at: tuple[int, int]) -> int | None:
    return at[0] * 1000 + at[1] // 1_000_000 if any(at) else None


def _words(field: FieldDescriptor) -> dict[int, str]:
    names = {value.number: value.name for value in field.enum_type.values}
    prefix = names[0].removesuffix("UNSPECIFIED")
    return {number: name.removeprefix(prefix).lower() for number, name in names.items()}


def _message(topic: Topic) -> Any:
    package, _, name = topic.message.rpartition(".")
    return getattr(import_module(f"{package}.events_pb2"), name)
