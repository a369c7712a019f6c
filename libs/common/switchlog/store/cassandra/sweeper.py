"""What a crash left behind: marks that nobody cleared are looked at again (kernel rule 10, the sweeper's side)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field

from switchlog.clock import Clock
from switchlog.envelope import StreamId
from switchlog.store import Pending
from switchlog.store.cassandra.log import Log
from switchlog.store.cassandra.marks import SHARDS, Note, unpack_notes, unpack_ticks
from switchlog.store.cassandra.session import Session
from switchlog.store.cassandra.watermarks import Watermarks

# An append starts at most 1 s after its mark, so nothing younger is looked at; then these pauses between looks.
FIRST_LOOK_S = 1.0
PAUSES_S = (3.0, 10.0, 60.0, 600.0, 3600.0)
MINUTE_KEPT_S = 120.0

log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class Look:
    """One note under observation: when it is due (monotonic seconds) and how often it was absent."""

    note: Note
    due: float
    home: dict[int, list[Look]]
    tick: int
    absent: int = 0

    def forget(self) -> None:
        rest = [look for look in self.home.pop(self.tick, ()) if look is not self]
        if rest:
            self.home[self.tick] = rest


@dataclass(slots=True)
class Minute:
    """One process's marks of one minute, as far as they are read."""

    sighted: float
    last_mark: int = 0
    last_clear: int = 0
    looks: dict[int, list[Look]] = field(default_factory=dict)


@dataclass(slots=True)
class Sweeper:
    """``dropped`` counts batches that never came, ``settled`` those that a crash had left."""

    session: Session
    events: Log
    watermarks: Watermarks
    clock: Clock
    dropped: int = 0
    settled: int = 0
    _minutes: dict[tuple[int, int, str], Minute] = field(default_factory=dict)

    async def pending(self, limit: int) -> list[Pending]:
        """Streams with a due note; the token holds their looks."""
        await self._read_marks()
        await self._forget_finished()
        now = self.clock.monotonic()
        due: dict[StreamId, list[Look]] = {}
        for look in self._looks():
            if look.due <= now:
                due.setdefault(look.note.stream, []).append(look)
        return [Pending(stream, looks) for stream, looks in list(due.items())[:limit]]

    async def settle(self, pending: Pending) -> None:
        """Forget what is in the log and published; look later at the rest, and drop it in the end."""
        looks = pending.token
        if not isinstance(looks, list):  # not ours: a stream that somebody wanted published
            return
        watermark = await self.watermarks.get(pending.stream)
        for look in looks:
            await self._settle(look, watermark)

    async def _settle(self, look: Look, watermark: int) -> None:
        if await self._stands(look.note):
            if watermark >= look.note.head:
                self.settled += 1
                look.forget()
            else:  # Kafka is away: it is certain and urgent, so it is not put off ever longer
                look.due = self.clock.monotonic() + PAUSES_S[0]
        elif look.absent < len(PAUSES_S):
            look.due = self.clock.monotonic() + PAUSES_S[look.absent]
            look.absent += 1
        else:
            await self._drop(look)

    async def _drop(self, look: Look) -> None:
        row = await self.events.read_serial(look.note.stream, look.note.expected + 1)
        if row is not None and row.batch_id == look.note.batch_id:
            look.due = self.clock.monotonic()
            return
        self.dropped += 1
        look.forget()
        log.warning("mark_dropped stream=%s batch=%s", look.note.stream.key, look.note.batch_id)

    async def _stands(self, note: Note) -> bool:
        row = await self.events.read_row(note.stream, note.expected + 1)
        return row is not None and row.batch_id == note.batch_id

    def _looks(self) -> Iterator[Look]:
        for minute in self._minutes.values():
            for looks in minute.looks.values():
                yield from looks

    async def _read_marks(self) -> None:
        now = self.clock.monotonic()
        shards = range(SHARDS)
        found = await asyncio.gather(*(self.session.read("read_minutes", shard) for shard in shards))
        names = {
            (shard, minute, process) for shard, rows in zip(shards, found, strict=True) for minute, process in rows
        }
        self._minutes = {name: self._minutes.get(name) or Minute(now) for name in sorted(names)}
        await asyncio.gather(*(self._read_minute(name, minute) for name, minute in self._minutes.items()))

    async def _read_minute(self, name: tuple[int, int, str], minute: Minute) -> None:
        """Marks first: a clear that is read after them covers them."""
        _, number, process = name
        for tick, at, notes in await self.session.read("read_marks", process, number, minute.last_mark):
            minute.last_mark = tick
            age_s = min(FIRST_LOOK_S, max(0.0, (self.clock.now() - at) / 1000))
            due = self.clock.monotonic() + FIRST_LOOK_S - age_s
            minute.looks[tick] = [Look(note, due, minute.looks, tick) for note in unpack_notes(notes)]
        for n, ticks in await self.session.read("read_clears", process, number, minute.last_clear):
            minute.last_clear = n
            for cleared in unpack_ticks(ticks):
                minute.looks.pop(cleared, None)

    async def _forget_finished(self) -> None:
        """A process writes into a minute for 60 s, by its own clock: what is older and empty is dropped whole."""
        now = self.clock.monotonic()
        for name, minute in list(self._minutes.items()):
            if not minute.looks and now - minute.sighted > MINUTE_KEPT_S:
                await self._drop_minute(*name)
                del self._minutes[name]

    async def _drop_minute(self, shard: int, minute: int, process: str) -> None:
        await self.session.write("drop_marks", process, minute)
        await self.session.write("drop_clears", process, minute)
        await self.session.write("drop_minute", shard, minute, process)
