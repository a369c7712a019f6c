"""A log and an outlet whose appends and publications are measured and traced, each in one thin span."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from switchlog.envelope import Row, StreamId
from switchlog.outlet import Outlet
from switchlog.store import EventStore, Pending
from switchlog.telemetry import append_span, publish_span, recording

MAX_LINKS = 32

Written = Callable[[StreamId], None]


def nobody(stream: StreamId) -> None:
    """Nobody waits for timers."""


class MeasuredEvents:
    """``events`` with a span around each append, linked to the commands in it; see ``EventStore``.

    ``written`` is told of each stream whose timers a call may have written (kernel rule 16).
    """

    def __init__(self, events: EventStore, system: str, service: str, written: Written = nobody) -> None:
        self._events, self._system, self._service, self._written = events, system, service, written
        self.read = events.read
        self.read_serial = events.read_serial
        self.head = events.head
        self.watermark = events.watermark
        self.lower_watermark = events.lower_watermark
        self.streams = events.streams

    async def append(self, stream: StreamId, expected: int, batch_id: str, rows: Sequence[Row]) -> int:
        with append_span(self._system, self._service, len(rows), links=traceparents(rows)):
            head = await self._events.append(stream, expected, batch_id, rows)
        self._written(stream)
        return head

    async def published(self, stream: StreamId, version: int) -> None:
        await self._events.published(stream, version)
        self._written(stream)

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
