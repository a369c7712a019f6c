"""EventLogService: an owner's log for those who missed something, and the client that heals gaps with it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any

import grpc
from aiokafka.errors import KafkaError

from contactcenter.bus.v1 import event_log_pb2 as pb
from contactcenter.bus.v1 import event_log_pb2_grpc as pb_grpc
from switchlog import rpc
from switchlog.auth.tokens import TokenSource
from switchlog.bus import clients
from switchlog.bus.record import REPLAY_PREFIX
from switchlog.config import KernelSettings
from switchlog.envelope import Row, StreamId
from switchlog.errors import Forbidden, NotFound, NotNow, Poison, Rejected, Unauthenticated
from switchlog.ids import checked_id
from switchlog.outlet import Outlet
from switchlog.store import EventStore

PAGE = 500
# well below the 4 MiB that gRPC takes
MESSAGE_BYTES = 1024 * 1024
HEAL_TIMEOUT_S = 10.0
MAX_VERSION = 10**15
REPLAY_TOPIC = re.compile(r"[A-Za-z0-9._-]{1,249}\Z")
REPLAY_TOPIC_CONFIG = {"retention.ms": "604800000", "message.timestamp.type": "LogAppendTime"}

MakeTopic = Callable[[str], Awaitable[object]]


class EventLog(pb_grpc.EventLogServiceServicer):
    """The servicer. Without an ``outlet`` replays go only into the answer; ``make_topic`` creates a private topic.

    ``ReadStream`` is for services; ``Replay`` also for admins, of their own tenant.
    """

    def __init__(self, events: EventStore, outlet: Outlet | None = None, make_topic: MakeTopic | None = None) -> None:
        self._events, self._outlet, self._make_topic = events, outlet, make_topic

    async def ReadStream(self, request: pb.ReadStreamRequest, context: Any) -> AsyncIterator[pb.ReadStreamResponse]:
        """Stored events after ``after`` up to ``up_to`` (0 = head) in pages; ``NotFound`` for an unknown stream."""
        tenant = rpc.caller(request.tenant_id, "service").tenant
        stream = StreamId(tenant, checked_id(request.stream, "stream"))
        after, upto = min(request.after, MAX_VERSION), min(request.up_to or MAX_VERSION, MAX_VERSION)
        found = False
        async for rows in _pages(self._events, stream, after, upto):
            found = True
            for part in _messages(rows):
                yield pb.ReadStreamResponse(events=[_stored(stream, row) for row in part])
        if not found and await self._events.head(stream) == 0:
            raise NotFound("UNKNOWN_STREAM")

    async def Replay(self, request: pb.ReplayRequest, context: Any) -> AsyncIterator[pb.ReplayResponse]:
        """Every stream of the tenant, one after the other, each in version order; sent back or produced and counted."""
        tenant = rpc.caller(request.tenant_id, "service", "admin").tenant
        if request.topic:
            await self._prepare(request.topic, tenant)
        replayed = 0
        async for stream, rows in self._range(request, tenant):
            for part in _messages(rows):
                replayed += len(part)
                yield await self._give(request.topic, stream, part, replayed)
        yield pb.ReplayResponse(replayed=replayed, done=True)

    async def _give(self, topic: str, stream: StreamId, rows: Sequence[Row], replayed: int) -> pb.ReplayResponse:
        if not topic:
            return pb.ReplayResponse(events=[_stored(stream, row) for row in rows], replayed=replayed)
        assert self._outlet is not None  # checked before the first row was read
        sent = 0
        try:
            while sent < len(rows):
                sent += await self._outlet.publish(topic, stream.key.encode(), rows[sent:])
        except (KafkaError, OSError) as error:
            raise NotNow("KAFKA_AWAY", type(error).__name__) from error
        return pb.ReplayResponse(replayed=replayed)

    async def _prepare(self, topic: str, tenant: str) -> None:
        # never a public topic, never another tenant's
        prefix = f"{REPLAY_PREFIX}{tenant}."
        if not (topic.startswith(prefix) and REPLAY_TOPIC.match(topic)):
            raise Rejected("BAD_TOPIC", f"a private topic is named {prefix}<anything>", invalid=True)
        if self._outlet is None:
            raise Rejected("NO_REPLAY_TOPICS", "this service replays only into the answer")
        if self._make_topic is not None:
            await self._make_topic(topic)

    async def _range(self, request: pb.ReplayRequest, tenant: str) -> AsyncIterator[tuple[StreamId, list[Row]]]:
        begin = request.recorded_from.ToMilliseconds() if request.HasField("recorded_from") else 0
        end = request.recorded_until.ToMilliseconds() if request.HasField("recorded_until") else 1 << 62
        async for stream in _streams(self._events, tenant):
            if stream.name.startswith(request.stream_prefix):
                async for rows in _pages(self._events, stream, 0, MAX_VERSION):
                    if wanted := [row for row in rows if begin <= row.recorded_at < end]:
                        yield stream, wanted
                    if rows[-1].recorded_at >= end:  # it never decreases within a stream (P8)
                        break


def replay_topics(bootstrap: str, partitions: int = 4, *, security: clients.Security | None = None) -> MakeTopic:
    """Creates private topics, kept 7 days."""

    async def make(topic: str) -> bool:
        return await clients.ensure_topic(bootstrap, topic, partitions, REPLAY_TOPIC_CONFIG, security=security)

    return make


class EventLogHealer:
    """Reads rows from their owners by gRPC, over one channel an owner; ``addresses`` is service -> ``host:port``."""

    def __init__(
        self, addresses: Mapping[str, str], tokens: TokenSource, settings: KernelSettings | None = None
    ) -> None:
        self._addresses, self._tokens, self._settings = addresses, tokens, settings
        self._channels: dict[str, grpc.aio.Channel] = {}

    async def read(self, service: str, stream: StreamId, after: int, upto: int) -> list[Row]:
        """Rows with ``after < version <= upto``; raises as ``Healer.read`` says."""
        stub: Any = pb_grpc.EventLogServiceStub(self._channel(service))
        request = pb.ReadStreamRequest(tenant_id=stream.tenant, stream=stream.name, after=after, up_to=upto)
        try:
            answers = [answer async for answer in stub.ReadStream(request, timeout=HEAL_TIMEOUT_S)]
        except (Unauthenticated, Forbidden, grpc.aio.AioRpcError) as error:
            raise NotNow("OWNER_UNREADABLE", f"{service}: {type(error).__name__}") from error
        return [_row(event) for answer in answers for event in answer.events]

    async def close(self) -> None:
        """Close the channels."""
        while self._channels:
            await self._channels.popitem()[1].close()

    def _channel(self, service: str) -> grpc.aio.Channel:
        if service not in self._addresses:
            raise Poison("UNKNOWN_OWNER", f"no address of {service[:64]!r}")
        if service not in self._channels:
            self._channels[service] = rpc.channel(self._addresses[service], self._tokens, settings=self._settings)
        return self._channels[service]


async def _pages(events: EventStore, stream: StreamId, after: int, upto: int) -> AsyncIterator[list[Row]]:
    while after < upto and (rows := await events.read(stream, after, min(PAGE, upto - after))):
        yield rows
        after = rows[-1].version


async def _streams(events: EventStore, tenant: str) -> AsyncIterator[StreamId]:
    after = ""
    while page := await events.streams(tenant, after):
        for stream in page:
            yield stream
        after = page[-1].key


def _messages(rows: Iterable[Row]) -> Iterable[list[Row]]:
    """``rows`` in parts that fit a message."""
    part: list[Row] = []
    size = 0
    for row in rows:
        if part and size + row.size > MESSAGE_BYTES:
            yield part
            part, size = [], 0
        part.append(row)
        size += row.size
    if part:
        yield part


def _stored(stream: StreamId, row: Row) -> pb.StoredEvent:
    headers = [pb.Header(name=name, value=value) for name, value in row.headers]
    return pb.StoredEvent(
        version=row.version, event_id=row.event_id, type=row.type, value=row.value, headers=headers, stream=stream.name
    )


def _row(event: pb.StoredEvent) -> Row:
    """The published part of a row; what only its store knows is empty."""
    headers = tuple((header.name, header.value) for header in event.headers)
    return Row(event.version, event.event_id, "", "", "", "", event.type, event.value, headers, 0)
