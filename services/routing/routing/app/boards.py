"""Boards to look at: folded from the log, whoever owns the pool; what was appended is seen at once."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, field

from switchlog.envelope import Codec, StreamId
from switchlog.errors import NotFound
from switchlog.store import EventStore

from ..domain.events import Event
from .log import Opened, catch_up, open_board
from .ports import Days

KEPT = 100


@dataclass
class Boards:
    """Keeps the last boards looked at, so that a look costs only what is new."""

    events: EventStore
    days: Days
    codec: Codec[Event]
    _open: OrderedDict[StreamId, Opened] = field(default_factory=OrderedDict)
    _busy: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def now(self, pool: StreamId) -> Opened:
        """The board at the head of its log; to be read, not changed. Raises ``NotFound`` for an unknown pool."""
        async with self._busy:
            opened = self._open.pop(pool, None)
            if opened is None:
                opened = await open_board(self.events, self.codec, pool, await self.days.latest(pool))
            else:
                await catch_up(self.events, self.codec, pool, opened)
            if opened.head == 0:
                raise NotFound(detail=pool.name)
            self._open[pool] = opened
            while len(self._open) > KEPT:
                self._open.popitem(last=False)
            return opened
