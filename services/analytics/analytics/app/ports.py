"""What folding and publishing need of the outside."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, NamedTuple, Protocol

from switchlog.bus.record import Raw

from ..domain.board import Pool, Queue
from ..domain.counters import Counters, Day, DayKey
from ..domain.ledger import Clerk
from ..domain.levels import Cell, CellKey


class Where(NamedTuple):
    """A source partition."""

    topic: str
    partition: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}"


class Read(NamedTuple):
    """An event to fold: which of its facts it is, its stream's key, and the offset of the record that it came in (or
    that showed it missing)."""

    event: Any
    kind: str
    key: str
    offset: int


class Board(Protocol):
    """What a partition's facts add up to in memory; ``seen`` is the last version of every stream at hand."""

    next: int
    seen: dict[str, int]
    counters: Counters

    def put_cell(self, cell: Cell) -> None: ...

    def evict(self, key: CellKey) -> None: ...

    def settle(self) -> None: ...

    def stored(self) -> None: ...


class Rows(Protocol):
    """The stored rows of a kind of board; every call raises ``NotNow`` while the store is away and may be repeated."""

    async def board(self, where: Where) -> Any:
        """The board as its progress says: what is open, and how far it is read."""
        ...

    async def streams(self, where: Where, board: Any, keys: Iterable[str]) -> None:
        """Bring what is stored of the streams ``keys`` into ``board``."""
        ...

    async def bring(self, where: Where, board: Any, found: Sequence[Read]) -> None:
        """Bring in what else the facts ``found`` change."""
        ...

    async def cell(self, where: Where, key: CellKey) -> Cell | None: ...

    async def day(self, where: Where, key: DayKey) -> Day | None: ...

    async def save(self, where: Where, board: Any) -> None:
        """Counters, then what they were made from, then progress (kernel rule 27)."""
        ...


class Published(Protocol):
    """The stored rows that published ones are made of."""

    async def parts(self, key: CellKey) -> list[tuple[str, Cell]]:
        """The stored cells of ``key``, each with the source partition that told it."""
        ...

    async def queue(self, tenant: str, queue: str) -> Queue | None: ...

    async def pool_of(self, tenant: str, pool: str) -> Pool:
        """Its clock and zone; a fed source's clock is the time up to which it is told."""
        ...

    async def freshness_ms(self, tenant: str, pool: str, now: int) -> int:
        """Age of the newest fact of a pool, or of the moment when its partition was last read to the end."""
        ...

    async def days_of(self, tenant: str, agent: str, begin: int, end: int) -> list[tuple[str, Day]]:
        """An agent's UTC days that begin in [begin, end), each with the source partition that told it."""
        ...

    async def clerk(self, tenant: str, agent: str) -> Clerk | None: ...


class Facts(Protocol):
    """How a topic's records are read and folded."""

    def read(self, value: bytes | None) -> Any: ...

    def needed(self, found: Iterable[Read]) -> set[CellKey]:
        """The cells that must be in memory before ``found`` is folded."""
        ...

    def fold(self, board: Any, found: Iterable[Read]) -> None: ...


Missing = Callable[[Raw, int], Awaitable[Sequence[bytes]]]
"""(record that showed a gap, last version seen) -> values of the versions between; raises ``NotNow``, ``Poison``."""

Bury = Callable[[Raw, str, str], Awaitable[None]]
"""(record, reason, detail): to the dead letters."""
