"""One source partition: batches are folded into its board, and stored so that nothing counts twice or is lost.

Per batch: the rows that changed, then the partition's progress, then (by the caller) the commit. After a crash anywhere
between, reading begins at the progress, and each row drops the offsets that it has (kernel rule 27).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
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
        await self._load(found)
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
                event = self._event(record)
                key, version = record.key.decode(), event.meta.version  # type: ignore[union-attr]  # checked by _event
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

    def _event(self, record: Raw) -> Any:
        event = self.facts.read_routing(record.value)
        meta = event.meta
        if record.key != f"{meta.tenant_id}/{meta.stream}".encode() or meta.version < 1:
            raise Poison("FORGED", "the key names another stream than the value")
        return event

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

    async def _load(self, found: Sequence[Read]) -> None:
        pools = {(event.meta.tenant_id, event.meta.stream.removeprefix("pool-")) for event, _ in found}
        for tenant, pool in sorted(pools - self.board.pools.keys()):
            await patient(lambda tenant=tenant, pool=pool: self.rows.pool(self.board, tenant, pool))  # type: ignore[misc]
        needed = {self.facts.cell_needed(event) for event, _ in found} - {None}
        for key in sorted(needed - self.board.cells.keys()):  # type: ignore[type-var]
            cell = await patient(lambda key=key: self.rows.cell(self.where, key))  # type: ignore[misc]
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
