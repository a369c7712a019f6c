"""One record as handlers see it: key and CloudEvents headers read and checked, the value untouched."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple, Protocol, TypeVar

from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import DecodeError, Message
from google.protobuf.unknown_fields import UnknownFieldSet

from contactcenter.bus.v1.envelope_pb2 import EventMeta
from switchlog.envelope import Row, StreamId
from switchlog.errors import Poison

M = TypeVar("M", bound=Message)
MessageType = type[M]

# Topics that `EventLogService.Replay` fills bear this prefix; reactions never run on them (trust, Side effects).
REPLAY_PREFIX = "replay."
# What is wrong with the record itself and not with its stream: dead-lettered, the stream goes on.
OF_THE_RECORD = frozenset(
    {"UNDECODABLE", "FORGED", "BAD_STREAM_KEY", "BAD_HEADERS", "NOT_IN_OWNERS_LOG", "UNKNOWN_OWNER"}
)

# Every topic's event message has its EventMeta in this field (contracts, Envelope).
META = 1

MAX_DIGITS = 16

_SOURCE = b"/switchlog/"


class Raw(Protocol):
    """What a Kafka client gives (aiokafka's ``ConsumerRecord``)."""

    @property
    def topic(self) -> str: ...
    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Sequence[tuple[str, bytes]]: ...


class Received(NamedTuple):
    """A record: where it stood, whose event ``version`` of which ``stream`` it is, and the published bytes.

    ``healed`` ones were read from the owner's log in place of a missing record and stand at the offset of the record
    that showed the gap. A plain row (``read_row``) has version 0 and neither type, id nor service.
    """

    topic: str
    partition: int
    offset: int
    key: str
    stream: StreamId
    version: int
    type: str
    event_id: str
    service: str
    value: bytes
    headers: dict[str, bytes]
    healed: bool = False
    replayed: bool = False
    deleted: bool = False

    def parse(self, message: MessageType[M]) -> M:
        """The value as ``message``; raises ``Poison``: UNDECODABLE, or FORGED when its meta denies the headers."""
        try:
            parsed = message.FromString(self.value)
        except DecodeError as error:
            raise Poison("UNDECODABLE", str(error)) from error
        if self.version:
            self._check(parsed.meta)  # type: ignore[attr-defined]  # every event message has one
        return parsed

    def _check(self, meta: EventMeta) -> None:
        stream = self.stream
        if meta.version != self.version or meta.stream != stream.name or meta.tenant_id != stream.tenant:
            raise Poison("FORGED", f"meta of {self.key} v{self.version} names another stream or version")

    def meta(self) -> EventMeta:
        """Who, when and why, whatever the topic's message is; raises ``Poison("UNDECODABLE")``."""
        try:
            fields = UnknownFieldSet(Empty.FromString(self.value))
            found = (fields[n] for n in range(len(fields)))
            return EventMeta.FromString(next(field.data for field in found if field.field_number == META))
        except (DecodeError, StopIteration, TypeError) as error:
            raise Poison("UNDECODABLE", "no meta in field 1") from error

    @property
    def traceparent(self) -> str:
        """The producer's W3C trace context; empty when it sent none."""
        return self.headers.get("traceparent", b"").decode("latin-1")


@lru_cache(maxsize=65_536)
def _stream(key: bytes) -> tuple[str, StreamId]:
    try:
        text = key.decode()
    except UnicodeDecodeError as error:
        raise Poison("BAD_STREAM_KEY", "not UTF-8") from error
    return text, StreamId.parse(text)


@lru_cache(maxsize=4_096)
def _origin(kind: bytes, source: bytes) -> tuple[str, str]:
    """The fact's type and its owner's name."""
    if not source.startswith(_SOURCE):
        raise Poison("BAD_HEADERS", "ce_source is not /switchlog/<service>")
    return kind.decode(), source[len(_SOURCE) :].decode()


def read_event(raw: Raw) -> Received:
    """``raw`` as an event; raises ``Poison`` when key and headers are missing, malformed or contradict each other."""
    headers = dict(raw.headers)
    if raw.key is None or raw.value is None:
        raise Poison("BAD_HEADERS", "an event has a key and a value")
    key, stream = _stream(raw.key)
    try:
        if headers["ce_tenantid"] + b"/" + headers["ce_subject"] != raw.key:
            raise Poison("FORGED", "the key names another stream than the headers")
        digits = headers["ce_streamversion"]
        version = int(digits) if digits.isdigit() and len(digits) < MAX_DIGITS else 0
        kind, service = _origin(headers["ce_type"], headers["ce_source"])
        identity = headers["ce_id"].decode()
    except (KeyError, ValueError) as error:  # UnicodeDecodeError is a ValueError
        raise Poison("BAD_HEADERS", f"{type(error).__name__}: {error}"[:120]) from error
    if version < 1:
        raise Poison("BAD_HEADERS", "ce_streamversion is not a version from 1 on")
    replayed = raw.topic.startswith(REPLAY_PREFIX)
    # fmt: off
    return Received(
        raw.topic, raw.partition, raw.offset, key, stream, version, kind, identity, service, raw.value, headers,
        False, replayed,
    )
    # fmt: on


def read_row(raw: Raw) -> Received:
    """``raw`` as a plain row (compacted and internal topics): the key is its identity, no value means deleted."""
    key, stream = _stream(raw.key or b"")
    headers, value = dict(raw.headers), raw.value or b""
    return Received(
        raw.topic, raw.partition, raw.offset, key, stream, 0, "", "", "", value, headers, deleted=raw.value is None
    )


def from_row(row: Row, at: Received) -> Received:
    """The owner's stored ``row`` of ``at``'s stream, standing where ``at`` stood."""
    return at._replace(
        version=row.version,
        type=row.type,
        event_id=row.event_id,
        value=row.value,
        headers=dict(row.headers),
        healed=True,
    )


class Kept(NamedTuple):
    """A record laid aside, as a ``Raw`` again."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]


def as_raw(received: Received) -> Kept:
    """``received`` as it stood on its topic."""
    return Kept(
        received.topic, received.partition, received.offset, received.key.encode(), received.value,
        tuple(received.headers.items()),
    )  # fmt: skip
