"""One source partition: batches are folded into its board, and stored so that nothing counts twice or is lost.

Per batch: the counters that changed, then the states that they were made from, then the partition's progress, then (by
the caller) the commit. After a crash anywhere between, reading begins at the progress, and each row drops the offsets
that it has (kernel rule 27).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

from switchlog.bus.record import Raw

from ..domain.counters import DayKey
from ..domain.levels import CellKey
from .incoming import Halted, Incoming
from .patience import patient
from .ports import Board, Bury, Facts, Missing, Rows, Where

__all__ = ["Folding", "Halted", "patient"]

AT_ONCE = 1_000
"""So many records are parsed and folded before the next: of more the processor's caches lose what was just parsed."""


@dataclass
class Folding:
    """The board of one partition; ``changed`` are rows that changed since somebody last took them.

    ``ignored`` as in ``Incoming``: only for boards that keep the last version of every stream in their progress.
    """

    where: Where
    board: Board
    rows: Rows
    facts: Facts
    missing: Missing
    bury: Bury
    ignored: frozenset[bytes] = frozenset()
    changed: set[CellKey] = field(default_factory=set)
    changed_days: set[DayKey] = field(default_factory=set)
    counted: int = 0

    def __post_init__(self) -> None:
        self.incoming = Incoming(str(self.where), self.facts, self.missing, self.bury, self.ignored)

    async def take(self, records: Sequence[Raw]) -> int:
        """Fold ``records`` and store the result; the offset to commit. Waits while the store or an owner is away."""
        board, begin = self.board, self.board.next
        new = [record for record in records if record.offset >= begin]
        await self._know(self.incoming.keys(new))
        for at in range(0, len(new), AT_ONCE):
            await self._fold(new[at : at + AT_ONCE])
        await self._load(*board.counters.missing())
        board.next = max(board.next, records[-1].offset + 1)
        board.settle()
        cells, days = set(board.counters.changed_cells), set(board.counters.changed_days)
        await patient(lambda: self.rows.save(self.where, board))
        # only now: who publishes reads what is stored, and would take a change as told that it has not seen
        self.changed.update(cells)
        self.changed_days.update(days)
        board.stored()
        return board.next

    async def _fold(self, some: Sequence[Raw]) -> None:
        board = self.board
        found, seen = await self.incoming.fresh(some, board.seen)
        await self._load(self.facts.needed(found), set())
        await patient(lambda: self.rows.bring(self.where, board, found))
        self.facts.fold(board, found)
        board.seen.update(seen)
        self.counted += len(found)

    async def _know(self, keys: set[str]) -> None:
        new = sorted(keys - self.board.seen.keys())
        if new:
            await patient(partial(self.rows.streams, self.where, self.board, new))

    async def _load(self, cells: set[CellKey], days: set[DayKey]) -> None:
        """The stored rows that are not in memory yet."""
        counters = self.board.counters
        for cell_key in sorted(cells - counters.cells.keys()):
            if cell := await patient(partial(self.rows.cell, self.where, cell_key)):
                self.board.put_cell(cell)
        for day_key in sorted(days - counters.days.keys()):
            if day := await patient(partial(self.rows.day, self.where, day_key)):
                counters.put(day)
