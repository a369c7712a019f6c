"""The rows behind boards of contacts, agents and tickets (``Rows``): counters, then states, then progress."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic

from ..app.ports import Read, Where
from ..domain.counters import Day, DayKey
from ..domain.ledger import Clerk
from ..domain.legs import Contact
from ..domain.levels import Cell, CellKey, quarter
from ..domain.states import S, States
from ..domain.tickets import Ticket
from .rows import Progress, Put, StoredRows, decoded, encode

AT_ONCE = 64
"""So many rows are asked for at the same time."""

Place = Callable[[Where, str], tuple[str, str]]
"""(source partition, stream key) -> the partition and key of its row."""


@dataclass(frozen=True)
class StateRows(Generic[S]):
    """``view`` holds a row for each stream at ``place``, decoded as ``kind``; ``begin`` makes that of a new stream.

    ``kept`` states stay in memory.
    """

    rows: StoredRows
    view: str
    kind: type[S]
    begin: Callable[[str], S]
    place: Place
    kept: int = 20_000

    async def board(self, where: Where) -> States[S]:
        progress = await self.rows.progress(where)
        board: States[S] = States()
        if progress is not None:
            board.next = progress.next
            await self.rows.untold(where, board.counters, progress)
        return board

    async def streams(self, where: Where, board: States[S], keys: Iterable[str]) -> None:
        wanted = list(keys)
        for n in range(0, len(wanted), AT_ONCE):
            await asyncio.gather(*(self._stream(where, board, key) for key in wanted[n : n + AT_ONCE]))

    async def bring(self, where: Where, board: States[S], found: Sequence[Read]) -> None:
        """A stream is one state."""

    async def cell(self, where: Where, key: CellKey) -> Cell | None:
        return await self.rows.cell(where, key)

    async def day(self, where: Where, key: DayKey) -> Day | None:
        return await self.rows.day(where, key)

    async def save(self, where: Where, board: States[S]) -> None:
        await self.rows.save_counters(where, board.counters)
        states: list[Put] = []
        for key, state in board.changed.items():
            partition, name = self.place(where, key)
            states.append((partition, name, encode(state), state.version))
        await self.rows.put(self.view, states)
        for view, more in _more(board.changed).items():
            await self.rows.put(view, more)
        known = board.counters.days if self.view == "clerks" else ()
        await self.rows.save_progress(where, Progress(board.next, {}, [], sorted(board.counters.untold.union(known))))
        board.stored()
        board.forget(self.kept)

    async def _stream(self, where: Where, board: States[S], key: str) -> None:
        found = await self.rows.views.get(self.rows.view(self.view), *self.place(where, key))
        state = self.begin(key) if found is None else decoded(found, self.kind)
        board.states[key], board.seen[key] = state, state.seen


def contact_rows(rows: StoredRows) -> StateRows[Contact]:
    return StateRows(rows, "contacts", Contact, lambda key: Contact(_name(key)), lambda where, key: (key, where.topic))


def clerk_rows(rows: StoredRows) -> StateRows[Clerk]:
    def place(where: Where, key: str) -> tuple[str, str]:
        return key.partition("/")[0], _name(key)

    return StateRows(rows, "clerks", Clerk, lambda key: Clerk(_name(key)), place)


def ticket_rows(rows: StoredRows) -> StateRows[Ticket]:
    return StateRows(rows, "tickets", Ticket, lambda key: Ticket(_name(key)), lambda where, key: (key, where.topic))


def _name(key: str) -> str:
    """The id in ``<tenant>/<kind>-<id>``."""
    return key.partition("/")[2].partition("-")[2]


def _more(changed: dict[str, S]) -> dict[str, list[Put]]:
    """Tickets once more: by customer, and by queue and first resolution; and the queues that they name."""
    found: dict[str, list[Put]] = {"cases": [], "resolved": []}
    states: Iterable[tuple[str, object]] = changed.items()
    tickets = [(key, state) for key, state in states if isinstance(state, Ticket)]
    named = {(key.partition("/")[0], ticket.queue): ticket.version for key, ticket in tickets if ticket.queue}
    found["ticket_queues"] = [(tenant, queue, b"", version) for (tenant, queue), version in sorted(named.items())]
    for key, ticket in tickets:
        if not ticket.customer:
            continue
        tenant, value = key.partition("/")[0], encode(ticket)
        found["cases"].append((f"{tenant}/{ticket.customer}", ticket.ticket, value, ticket.version))
        if ticket.resolved_at >= 0:
            at = f"{quarter(ticket.resolved_at):015d}/{ticket.ticket}"
            found["resolved"].append((f"{tenant}/{ticket.queue}", at, value, ticket.version))
    return found
