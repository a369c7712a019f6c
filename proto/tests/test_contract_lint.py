"""The lint refuses what buf lets pass, and is content with what we ship."""

from collections.abc import Callable

import contract_lint
import described
import pytest
from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet

from contactcenter.bus.v1 import envelope_pb2, options_pb2

TEXT = FieldDescriptorProto.TYPE_STRING


@pytest.fixture(scope="module")
def shipped() -> FileDescriptorSet:
    return described.load()


def test_the_shipped_contracts_have_no_problem(shipped: FileDescriptorSet) -> None:
    assert contract_lint.problems(shipped) == []


def test_every_shipped_string_field_has_a_data_class(shipped: FileDescriptorSet) -> None:
    messages = described.described(shipped).messages.values()
    strings = [field for message in messages for field in message.fields if field.type == "string"]
    assert len(strings) > 700
    assert {field.data_class for field in strings} <= set(contract_lint.ORDER)


def test_every_message_field_and_enum_value_has_a_comment(shipped: FileDescriptorSet) -> None:
    contracts = described.described(shipped)
    assert [message.name for message in contracts.messages.values() if not message.comment] == []
    fields = [f"{message.name}.{field.name}" for message in contracts.messages.values() for field in message.fields
              if not field.comment]  # fmt: skip
    assert fields == []
    assert [name for enum in contracts.enums.values() for name, comment in enum.values if not comment] == []


def field(message: DescriptorProto, name: str, number: int, data_class: int = 0, **said: object) -> None:
    added = message.field.add(name=name, number=number, **{"type": TEXT, "label": 1, **said})
    if data_class:
        added.options.Extensions[options_pb2.data_class] = data_class


def topic_message(file: FileDescriptorProto) -> DescriptorProto:
    """A topic's message without a fault: meta, and one fact."""
    fact = file.message_type.add(name="ThingHappened")
    field(fact, "thing", 1, options_pb2.DATA_CLASS_NONE)
    message = file.message_type.add(name="ThingEvent")
    message.oneof_decl.add(name="fact")
    inner = {"type": FieldDescriptorProto.TYPE_MESSAGE}
    field(message, "meta", 1, **inner, type_name=".contactcenter.bus.v1.EventMeta")
    field(message, "thing_happened", 10, **inner, type_name=".contactcenter.thing.v1.ThingHappened", oneof_index=0)
    message.options.Extensions[options_pb2.topic].CopyFrom(
        options_pb2.Topic(
            name="thing.events.v1",
            key="<tenant_id>/<thing stream>",
            partitions=12,
            retention_ms=1,
            data_class=options_pb2.DATA_CLASS_AGENT,
            owners=["thing"],
        )
    )
    return message


Spoil = Callable[[DescriptorProto, DescriptorProto], None]


def said(message: DescriptorProto) -> options_pb2.Topic:
    return message.options.Extensions[options_pb2.topic]


SUBJECT, SECRET = options_pb2.DATA_CLASS_SUBJECT, options_pb2.DATA_CLASS_SECRET

SPOILED: dict[str, Spoil] = {
    "a string needs a data class": lambda fact, message: field(fact, "name", 2),
    "is secret and never travels": lambda fact, message: field(fact, "key", 2, SECRET),
    "is more sensitive than the topic says": lambda fact, message: field(fact, "who", 2, SUBJECT),
    "milliseconds are int64": lambda fact, message: field(fact, "waited_ms", 2, type=FieldDescriptorProto.TYPE_INT32),
    "no map fields": lambda fact, message: field(
        fact, "tags", 2, type=FieldDescriptorProto.TYPE_MESSAGE, label=3,
        type_name=".contactcenter.thing.v1.ThingHappened.TagsEntry",
    ),
    "field 1 must be": lambda fact, message: message.field.pop(0) and None,
    "from field 10 on": lambda fact, message: setattr(message.field[1], "number", 9),
    "is not <context>.<what>.v<N>": lambda fact, message: setattr(said(message), "name", "things"),
    "key, partitions and owners must be said": lambda fact, message: setattr(said(message), "partitions", 0),
    "either compacted or a retention_ms": lambda fact, message: setattr(said(message), "compacted", True),
}  # fmt: skip


def contracts_with(spoil: Spoil | None) -> FileDescriptorSet:
    files = FileDescriptorSet()
    envelope_pb2.DESCRIPTOR.CopyToProto(files.file.add())
    file = files.file.add(name="contactcenter/thing/v1/events.proto", package="contactcenter.thing.v1", syntax="proto3")
    message = topic_message(file)
    if spoil is not None:
        spoil(file.message_type[0], message)
    return files


def test_a_contract_without_a_fault_passes() -> None:
    assert contract_lint.problems(contracts_with(None)) == []


@pytest.mark.parametrize("words", SPOILED)
def test_the_lint_refuses(words: str) -> None:
    found = contract_lint.problems(contracts_with(SPOILED[words]))
    assert len(found) == 1
    assert words in found[0]


def test_a_string_in_a_nested_message_needs_a_data_class_too() -> None:
    def nested(fact: DescriptorProto, message: DescriptorProto) -> None:
        field(fact.nested_type.add(name="Inner"), "name", 1)

    assert contract_lint.problems(contracts_with(nested)) == [
        "contactcenter.thing.v1.ThingHappened.Inner.name: a string needs a data class"
    ]
