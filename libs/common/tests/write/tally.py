"""A tiny rule book for the kernel's tests: a stream counts, and its one seat can be taken once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from contactcenter.bus.v1 import envelope_pb2
from switchlog.decider import Decider, Rejected
from switchlog.envelope import Cause, Codec, Source, StreamId


@dataclass(frozen=True)
class Counted:
    by: str
    text: str = ""


@dataclass(frozen=True)
class SeatTaken:
    by: str


@dataclass(frozen=True)
class SeatLeft:
    by: str


TallyEvent = Counted | SeatTaken | SeatLeft


@dataclass(frozen=True)
class Count:
    """``times`` events at once."""

    by: str
    times: int = 1
    text: str = ""


@dataclass(frozen=True)
class TakeSeat:
    by: str


@dataclass(frozen=True)
class LeaveSeat:
    by: str


@dataclass(frozen=True)
class Explode:
    """A bug in the rule book."""


Command = Count | TakeSeat | LeaveSeat | Explode


@dataclass(frozen=True)
class Tally:
    count: int = 0
    seat: str = ""


def decide(command: Command, state: Tally, now: int) -> list[TallyEvent]:
    match command:
        case Count(by, times, text):
            return [Counted(by, text)] * times
        case TakeSeat(by) if state.seat == by:
            return []
        case TakeSeat(by) if not state.seat:
            return [SeatTaken(by)]
        case TakeSeat():
            raise Rejected("TAKEN", state.seat)
        case LeaveSeat(by):
            return [SeatLeft(by)] if state.seat == by else []
        case _:
            raise ZeroDivisionError("a bug")


def evolve(state: Tally, event: TallyEvent) -> Tally:
    match event:
        case Counted():
            return replace(state, count=state.count + 1)
        case SeatTaken(by):
            return replace(state, seat=by)
        case SeatLeft():
            return replace(state, seat="")


TALLY = Decider(Tally(), decide, evolve)


FACTS = {"counted": "Counted", "seat_taken": "SeatTaken", "seat_left": "SeatLeft"}


def _messages() -> dict[str, Any]:
    """``switchlog.tests.v1``: what a context's proto file declares, made here because strangers never see it."""
    file = descriptor_pb2.FileDescriptorProto(
        name="switchlog/tests/v1/tally.proto", package="switchlog.tests.v1", syntax="proto3"
    )
    file.dependency.append(envelope_pb2.DESCRIPTOR.name)
    text = descriptor_pb2.FieldDescriptorProto.TYPE_STRING
    inner = descriptor_pb2.FieldDescriptorProto.TYPE_MESSAGE
    for name, fields in (("Counted", ("by", "text")), ("SeatTaken", ("by",)), ("SeatLeft", ("by",))):
        fact = file.message_type.add(name=name)
        for number, field in enumerate(fields, start=1):
            fact.field.add(name=field, number=number, type=text, label=1)
    event = file.message_type.add(name="TallyEvent")
    event.oneof_decl.add(name="fact")
    event.field.add(name="meta", number=1, type=inner, label=1, type_name=".contactcenter.bus.v1.EventMeta")
    for number, (field, kind) in enumerate(FACTS.items(), start=10):
        kind = f".switchlog.tests.v1.{kind}"
        event.field.add(name=field, number=number, type=inner, label=1, type_name=kind, oneof_index=0)
    pool = descriptor_pool.Default()
    pool.Add(file)
    names = (*FACTS.values(), "TallyEvent")
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"switchlog.tests.v1.{name}"))
        for name in names
    }


MESSAGES = _messages()
TallyMessage = MESSAGES["TallyEvent"]


def write(event: TallyEvent) -> Any:
    match event:
        case Counted(by, text):
            return TallyMessage(counted=MESSAGES["Counted"](by=by, text=text))
        case SeatTaken(by):
            return TallyMessage(seat_taken=MESSAGES["SeatTaken"](by=by))
        case SeatLeft(by):
            return TallyMessage(seat_left=MESSAGES["SeatLeft"](by=by))


def read(message: Any) -> TallyEvent | None:
    match message.WhichOneof("fact"):
        case "counted":
            return Counted(message.counted.by, message.counted.text)
        case "seat_taken":
            return SeatTaken(message.seat_taken.by)
        case "seat_left":
            return SeatLeft(message.seat_left.by)
        case _:
            return None


def codec(topic: str = "tally.events.v1", service: str = "tally") -> Codec[TallyEvent]:
    return Codec(service, topic, TallyMessage, write, read)


def stream(name: str = "tally-1", tenant: str = "acme") -> StreamId:
    return StreamId(tenant, name)


def cause(command_id: str, digest: str = "d", source: Source | None = None, **more: Any) -> Cause:
    return Cause(command_id, digest, actor="test", source=source, **more)
