"""The contracts as descriptors with their comments: what the lint, the documents and the golden bytes are made from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from generate_stubs import PROTO, proto_files, protoc
from google.protobuf.descriptor_pb2 import DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorSet

from contactcenter.bus.v1 import options_pb2

Path = tuple[int, ...]

DESCRIBED = PROTO.parent / "build" / "proto" / "described.binpb"
REPEATED = FieldDescriptorProto.LABEL_REPEATED
TYPES = {
    number: name.removeprefix("TYPE_").lower()
    for name, number in FieldDescriptorProto.Type.items()
    if name not in ("TYPE_MESSAGE", "TYPE_ENUM")
}


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a message; ``type`` is a scalar's name or the full name of a message or enum."""

    name: str
    number: int
    type: str
    repeated: bool
    oneof: str
    data_class: str
    comment: str


@dataclass(frozen=True, slots=True)
class Message:
    """A message; ``topic`` is set when it is the value of one."""

    name: str
    file: str
    comment: str
    fields: tuple[Field, ...]
    topic: options_pb2.Topic | None

    @property
    def short(self) -> str:
        return self.name.rpartition(".")[2]


@dataclass(frozen=True, slots=True)
class Enum:
    """An enum; ``values`` are (name, comment) in their order."""

    name: str
    values: tuple[tuple[str, str], ...]

    @property
    def words(self) -> list[str]:
        """Its values as HTTP's JSON writes them: lower case, without the prefix, without `unspecified`."""
        prefix = self.values[0][0].removesuffix("UNSPECIFIED")
        return [name.removeprefix(prefix).lower() for name, _ in self.values[1:]]


@dataclass(frozen=True, slots=True)
class Contracts:
    messages: dict[str, Message]
    enums: dict[str, Enum]

    def topics(self) -> list[Message]:
        """The messages that are values of topics, ordered by the topic's name."""
        found = [message for message in self.messages.values() if message.topic is not None]
        return sorted(found, key=lambda message: message.topic.name if message.topic else "")

    def reachable(self, name: str) -> set[str]:
        """Full names of all messages and enums inside a value of message ``name``, itself included."""
        seen: set[str] = set()
        waiting = [name]
        while waiting:
            at = waiting.pop()
            if at not in seen:
                seen.add(at)
                waiting += self._inside(at)
        return seen

    def _inside(self, name: str) -> list[str]:
        fields = self.messages[name].fields if name in self.messages else ()
        return [field.type for field in fields if "." in field.type]


def load() -> FileDescriptorSet:
    """All contracts with their comments, compiled now; raises ``CalledProcessError`` when one does not compile."""
    DESCRIBED.parent.mkdir(parents=True, exist_ok=True)
    ours = [name for name in proto_files() if name.startswith("contactcenter/")]
    protoc(ours, "--include_imports", "--include_source_info", f"--descriptor_set_out={DESCRIBED}")
    return FileDescriptorSet.FromString(DESCRIBED.read_bytes())


def described(files: FileDescriptorSet) -> Contracts:
    """The messages and enums of the packages `contactcenter.*` in ``files``, by full name."""
    messages: dict[str, Message] = {}
    enums: dict[str, Enum] = {}
    for file in files.file:
        if not file.package.startswith("contactcenter."):
            continue
        comments = {tuple(at.path): " ".join(at.leading_comments.split()) for at in file.source_code_info.location}
        for enum, name, path in _enums(file.enum_type, file.message_type, file.package):
            enums[name] = _enum(enum, name, path, comments)
        for message, name, path in _messages(file.message_type, file.package, (4,)):
            messages[name] = _message(message, name, file.name, path, comments)
    return Contracts(messages, enums)


def _messages(found: Iterable[DescriptorProto], scope: str, path: Path) -> Iterator[tuple[DescriptorProto, str, Path]]:
    for n, message in enumerate(found):
        name = f"{scope}.{message.name}"
        yield message, name, (*path, n)
        yield from _messages(message.nested_type, name, (*path, n, 3))


def _enums(
    top: Iterable[EnumDescriptorProto], messages: Iterable[DescriptorProto], package: str
) -> Iterator[tuple[EnumDescriptorProto, str, Path]]:
    yield from ((enum, f"{package}.{enum.name}", (5, n)) for n, enum in enumerate(top))
    for message, name, path in _messages(messages, package, (4,)):
        yield from ((enum, f"{name}.{enum.name}", (*path, 4, n)) for n, enum in enumerate(message.enum_type))


def _enum(enum: EnumDescriptorProto, name: str, path: Path, comments: dict[Path, str]) -> Enum:
    return Enum(name, tuple((value.name, comments.get((*path, 2, n), "")) for n, value in enumerate(enum.value)))


def _message(message: DescriptorProto, name: str, file: str, path: Path, comments: dict[Path, str]) -> Message:
    options = message.options
    topic = options.Extensions[options_pb2.topic] if options.HasExtension(options_pb2.topic) else None
    fields = tuple(_field(field, message, comments.get((*path, 2, n), "")) for n, field in enumerate(message.field))
    return Message(name, file, comments.get(path, ""), fields, topic)


def _field(field: FieldDescriptorProto, message: DescriptorProto, comment: str) -> Field:
    real_oneof = field.HasField("oneof_index") and not field.proto3_optional
    return Field(
        name=field.name,
        number=field.number,
        type=TYPES.get(field.type) or field.type_name.removeprefix("."),
        repeated=field.label == REPEATED,
        oneof=message.oneof_decl[field.oneof_index].name if real_oneof else "",
        data_class=options_pb2.DataClass.Name(field.options.Extensions[options_pb2.data_class]),
        comment=comment,
    )
