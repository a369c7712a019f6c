"""A rule book for the benchmarks: people say something in a conversation, with facts of contact.events.v1."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from contactcenter.bus.v1.envelope_pb2 import Sealed
from contactcenter.contact.v1 import events_pb2 as pb
from switchlog.decider import Decider, Rejected
from switchlog.envelope import Cause, Codec, Row, StreamId, compose
from switchlog.ids import new_id

DIGEST = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
BODY = b"0123456789abcdef" * 4  # a sealed sentence
NONCE = b"0123456789ab"
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@dataclass(frozen=True, slots=True)
class Said:
    message_id: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Say:
    message_id: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Conversation:
    """``last`` is the latest message's id."""

    said: int = 0
    last: str = ""


def decide(command: Say, state: Conversation, now: int) -> Sequence[Said]:
    if command.message_id == state.last:
        return []
    if state.said >= 1_000_000:
        raise Rejected("TALKED_OUT")
    return [Said(command.message_id, command.body)]


def evolve(state: Conversation, event: Said) -> Conversation:
    return Conversation(state.said + 1, event.message_id)


def write(event: Said) -> pb.ContactEvent:
    body = Sealed(key_id="subject-7f3c", nonce=NONCE, ciphertext=event.body)
    fact = pb.MessageReceived(
        leg=1,
        queue="sales",
        pool="front",
        message_id=event.message_id,
        kind=pb.MESSAGE_KIND_TEXT,
        body=body,
        sender=pb.SENDER_KIND_CUSTOMER,
    )
    return pb.ContactEvent(message_received=fact)


def read(message: pb.ContactEvent) -> Said | None:
    fact = message.message_received
    return Said(fact.message_id, fact.body.ciphertext)


CONVERSATION: Decider[Say, Conversation, Said] = Decider(Conversation(), decide, evolve)
CODEC: Codec[Said] = Codec("ingress_chat", "contact.events.v1", pb.ContactEvent, write, read)


def streams(count: int, tenant: str) -> list[StreamId]:
    return [StreamId(tenant, f"contact-{n:06d}") for n in range(count)]


def cause() -> Cause:
    return Cause(new_id(), DIGEST, "visitor", traceparent=TRACE)


def say() -> Say:
    return Say(new_id(), BODY)


def ready_rows(stream: StreamId, first: int, count: int) -> list[Row]:
    """Rows as the writer would make them, for ceilings that spend nothing on it."""
    decided = [(cause(), [Said(new_id(), BODY)]) for _ in range(count)]
    return compose(stream, first - 1, decided, CODEC, new_id(), 1_790_000_000_000)
