"""What folding and publishing need of the outside."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple, Protocol

from switchlog.bus.record import Raw

from ..domain.board import Board
from ..domain.levels import Cell, CellKey


class Where(NamedTuple):
    """A source partition."""

    topic: str
    partition: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}"


class Rows(Protocol):
    """The stored rows of the boards; every call raises ``NotNow`` while the store is away and may be repeated."""

    async def board(self, where: Where) -> Board:
        """The board as its progress says: what is open, and how far it is read."""
        ...

    async def cell(self, where: Where, key: CellKey) -> Cell | None: ...

    async def pool(self, board: Board, tenant: str, pool: str) -> None:
        """Bring the stored agents and queues of a pool into ``board``."""
        ...

    async def save(self, where: Where, board: Board) -> None:
        """Dirty rows, then progress (kernel rule 27)."""
        ...

    async def parts(self, key: CellKey) -> list[Cell]:
        """The stored cells of ``key``, one a source partition."""
        ...


class Facts(Protocol):
    """How a topic's records are read and folded (``wire``)."""

    def read_routing(self, value: bytes | None) -> Any: ...

    def cell_needed(self, event: Any) -> CellKey | None: ...

    def fold(self, board: Board, event: Any, offset: int) -> None: ...


Missing = Callable[[Raw, int], Awaitable[Sequence[bytes]]]
"""(record that showed a gap, last version seen) -> values of the versions between; raises ``NotNow``, ``Poison``."""

Bury = Callable[[Raw, str, str], Awaitable[None]]
"""(record, reason, detail): to the dead letters."""
