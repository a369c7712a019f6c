"""Timers in Cassandra: derived from events by the publishing pass, found by the time they are due (kernel rule 16)."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Sequence
from typing import Any

from switchlog.clock import Clock
from switchlog.envelope import Row, StreamId
from switchlog.store import Timer, TimerChange, TimerSet, TimersOf, no_timers
from switchlog.store.cassandra.log import Log
from switchlog.store.cassandra.session import Session
from switchlog.store.cassandra.watermarks import Watermarks
from switchlog.store.rows import timer_changes

SLOT_MS = 600_000
SLOTS_KEPT = 12  # nobody's clock is two hours late
PAGE = 100
FEW = 8  # rows to look at where the first that stands is enough
MAX_REMEMBERED = 10_000


class CassandraTimers:
    """See ``TimerStore``. ``timers`` is the truth, ordered by version; ``timers_due`` only leads to it."""

    def __init__(self, session: Session, clock: Clock) -> None:
        self._session, self._clock = session, clock
        self._slots: set[int] = set()

    async def apply(self, version: int, change: TimerChange) -> None:
        """Writes carry the event's version as timestamp, so a repeat or a slower pass never undoes a later event."""
        if isinstance(change, TimerSet):
            await self._set(version, change.timer)
        else:
            await self._session.write("clear_timer", version, change.stream.tenant, change.stream.name, change.id)

    async def _set(self, version: int, timer: Timer) -> None:
        slot = max(timer.due_at, self._clock.now()) // SLOT_MS  # never in a slot that may be dropped meanwhile
        name = (timer.stream.tenant, timer.stream.name, timer.id)
        await self._name_slot(slot)
        row = (*name, version, timer.kind, timer.due_at, slot, timer.payload, version)
        await self._session.write("set_timer", *row)
        await self._session.write("set_due", slot, timer.due_at, *name, version, version)

    async def _name_slot(self, slot: int) -> None:
        if slot not in self._slots:
            await self._session.write("write_slot", slot)
            self._slots.add(slot)

    async def due(self, now: int, limit: int = 100) -> list[Timer]:
        found: list[Timer] = []
        async for timer in self._standing(now):
            found.append(timer)
            if len(found) >= limit:
                break
        return sorted(found, key=lambda timer: (timer.due_at, timer.stream, timer.id))

    async def next_due(self) -> int | None:
        earliest = None
        for slot in await self._all_slots():
            async for timer in self._standing_in(slot, 2**62, FEW):
                if earliest is None or timer.due_at < earliest:
                    earliest = timer.due_at
                break
            if earliest is not None and slot * SLOT_MS >= self._clock.now():  # later slots are due later
                break
        return earliest

    async def done(self, timer: Timer) -> None:
        name = (timer.stream.tenant, timer.stream.name, timer.id)
        found = await self._session.read("read_timer", *name)
        if found and found[0][2] == timer.due_at:  # a timer that was set anew meanwhile stays
            version, _, due_at, slot, _ = found[0]
            await self._session.write("clear_timer", version, *name)
            await self._session.write("drop_due", version, slot, due_at, *name)

    async def _standing(self, now: int) -> AsyncIterator[Timer]:
        """Due timers; whatever was due when it was set stands in the slot of that moment."""
        latest = max(now, self._clock.now()) // SLOT_MS
        for slot in await self._all_slots():
            if slot > latest:
                return
            empty = True
            async for timer in self._standing_in(slot, now):
                empty = False
                yield timer
            if empty and slot < self._clock.now() // SLOT_MS - SLOTS_KEPT:
                await self._drop_if_empty(slot)

    async def _drop_if_empty(self, slot: int) -> None:
        if not await self._session.read("read_due", slot, 2**62, 1):
            await self._session.write("drop_slot", slot)
            self._slots.discard(slot)

    async def _all_slots(self) -> list[int]:
        return sorted(slot for (slot,) in await self._session.read("read_slots"))

    async def _standing_in(self, slot: int, now: int, at_once: int = PAGE) -> AsyncIterator[Timer]:
        while True:
            page = await self._session.read("read_due", slot, now, at_once)
            standing = await asyncio.gather(*(self._check(slot, row) for row in page))
            for timer in standing:
                if timer is not None:
                    yield timer
            if len(page) < at_once or any(standing):  # a page of leftovers only is gone now: look once more
                return

    async def _check(self, slot: int, row: tuple[Any, ...]) -> Timer | None:
        """The timer that ``row`` leads to; a row that leads nowhere was cleared, fired or set anew, and goes."""
        due_at, tenant, stream, name, version = row
        found = await self._session.read("read_timer", tenant, stream, name)
        if found and (found[0][2], found[0][3]) == (due_at, slot):
            _, kind, _, _, payload = found[0]
            return Timer(StreamId(tenant, stream), name, kind, due_at, payload)
        await self._session.write("drop_due", version, slot, due_at, tenant, stream, name)
        return None


class Derivation:
    """Which rows' timers are written already; what this process appended need not be read again."""

    def __init__(self, events: Log, timers: CassandraTimers, watermarks: Watermarks, timers_of: TimersOf) -> None:
        self._events, self._timers, self._watermarks, self._timers_of = events, timers, watermarks, timers_of
        self._appended: OrderedDict[StreamId, list[Row]] = OrderedDict()
        self._derived: OrderedDict[StreamId, int] = OrderedDict()

    def remember(self, stream: StreamId, rows: Sequence[Row]) -> None:
        if self._timers_of is no_timers:
            return
        self._appended.setdefault(stream, []).extend(rows)
        if len(self._appended) > MAX_REMEMBERED:
            self._appended.popitem(last=False)

    async def derive(self, stream: StreamId, upto: int) -> None:
        """Write what the rows from the watermark to ``upto`` do to timers, in order."""
        if self._timers_of is no_timers:
            return
        after = self._derived.get(stream) or await self._watermarks.get(stream)
        rows = await self._rows(stream, after, upto)
        for version, change in timer_changes(self._timers_of, stream, rows):
            await self._timers.apply(version, change)
        self._note(stream, upto)

    async def _rows(self, stream: StreamId, after: int, upto: int) -> list[Row]:
        known = {row.version: row for row in self._appended.get(stream, ())}
        wanted = range(after + 1, upto + 1)
        if all(version in known for version in wanted):
            return [known[version] for version in wanted]
        return await self._events.read(stream, after, upto - after) if upto > after else []

    def _note(self, stream: StreamId, upto: int) -> None:
        self._derived[stream] = max(upto, self._derived.pop(stream, 0))
        if len(self._derived) > MAX_REMEMBERED:
            self._derived.popitem(last=False)
        rest = [row for row in self._appended.pop(stream, []) if row.version > upto]
        if rest:
            self._appended[stream] = rest
