"""Where a feed's streams are opened from: rows that tell 8 192 versions each and are written once.

``feed_marks``  <stream key> | <number> : the hashes of the lines among those versions, and how the stream stands after
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import reduce

import msgspec

from switchlog.envelope import Codec, Row, StreamId
from switchlog.folds import Fold
from switchlog.store import EventStore, ViewStore

from ..domain.feed import CallFactFed, Feed, FeedEvent, Hashes, Terms, evolve, learned, line_hash

SIZE = 8_192
VIEW = "feed_marks"


class Segment(msgspec.Struct, array_like=True):
    """``SIZE`` versions: ``marks`` are their lines' hashes, 8 bytes each; the others: how the stream stands after."""

    marks: bytes
    terms: tuple[int, bool] | None
    ended: bool
    clock: int
    accepted: int
    recorded_at: int


@dataclass
class Snapshots:
    """``begin`` for the writer, ``note`` after an append: a segment is made of stored rows, so any time will do."""

    events: EventStore
    views: ViewStore
    codec: Codec[FeedEvent]
    written: dict[StreamId, int] = field(default_factory=dict)

    async def begin(self, stream: StreamId) -> Fold[Feed] | None:
        """The stream as its segments tell it, or ``None`` where there is none."""
        segments = await self._segments(stream)
        self.written[stream] = len(segments)
        if not segments:
            return None
        last = segments[-1]
        known: Hashes = ()
        for segment in segments:
            known = learned(known, *array("Q", segment.marks))
        return Fold(replace(_feed(last), known=known), len(segments) * SIZE, last.recorded_at)

    async def note(self, stream: StreamId, head: int) -> None:
        """The stream stands at ``head``: write the segments that are complete and not written yet."""
        while head >= (self.written.get(stream, 0) + 1) * SIZE:
            number = self.written.get(stream, 0)
            rows = await self.events.read(stream, number * SIZE, SIZE)
            segment = self._made(rows, await self._segment(stream, number - 1))
            await self.views.put(VIEW, stream.key, f"{number:08d}", msgspec.msgpack.encode(segment), number + 1)
            self.written[stream] = number + 1

    def _made(self, rows: Sequence[Row], before: Segment | None) -> Segment:
        events = self.codec.events(rows)
        feed = reduce(evolve, events, _feed(before) if before else Feed())
        marks = array("Q", sorted(line_hash(event.line.line_id) for event in events if isinstance(event, CallFactFed)))
        terms = (feed.terms.lateness_ms, feed.terms.any_order) if feed.terms else None
        return Segment(marks.tobytes(), terms, feed.ended, feed.clock, feed.accepted, rows[-1].recorded_at)

    async def _segment(self, stream: StreamId, number: int) -> Segment | None:
        row = await self.views.get(VIEW, stream.key, f"{number:08d}") if number >= 0 else None
        return msgspec.msgpack.decode(row.value, type=Segment) if row else None

    async def _segments(self, stream: StreamId) -> list[Segment]:
        """All that are there without a gap."""
        found: list[Segment] = []
        while page := await self.views.scan(VIEW, stream.key, f"{len(found) - 1:08d}" if found else "", 100):
            for row in page:
                if row.key != f"{len(found):08d}":
                    return found
                found.append(msgspec.msgpack.decode(row.value, type=Segment))
            if len(page) < 100:
                break
        return found


def _feed(segment: Segment) -> Feed:
    terms = Terms(*segment.terms) if segment.terms else None
    return Feed(terms, segment.ended, segment.clock, segment.accepted)
