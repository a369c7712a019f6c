"""The rows behind a board of fed calls (``Rows``): counters, then contacts, then streams, then progress.

``fed_contacts`` <stream key> | <contact> : its facts
``fed_streams``  <tenant>     | <stream>  : how it stands
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from ..app.ports import Read, Where
from ..domain.board import Pool, Queue
from ..domain.counters import Day, DayKey
from ..domain.feedboard import POOL as FEED
from ..domain.feedboard import ContactKey, FedContact, FedStream, FeedBoard
from ..domain.levels import Cell, CellKey
from .rows import Progress, StoredRows, decoded, encode

AT_ONCE = 64
"""So many rows are asked for at the same time."""


@dataclass(frozen=True)
class FedRows:
    """``whose`` facts are contacts' tells which contacts."""

    rows: StoredRows
    whose: Callable[[Iterable[Read]], set[ContactKey]]

    async def board(self, where: Where) -> FeedBoard:
        progress = await self.rows.progress(where)
        board = FeedBoard(progress.next if progress else 0)
        await self.rows.untold(where, board.counters, progress)
        return board

    async def streams(self, where: Where, board: FeedBoard, keys: Iterable[str]) -> None:
        for key in keys:
            tenant, _, name = key.partition("/")
            found = await self.rows.views.get(self.rows.view("fed_streams"), tenant, name)
            stream = FedStream() if found is None else decoded(found, FedStream)
            board.streams[key], board.seen[key] = stream, stream.seen

    async def bring(self, where: Where, board: FeedBoard, found: Sequence[Read]) -> None:
        """The facts of contacts that are not at hand."""
        wanted = sorted(self.whose(found) - board.contacts.keys())
        for n in range(0, len(wanted), AT_ONCE):
            await asyncio.gather(*(self._contact(board, key) for key in wanted[n : n + AT_ONCE]))

    async def cell(self, where: Where, key: CellKey) -> Cell | None:
        return await self.rows.cell(where, key)

    async def day(self, where: Where, key: DayKey) -> Day | None:
        return await self.rows.day(where, key)

    async def save(self, where: Where, board: FeedBoard) -> None:
        await self.rows.save_counters(where, board.counters)
        contacts = [(*key, encode(contact), contact.version) for key, contact in board.changed_contacts.items()]
        await self.rows.put("fed_contacts", contacts)
        queues = [
            (tenant, f"{queue}/{FEED}{source}/{where.partition}", encode(Queue(queue, FEED + source)), version)
            for (tenant, queue, source), version in board.changed_queues.items()
        ]
        await self.rows.put("queues", queues)
        streams = [(key.partition("/"), stream) for key, stream in board.changed_streams.items()]
        clocks = [
            (tenant, f"{FEED}{stream.source}/{stream.number:02d}", encode(_clock(stream)), stream.version)
            for (tenant, _, _), stream in streams
            if stream.source
        ]
        await self.rows.put("pools", clocks)
        await self.rows.put("fed_streams", [(to, name, encode(one), one.version) for (to, _, name), one in streams])
        for (tenant, source), start in board.opened.items():
            await self.rows.fed_opened(where, tenant, source, start, board.next)
        await self.rows.save_progress(where, Progress(board.next, {}, [], sorted(board.counters.untold)))
        board.stored()
        board.forget()

    async def _contact(self, board: FeedBoard, key: ContactKey) -> None:
        found = await self.rows.views.get(self.rows.view("fed_contacts"), *key)
        contact = board.contacts[key] = FedContact() if found is None else decoded(found, FedContact)
        contact.guard = contact.version


def _clock(stream: FedStream) -> Pool:
    """How far the stream is told for good."""
    return Pool(FEED + stream.source, stream.final_until, version=stream.version)
