"""Marks: what a crash could leave unpublished is named before it is appended (kernel rule 10, the writer's side)."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from zlib import crc32

import msgspec

from switchlog.clock import Clock
from switchlog.envelope import StreamId
from switchlog.errors import NotNow
from switchlog.ids import new_id
from switchlog.store.cassandra.session import Session
from switchlog.store.cassandra.ticks import Ticks

SHARDS = 4
FRESH_S = 1.0
MAX_LANDED = 100_000


class Note(msgspec.Struct, frozen=True, array_like=True):
    """One line of a mark: batch ``batch_id`` is about to move ``stream`` from ``expected`` to ``head``."""

    tenant: str
    name: str
    batch_id: str
    expected: int
    head: int

    @property
    def stream(self) -> StreamId:
        return StreamId(self.tenant, self.name)


pack_notes = msgspec.msgpack.Encoder().encode
unpack_notes = msgspec.msgpack.Decoder(list[Note]).decode
pack_ticks = msgspec.msgpack.Encoder().encode
unpack_ticks = msgspec.msgpack.Decoder(list[int]).decode


@dataclass(slots=True, eq=False)
class Mark:
    """One row of marks, written once; ``open`` notes still have an unknown outcome or are not published."""

    minute: int = 0
    tick: int = 0
    open: int = 0


@dataclass(slots=True, eq=False)
class Pledge:
    """One append's note under its mark. The append is to be sent before ``fresh_until`` (monotonic seconds)."""

    note: Note
    mark: Mark = field(default_factory=Mark)
    fresh_until: float = 0.0


class Marks:
    """The marks that this process writes and clears."""

    def __init__(self, session: Session, clock: Clock) -> None:
        self._session, self._clock = session, clock
        self._process = new_id()
        self._shard = crc32(self._process.encode()) % SHARDS
        self._minute = self._tick = self._cleared = 0
        self._writes: Ticks[Pledge] = Ticks(self._write)
        self._clears: Ticks[Mark] = Ticks(self._clear)
        self._unknown: dict[str, list[Pledge]] = {}
        self._landed: dict[StreamId, list[Pledge]] = {}
        self._landed_count = 0

    async def pledge(self, stream: StreamId, batch_id: str, expected: int, head: int) -> Pledge:
        """A durable mark that names the batch; raises ``NotNow`` when none can be written."""
        pledge = Pledge(Note(stream.tenant, stream.name, batch_id, expected, head))
        try:
            await self._writes.post(pledge)
        except NotNow as error:  # unknown or not: nothing is appended under this mark
            raise NotNow("STORE_UNAVAILABLE", error.detail) from error
        self._unknown.setdefault(batch_id, []).append(pledge)
        return pledge

    def failed(self, pledge: Pledge) -> None:
        """Nothing was appended under this very pledge; earlier ones of the same batch stay open."""
        rest = [other for other in self._unknown.pop(pledge.note.batch_id, ()) if other is not pledge]
        if rest:
            self._unknown[pledge.note.batch_id] = rest
        self._close(pledge)

    def lost(self, batch_id: str) -> None:
        """Another batch stands in its place: it can never land."""
        for pledge in self._unknown.pop(batch_id, ()):
            self._close(pledge)

    def landed(self, batch_id: str) -> None:
        """It stands; its mark waits for the watermark."""
        for pledge in self._unknown.pop(batch_id, ()):
            self._landed.setdefault(pledge.note.stream, []).append(pledge)
            self._landed_count += 1
        while self._landed_count > MAX_LANDED:  # Kafka is long away: the sweeper will find these by their marks
            self._landed_count -= len(self._landed.pop(next(iter(self._landed))))

    def published(self, stream: StreamId, version: int) -> None:
        """The watermark is durable at ``version``."""
        pledges = self._landed.pop(stream, [])
        waiting = [pledge for pledge in pledges if pledge.note.head > version]
        if waiting:
            self._landed[stream] = waiting
        self._landed_count -= len(pledges) - len(waiting)
        for pledge in pledges:
            if pledge.note.head <= version:
                self._close(pledge)

    async def close(self) -> None:
        await self._writes.close()
        await self._clears.close()

    def _close(self, pledge: Pledge) -> None:
        pledge.mark.open -= 1
        if pledge.mark.open == 0:
            self._clears.post(pledge.mark)

    async def _write(self, pledges: Sequence[Pledge]) -> None:
        started = time.monotonic()
        now = self._clock.now()
        await self._name_minute(now // 60_000)
        self._tick += 1
        mark = Mark(self._minute, self._tick, len(pledges))
        notes = pack_notes([pledge.note for pledge in pledges])
        await self._session.write("write_mark", self._process, mark.minute, mark.tick, now, notes)
        for pledge in pledges:
            pledge.mark, pledge.fresh_until = mark, started + FRESH_S

    async def _name_minute(self, minute: int) -> None:
        """A sweeper finds a minute's marks by this row, so it is there before the first of them."""
        if minute > self._minute:
            await self._session.write("write_minute", self._shard, minute, self._process)
            self._minute = minute

    async def _clear(self, marks: Sequence[Mark]) -> None:
        for minute, ticks in _by_minute(marks):
            self._cleared += 1
            await self._session.write("write_clear", self._process, minute, self._cleared, pack_ticks(ticks))


def _by_minute(marks: Sequence[Mark]) -> Iterator[tuple[int, list[int]]]:
    for minute in sorted({mark.minute for mark in marks}):
        yield minute, [mark.tick for mark in marks if mark.minute == minute]
