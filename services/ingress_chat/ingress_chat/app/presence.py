"""Whether the visitor is still there: a lost socket has a grace time to come back, over our restarts too (CH-6)."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from switchlog.clock import Clock
from switchlog.envelope import StreamId
from switchlog.errors import NotNow
from switchlog.log import get_logger
from switchlog.store import ViewStore

VIEW = "visitor_sockets"
RETRY_S = 1.0

log = get_logger(__name__)

GraceOf = Callable[[StreamId], Awaitable[float]]
Lost = Callable[[StreamId], Awaitable[None]]


class Presence:
    """Counts open sockets a contact; calls ``lost`` when none came back within ``grace_of`` seconds.

    Which contacts this replica holds is kept in a view row each, so a restart starts their grace time again.
    """

    def __init__(self, replica: str, views: ViewStore, clock: Clock, grace_of: GraceOf, lost: Lost) -> None:
        self._replica = replica
        self._views = views
        self._clock = clock
        self._grace_of = grace_of
        self._lost = lost
        self._open: Counter[StreamId] = Counter()
        self._waiting: dict[StreamId, asyncio.Task[None]] = {}

    @asynccontextmanager
    async def here(self, contact: StreamId) -> AsyncIterator[None]:
        """While a socket of ``contact`` is open."""
        self._open[contact] += 1
        self._forgive(contact)
        await self._views.put(VIEW, self._replica, contact.key, b"", self._clock.now())
        try:
            yield
        finally:
            self._open[contact] -= 1
            if not self._open[contact]:
                del self._open[contact]
                self._miss(contact)

    async def recover(self) -> None:
        """After a start: whoever had a socket here is missed from now on."""
        after = ""
        while rows := await self._views.scan(VIEW, self._replica, after):
            for row in rows:
                contact = StreamId.parse(row.key)
                if contact not in self._open:
                    self._miss(contact)
            after = rows[-1].key

    async def close(self) -> None:
        """Stop waiting; the next start waits again."""
        for task in self._waiting.values():
            task.cancel()
        await asyncio.gather(*self._waiting.values(), return_exceptions=True)

    def _forgive(self, contact: StreamId) -> None:
        if waiting := self._waiting.pop(contact, None):
            waiting.cancel()

    def _miss(self, contact: StreamId) -> None:
        self._forgive(contact)
        self._waiting[contact] = asyncio.create_task(self._give_up(contact))

    async def _give_up(self, contact: StreamId) -> None:
        await asyncio.sleep(await self._grace_of(contact))
        while not await self._ended(contact):  # a retry, nobody will set an event
            await asyncio.sleep(RETRY_S)
        del self._waiting[contact]
        await self._views.delete(VIEW, self._replica, contact.key, self._clock.now())

    async def _ended(self, contact: StreamId) -> bool:
        try:
            await self._lost(contact)
        except NotNow:
            log.info("lost_visitor_not_ended_yet", contact=contact.name)
            return False
        return True
