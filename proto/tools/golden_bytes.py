"""The golden bytes: one sample of every fact and row ever shipped, which must decode for ever (proto/golden)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from generate_stubs import PROTO
from google.protobuf import json_format, message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor, OneofDescriptor
from google.protobuf.descriptor_pool import Default
from google.protobuf.message import Message

from contactcenter import catalogue

GOLDEN = PROTO / "golden"
EPOCH_MS = 1_780_000_000_123
# a sample has to be told which way to go wherever a message offers a choice
CHOICES = ("fact", "input", "command")


def cases() -> dict[str, Message]:
    """A filled sample of everything that may stand on a topic, by its golden name: a fact's or a row's full name."""
    found: dict[str, Message] = {}
    for topic in catalogue.TOPICS:
        descriptor = Default().FindMessageTypeByName(topic.message)
        found |= {name: _sample(descriptor, way) for name, way in _ways(descriptor)}
    return found


def _ways(descriptor: Descriptor) -> Iterator[tuple[str, tuple[str, ...]]]:
    choice = _choice(descriptor)
    if choice is None:
        yield descriptor.full_name, ()
    elif choice.name == "fact":
        yield from ((_inner(field).full_name, (field.name,)) for field in choice.fields)
    else:
        for field in choice.fields:
            deeper = choice.name == "input" and field.name == "command"
            inner = _choice(_inner(field)) if deeper else None
            ends = [(field.name, each.name) for each in inner.fields] if inner else [(field.name,)]
            yield from ((".".join((descriptor.full_name, *end)), end) for end in ends)


def _inner(field: FieldDescriptor) -> Descriptor:
    assert field.message_type is not None
    return field.message_type


def _choice(descriptor: Descriptor) -> OneofDescriptor | None:
    return next((each for each in descriptor.oneofs if each.name in CHOICES), None)


def _sample(descriptor: Descriptor, way: tuple[str, ...] = (), seed: int = 0) -> Message:
    """A message with every field set from the field's name and number; ``way`` says which members of the choices."""
    message: Message = message_factory.GetMessageClass(descriptor)()
    chosen = _choice(descriptor)
    for field in descriptor.fields:
        if chosen is not None and field.containing_oneof is chosen:
            if field.name != (way[0] if way else chosen.fields[0].name):
                continue
            getattr(message, field.name).CopyFrom(_sample(_inner(field), way[1:], seed))
        elif field.is_repeated:
            getattr(message, field.name).extend([_value(field, seed), _value(field, seed + 1)])
        elif field.message_type is not None:
            getattr(message, field.name).CopyFrom(_value(field, seed))
        else:
            setattr(message, field.name, _value(field, seed))
    return message


def _value(field: FieldDescriptor, seed: int) -> object:
    if field.message_type is not None:
        if field.message_type.full_name == "google.protobuf.Timestamp":
            stamp = message_factory.GetMessageClass(field.message_type)()
            stamp.FromMilliseconds(EPOCH_MS + 1000 * field.number + seed)  # type: ignore[attr-defined]
            return stamp
        return _sample(field.message_type, (), seed)
    match field.cpp_type:
        case FieldDescriptor.CPPTYPE_STRING if field.type == FieldDescriptor.TYPE_BYTES:
            return bytes([field.number % 256, seed, 0, 255])
        case FieldDescriptor.CPPTYPE_STRING:
            return f"{field.name}-{seed} 值"
        case FieldDescriptor.CPPTYPE_BOOL:
            return True
        case FieldDescriptor.CPPTYPE_DOUBLE:
            return 0.5 + field.number
        case FieldDescriptor.CPPTYPE_ENUM:
            assert field.enum_type is not None
            return field.enum_type.values[1].number
        case _:
            return 1000 * field.number + seed


def encoded(message: Message) -> bytes:
    return message.SerializeToString(deterministic=True)


def as_json(message: Message) -> str:
    return json_format.MessageToJson(message, preserving_proto_field_name=True, ensure_ascii=False, indent=1) + "\n"


def value_class(name: str) -> type[Message]:
    """The message that a golden file called ``name`` holds: the topic's message of that fact or row."""
    for topic in catalogue.TOPICS:
        if name in (topic.message, *topic.facts) or name.startswith(f"{topic.message}."):  # rows, facts, inputs
            return message_factory.GetMessageClass(Default().FindMessageTypeByName(topic.message))
    raise KeyError(name)


def stored(name: str) -> list[Path]:
    """The golden files of ``name``: the first, and one more (`@2`, `@3` ...) for each time that it grew."""
    return sorted(path for path in GOLDEN.glob("*.bin") if path.stem.partition("@")[0] == name)


def missing() -> dict[Path, Message]:
    """The samples that no golden file holds yet, by the file that should: new facts, and facts with new fields."""
    found: dict[Path, Message] = {}
    for name, message in cases().items():
        files = stored(name)
        if encoded(message) not in [path.read_bytes() for path in files]:
            found[GOLDEN / (f"{name}@{len(files) + 1}.bin" if files else f"{name}.bin")] = message
    return found


def main() -> None:
    """Writes what is missing; what is there is never touched, because somebody's log may hold such bytes."""
    GOLDEN.mkdir(exist_ok=True)
    new = missing()
    for path, message in new.items():
        path.write_bytes(encoded(message))
        path.with_suffix(".json").write_text(as_json(message), encoding="utf-8")
        print(f"golden: {path.stem}")
    print(f"golden: {len(new)} new, {len(list(GOLDEN.glob('*.bin')))} in all")


if __name__ == "__main__":
    main()
