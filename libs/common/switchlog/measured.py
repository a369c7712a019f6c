"""A log and an outlet whose appends and publications are measured and traced, each in one thin span."""

from __future__ import annotations

from collections.abc import Sequence

from switchlog.envelope import Row, StreamId
from switchlog.outlet import Outlet
from switchlog.store import EventStore, Pending
from switchlog.telemetry import append_span, publish_span, recording

MAX_LINKS = 32


class MeasuredEvents:
    """``events`` with a span around each append, linked to the commands in it; see ``EventStore``."""

    def __init__(self, events: EventStore, system: str, service: str) -> None:
        self._events, self._system, self._service = events, system, service
        self.read = events.read
        self.read_serial = events.read_serial
        self.head = events.head
        self.watermark = events.watermark
        self.published = events.published
        self.lower_watermark = events.lower_watermark
        self.streams = events.streams

    async def append(self, stream: StreamId, expected: int, batch_id: str, rows: Sequence[Row]) -> int:
        with append_span(self._system, self._service, len(rows), links=traceparents(rows)):
            return await self._events.append(stream, expected, batch_id, rows)

    async def pending(self, limit: int = 1000) -> list[Pending]:
        return await self._events.pending(limit)

    async def settle(self, pending: Pending) -> None:
        await self._events.settle(pending)


class MeasuredOutlet:
    """``outlet`` with a span around each publication, linked to what the records carry."""

    def __init__(self, outlet: Outlet) -> None:
        self._outlet = outlet
        self.close = outlet.close

    async def publish(self, topic: str, key: bytes, rows: Sequence[Row]) -> int:
        with publish_span(topic, len(rows), links=traceparents(rows)):
            return await self._outlet.publish(topic, key, rows)


def traceparents(rows: Sequence[Row]) -> list[bytes]:
    """The distinct trace contexts of the first rows, where somebody records them."""
    if not recording():
        return []
    found = (value for row in rows[:MAX_LINKS] for name, value in row.headers[-1:] if name == "traceparent")
    return list(dict.fromkeys(found))
