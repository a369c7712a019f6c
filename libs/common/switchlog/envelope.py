"""The stored row and the published record are the same bytes: made and read here (contracts, Envelope)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from itertools import chain
from typing import Generic, Protocol, TypeVar

from google.protobuf.message import Message

from contactcenter.bus.v1.envelope_pb2 import EventMeta
from switchlog.errors import Poison, Rejected
from switchlog.ids import event_id

E = TypeVar("E")

MAX_EVENT_BYTES = 200 * 1024
MAX_BATCH_BYTES = 1024 * 1024
MAX_BATCH_EVENTS = 1000

Headers = tuple[tuple[str, bytes], ...]


class TopicEvent(Protocol):
    """What every topic's message has: ``meta`` and ``oneof fact``."""

    @property
    def meta(self) -> EventMeta: ...


@dataclass(frozen=True, slots=True, order=True)
class StreamId:
    """A stream of one tenant, such as ``contact-7f3c``; ``key`` is its name wherever a stream is a key."""

    tenant: str
    name: str

    @property
    def key(self) -> str:
        return f"{self.tenant}/{self.name}"

    @classmethod
    def parse(cls, key: str) -> StreamId:
        tenant, slash, name = key.partition("/")
        if not (tenant and slash and name):
            raise Poison("BAD_STREAM_KEY", key[:80])
        return cls(tenant, name)


@dataclass(frozen=True, slots=True)
class Source:
    """The foreign fact that a reaction answers: stream key, version, and which of its commands this is.

    ``reaction`` names who reacts: two reactions to one stream advance on their own, or the fast one silences the other.
    """

    stream: str
    version: int
    n: int = 0
    reaction: str = ""

    def __str__(self) -> str:
        return f"{self.stream}#{self.version}#{self.n}#{self.reaction}"

    @classmethod
    def parse(cls, text: str) -> Source | None:
        if not text:
            return None
        stream, version, n, reaction = text.split("#", 3)
        return cls(stream, int(version), int(n), reaction)


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a command is given: who, by which id, in which story.

    ``digest`` is the sha256 of the request's body (hex); ``occurred_at`` is epoch ms, ``None`` = when recorded.
    """

    command_id: str
    digest: str
    actor: str
    causation_id: str = ""
    correlation_id: str = ""
    traceparent: str = ""
    source: Source | None = None
    occurred_at: int | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One stored event: what is published (``type``, ``value``, ``headers``) and what only the store knows."""

    version: int
    event_id: str
    batch_id: str
    command_id: str
    request_sha256: str
    source: str
    type: str
    value: bytes
    headers: Headers
    recorded_at: int

    @property
    def size(self) -> int:
        return len(self.value) + sum(map(len, chain.from_iterable(self.headers)))


@dataclass(frozen=True)
class Codec(Generic[E]):
    """How one context's events become its topic's message and come back.

    ``write(event)`` returns the message with its ``fact`` set and no meta; ``read(message)`` the event, or ``None`` for
    a fact this version does not know (it is skipped, never an error).
    """

    service: str
    topic: str
    message: type[Message]
    write: Callable[[E], Message]
    read: Callable[[Message], E | None]

    def parse(self, value: bytes) -> Message:
        """The topic's message in ``value``; raises ``Poison`` when it is not one."""
        return parse(self.message, value)

    def events(self, rows: Iterable[Row]) -> list[E]:
        """The known events of stored ``rows``."""
        found = (self.read(self.parse(row.value)) for row in rows)
        return [event for event in found if event is not None]


def parse(message: type[Message], value: bytes) -> Message:
    """``value`` as ``message``; raises ``Poison`` when it does not decode."""
    from google.protobuf.message import DecodeError

    try:
        return message.FromString(value)
    except DecodeError as error:
        raise Poison("UNDECODABLE", str(error)) from error


@lru_cache(maxsize=1024)
def timestamp(milliseconds: int) -> str:
    """RFC 3339 in UTC with three decimals."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def compose(
    stream: StreamId,
    expected: int,
    decided: Sequence[tuple[Cause, Sequence[E]]],
    codec: Codec[E],
    batch_id: str,
    now: int,
) -> list[Row]:
    """The rows that append ``decided`` after version ``expected``: ids from causes, one ``now``, deterministic bytes.

    Raises ``Rejected("TOO_LARGE")`` for an event that Kafka would refuse (kernel rule 2).
    """
    rows: list[Row] = []
    for cause, events in decided:
        for n, event in enumerate(events):
            rows.append(_row(stream, expected + len(rows) + 1, n, cause, codec, codec.write(event), batch_id, now))
    return rows


def _row(
    stream: StreamId, version: int, n: int, cause: Cause, codec: Codec[E], message: Message, batch_id: str, now: int
) -> Row:
    fact = message.WhichOneof("fact")
    if fact is None:
        raise TypeError(f"{codec.topic}: write() left the fact unset")
    kind = getattr(message, fact).DESCRIPTOR.full_name
    identity = event_id(stream.tenant, stream.name, cause.command_id, n)
    _stamp(message.meta, stream, version, identity, cause, now)  # type: ignore[attr-defined]
    row = Row(
        version=version,
        event_id=identity,
        batch_id=batch_id,
        command_id=cause.command_id,
        request_sha256=cause.digest,
        source=str(cause.source or ""),
        type=kind,
        value=message.SerializeToString(deterministic=True),
        headers=_headers(stream, version, identity, kind, message, cause, codec.service, now),
        recorded_at=now,
    )
    if row.size > MAX_EVENT_BYTES:
        raise Rejected("TOO_LARGE", f"an event is at most {MAX_EVENT_BYTES} bytes, this is {row.size}", invalid=True)
    return row


def _stamp(meta: EventMeta, stream: StreamId, version: int, identity: str, cause: Cause, now: int) -> None:
    meta.event_id = identity
    meta.tenant_id = stream.tenant
    meta.stream = stream.name
    meta.version = version
    meta.occurred_at.FromMilliseconds(now if cause.occurred_at is None else cause.occurred_at)
    meta.recorded_at.FromMilliseconds(now)
    meta.correlation_id = cause.correlation_id or stream.name
    meta.causation_id = cause.causation_id or cause.command_id
    meta.actor = cause.actor
    meta.traceparent = cause.traceparent


def _headers(
    stream: StreamId, version: int, identity: str, kind: str, message: Message, cause: Cause, service: str, now: int
) -> Headers:
    occurred_at = now if cause.occurred_at is None else cause.occurred_at
    headers: Headers = (
        ("ce_specversion", b"1.0"),
        ("ce_id", identity.encode()),
        ("ce_type", _encoded(kind)),
        ("ce_dataschema", _encoded(message.DESCRIPTOR.full_name)),
        ("ce_source", _encoded(f"/switchlog/{service}")),
        ("ce_subject", stream.name.encode()),
        ("ce_time", _encoded(timestamp(occurred_at))),
        ("ce_tenantid", _encoded(stream.tenant)),
        ("ce_streamversion", str(version).encode()),
        ("content-type", b"application/protobuf"),
    )
    return (*headers, ("traceparent", cause.traceparent.encode())) if cause.traceparent else headers


@lru_cache(maxsize=4096)
def _encoded(text: str) -> bytes:
    """For words that come again and again: equal ones share their bytes in memory too."""
    return text.encode()
