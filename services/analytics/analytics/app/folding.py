"""One source partition: batches are folded into its board, and stored so that nothing counts twice or is lost.

Per batch: the counters that changed, then the states that they were made from, then the partition's progress, then (by
the caller) the commit. After a crash anywhere between, reading begins at the progress, and each row drops the offsets
that it has (kernel rule 27).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from switchlog.bus.patience import pauses
from switchlog.bus.record import Raw
from switchlog.errors import NotNow, Poison
from switchlog.log import get_logger

from ..domain.counters import DayKey
from ..domain.levels import CellKey
from .ports import Board, Bury, Facts, Missing, Read, Rows, Where

log = get_logger(__name__)
T = TypeVar("T")

HALT_AFTER = 10
"""So many undecodable records in a row mean a bad deploy, not bad records."""


Parsed = tuple[Raw, Any, str, int]
"""(record, its event, the stream's key, the version)."""


class Halted(Exception):
    """Nothing can be read any more."""


@dataclass
class Folding:
    """The board of one partition; ``changed`` are rows that changed since somebody last took them."""

    where: Where
    board: Board
    rows: Rows
    facts: Facts
    missing: Missing
    bury: Bury
    changed: set[CellKey] = field(default_factory=set)
    changed_days: set[DayKey] = field(default_factory=set)
    poisoned: int = 0
    counted: int = 0

    async def take(self, records: Sequence[Raw]) -> int:
        """Fold ``records`` and store the result; the offset to commit. Waits while the store or an owner is away."""
        board = self.board
        parsed = await self._parse([record for record in records if record.offset >= board.next])
        await self._know({key for _, _, key, _ in parsed})
        found, seen = await self._fresh(parsed)
        await self._load({key for one in found for key in self.facts.needed(one.event, one.kind)}, set())
        await patient(lambda: self.rows.bring(self.where, board, found))
        self.facts.fold(board, found)
        await self._load(*board.counters.missing())
        board.seen.update(seen)
        board.next = max(board.next, records[-1].offset + 1)
        board.settle()
        self.changed.update(board.counters.changed_cells)
        self.changed_days.update(board.counters.changed_days)
        await patient(lambda: self.rows.save(self.where, board))
        board.stored()
        self.counted += len(found)
        return board.next

    # --- reading: repeats out, gaps filled ---------------------------------------------------------------------------

    async def _parse(self, records: Sequence[Raw]) -> list[Parsed]:
        found: list[Parsed] = []
        read = self.facts.read
        for record in records:
            try:
                event = read(record.value)
                meta = event.meta
                key, version = f"{meta.tenant_id}/{meta.stream}", meta.version
                if record.key != key.encode() or version < 1:
                    raise Poison("FORGED", "the key names another stream than the value")
            except Poison as error:
                await self._poison(record, error)
                continue
            self.poisoned = 0
            found.append((record, event, key, version))
        return found

    async def _know(self, keys: set[str]) -> None:
        new = sorted(keys - self.board.seen.keys())
        if new:
            await patient(partial(self.rows.streams, self.where, self.board, new))

    async def _fresh(self, parsed: Sequence[Parsed]) -> tuple[list[Read], dict[str, int]]:
        """What has not been folded before, and the last version of each stream in it."""
        found: list[Read] = []
        known, seen = self.board.seen, dict[str, int]()
        for record, event, key, version in parsed:
            last = seen.get(key) or known.get(key, 0)
            if version <= last:
                continue
            if version > last + 1:
                try:
                    found.extend(await self._between(record, key, last) if last else _begins_late(key, version))
                except Poison as error:
                    await self._poison(record, error)
                    continue
            seen[key] = version
            found.append(Read(event, event.WhichOneof("fact") or "", key, record.offset))
        return found, seen

    async def _between(self, record: Raw, key: str, last: int) -> list[Read]:
        values = await patient(lambda: self.missing(record, last))
        log.warning("gap_healed", key=key, after=last, events=len(values))
        events = [self.facts.read(value) for value in values]
        return [Read(event, event.WhichOneof("fact") or "", key, record.offset) for event in events]

    async def _poison(self, record: Raw, error: Poison) -> None:
        self.poisoned += 1
        log.error("record_buried", where=str(self.where), offset=record.offset, reason=error.reason)
        if self.poisoned >= HALT_AFTER:
            raise Halted(f"{HALT_AFTER} records in a row cannot be read, the last at {self.where} {record.offset}")
        await patient(lambda: self.bury(record, error.reason, error.detail))

    # --- what must be in memory --------------------------------------------------------------------------------------

    async def _load(self, cells: set[CellKey], days: set[DayKey]) -> None:
        """The stored rows that are not in memory yet."""
        counters = self.board.counters
        for cell_key in sorted(cells - counters.cells.keys()):
            if cell := await patient(partial(self.rows.cell, self.where, cell_key)):
                self.board.put_cell(cell)
        for day_key in sorted(days - counters.days.keys()):
            if day := await patient(partial(self.rows.day, self.where, day_key)):
                counters.put(day)


def _begins_late(key: str, version: int) -> list[Read]:
    log.info("stream_begins_late", stream=key, version=version)
    return []


async def patient(attempt: Callable[[], Awaitable[T]]) -> T:
    """``attempt`` until it no longer says ``NotNow``, in place, so that nothing overtakes it."""
    for n, pause in enumerate(pauses()):
        try:
            return await attempt()
        except NotNow as error:
            if n % 10 == 0:
                log.warning("batch_later", reason=error.reason, detail=error.detail[:300], tries=n + 1)
            await asyncio.sleep(pause)
    raise AssertionError("pauses are endless")
