"""What buf cannot refuse: a string without a data class, a secret on a topic, a map, a topic that does not add up."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator

import described
from described import Contracts, Message
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from contactcenter.bus.v1 import options_pb2

META = "contactcenter.bus.v1.EventMeta"
UNSPECIFIED = "DATA_CLASS_UNSPECIFIED"
# from harmless to harmful; a topic's class is at least that of everything on it
ORDER = ["DATA_CLASS_NONE", "DATA_CLASS_AGENT", "DATA_CLASS_SUBJECT", "DATA_CLASS_SECRET"]
TOPIC_NAME = re.compile(r"[a-z]+\.[a-z-]+\.v[0-9]+\Z")


def problems(files: FileDescriptorSet) -> list[str]:
    """Everything wrong in ``files``, one sentence each."""
    contracts = described.described(files)
    found = [problem for message in contracts.messages.values() for problem in _fields(message)]
    return found + [problem for message in contracts.topics() for problem in _topic(message, contracts)]


def _fields(message: Message) -> Iterator[str]:
    for field in message.fields:
        where = f"{message.name}.{field.name}"
        if field.type == "string" and field.data_class == UNSPECIFIED:
            yield f"{where}: a string needs a data class"
        if field.type == f"{message.name}.{_entry(field.name)}":
            yield f"{where}: no map fields, they serialise in any order"
        if field.name.endswith("_ms") and field.type != "int64":
            yield f"{where}: milliseconds are int64"


def _entry(field: str) -> str:
    return "".join(word.capitalize() for word in field.split("_")) + "Entry"


def _topic(message: Message, contracts: Contracts) -> Iterator[str]:
    said = message.topic
    assert said is not None
    if not TOPIC_NAME.match(said.name):
        yield f"{message.name}: {said.name!r} is not <context>.<what>.v<N>"
    if not (said.key and said.partitions > 0 and said.owners):
        yield f"{said.name}: key, partitions and owners must be said"
    if said.compacted == bool(said.retention_ms):
        yield f"{said.name}: either compacted or a retention_ms"
    yield from _envelope(message)
    yield from _sensitivity(message, contracts)


def _envelope(message: Message) -> Iterator[str]:
    facts = [field for field in message.fields if field.oneof == "fact"]
    if not facts:
        return
    if not any(field.number == 1 and field.type == META for field in message.fields):
        yield f"{message.name}: field 1 must be `{META} meta`"
    package = message.name.rpartition(".")[0]
    for fact in facts:
        if fact.number < 10 or not fact.type.startswith(f"{package}."):
            yield f"{message.name}.{fact.name}: facts are messages of this package from field 10 on"


def _sensitivity(message: Message, contracts: Contracts) -> Iterator[str]:
    assert message.topic is not None
    allowed = message.topic.data_class
    inside = (contracts.messages[name] for name in contracts.reachable(message.name) if name in contracts.messages)
    for field, where in ((field, each.name) for each in inside for field in each.fields):
        rank = ORDER.index(field.data_class) if field.data_class in ORDER else 0
        if rank == len(ORDER) - 1:
            yield f"{message.topic.name}: {where}.{field.name} is secret and never travels"
        elif rank > _rank(allowed):
            yield f"{message.topic.name}: {where}.{field.name} is more sensitive than the topic says"


def _rank(data_class: options_pb2.DataClass.ValueType) -> int:
    name = options_pb2.DataClass.Name(data_class)
    return ORDER.index(name) if name in ORDER else 0


if __name__ == "__main__":
    wrong = problems(described.load())
    print("\n".join(wrong) or "contracts: every string has a data class, every topic adds up")
    sys.exit(1 if wrong else 0)
