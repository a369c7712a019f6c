"""One source partition: batches are folded into its board, and stored so that nothing counts twice or is lost.

Per batch: the rows that changed, then the partition's progress, then (by the caller) the commit. After a crash anywhere
between, reading begins at the progress, and each row drops the offsets that it has (kernel rule 27).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple, TypeVar

from switchlog.bus.patience import pauses
from switchlog.bus.record import Raw
from switchlog.errors import NotNow, Poison
from switchlog.log import get_logger

from ..domain.board import Board
from ..domain.levels import CellKey
from .ports import Bury, Facts, Missing, Rows, Where

log = get_logger(__name__)
T = TypeVar("T")

HALT_AFTER = 10
"""So many undecodable records in a row mean a bad deploy, not bad records."""


class Halted(Exception):
    """Nothing can be read any more."""


class Read(NamedTuple):
    """An event to fold, at the offset of the record that it came in (or that showed it missing)."""

    event: Any
    offset: int


@dataclass
class Folding:
    """The board of one partition; ``changed`` are cells that changed since somebody last took them."""

    where: Where
    board: Board
    rows: Rows
    facts: Facts
    missing: Missing
    bury: Bury
    changed: set[CellKey] = field(default_factory=set)
    poisoned: int = 0
    counted: int = 0

    async def take(self, records: Sequence[Raw]) -> int:
        """Fold ``records`` and store the result; the offset to commit. Waits while the store or an owner is away."""
        board = self.board
        seen = dict(board.seen)
        found = await self._read([record for record in records if record.offset >= board.next], seen)
        await self._load(found, seen.keys() - board.seen.keys())
        for event, offset in found:
            self.facts.fold(board, event, offset)
        board.seen, board.next = seen, max(board.next, records[-1].offset + 1)
        board.settle()
        self.changed.update(board.changed_cells)
        await patient(lambda: self.rows.save(self.where, board))
        board.stored()
        self.counted += len(found)
        return board.next

    # --- reading: repeats out, gaps filled ---------------------------------------------------------------------------

    async def _read(self, records: Sequence[Raw], seen: dict[str, int]) -> list[Read]:
        found: list[Read] = []
        for record in records:
            try:
                event, key, version = self._event(record)
                last = seen.get(key, 0)
                if version <= last:
                    continue
                if last and version > last + 1:
                    found.extend(await self._between(record, last))
                elif not last and version > 1:
                    log.info("stream_begins_late", stream=key, version=version)
            except Poison as error:
                await self._poison(record, error)
                continue
            self.poisoned = 0
            seen[key] = version
            found.append(Read(event, record.offset))
        return found

    def _event(self, record: Raw) -> tuple[Any, str, int]:
        """The event, its stream's key and its version."""
        event = self.facts.read_routing(record.value)
        meta = event.meta
        key, version = f"{meta.tenant_id}/{meta.stream}", meta.version
        if record.key != key.encode() or version < 1:
            raise Poison("FORGED", "the key names another stream than the value")
        return event, key, version

    async def _between(self, record: Raw, last: int) -> list[Read]:
        values = await patient(lambda: self.missing(record, last))
        log.warning("gap_healed", key=(record.key or b"").decode(), after=last, events=len(values))
        return [Read(self.facts.read_routing(value), record.offset) for value in values]

    async def _poison(self, record: Raw, error: Poison) -> None:
        self.poisoned += 1
        log.error("record_buried", where=str(self.where), offset=record.offset, reason=error.reason)
        if self.poisoned >= HALT_AFTER:
            raise Halted(f"{HALT_AFTER} records in a row cannot be read, the last at {self.where} {record.offset}")
        await patient(lambda: self.bury(record, error.reason, error.detail))

    # --- what must be in memory before a fact is folded --------------------------------------------------------------

    async def _load(self, found: Sequence[Read], new: Iterable[str]) -> None:
        """The rows of streams that are ``new`` to this board, and the cells that ``found`` will change."""
        for stream in sorted(new):
            tenant, _, name = stream.partition("/")
            await patient(partial(self.rows.pool, self.board, tenant, name.removeprefix("pool-")))
        needed = {key for event, _ in found if (key := self.facts.cell_needed(event)) is not None}
        for key in sorted(needed - self.board.cells.keys()):
            cell = await patient(partial(self.rows.cell, self.where, key))
            if cell is not None:
                self.board.put_cell(cell)


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
