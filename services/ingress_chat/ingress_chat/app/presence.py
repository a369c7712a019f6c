"""Whether the visitor is still there: a lost socket has a grace time to come back, over our restarts too (CH-6)."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

from switchlog.clock import Clock
from switchlog.envelope import StreamId
from switchlog.errors import NotNow, VersionConflict
from switchlog.log import get_logger
from switchlog.store import ViewStore

VIEW = "visitor_sockets"
RETRY_S = 1.0
ARRIVAL_S = 60.0

log = get_logger(__name__)

GraceOf = Callable[[StreamId], Awaitable[float]]
Lost = Callable[[StreamId], Awaitable[None]]
T = TypeVar("T")


class Presence:
    """Counts open sockets a contact; calls ``lost`` when none came back within ``grace_of`` seconds.

    Which contacts this replica holds is kept in view rows, so a restart starts their grace time again; which replica
    saw a contact last stands beside it, so only that one gives up on it. The rows are written beside the conversation:
    nobody waits for them.
    """

    def __init__(self, replica: str, views: ViewStore, clock: Clock, grace_of: GraceOf, lost: Lost) -> None:
        self._replica = replica
        self._views = views
        self._clock = clock
        self._grace_of = grace_of
        self._lost = lost
        self._open: Counter[StreamId] = Counter()
        self._waiting: dict[StreamId, asyncio.Task[None]] = {}
        self._marking: set[asyncio.Task[None]] = set()
        self._closed = False

    def expect(self, contact: StreamId) -> None:
        """The visitor has begun and is to open a socket."""
        self._mark(contact)
        if contact not in self._open:
            self._miss(contact, ARRIVAL_S)

    @asynccontextmanager
    async def here(self, contact: StreamId) -> AsyncIterator[None]:
        """While a socket of ``contact`` is open."""
        self._open[contact] += 1
        self._forgive(contact)
        self._mark(contact)
        try:
            yield
        finally:
            self._open[contact] -= 1
            if not self._open[contact]:
                del self._open[contact]
                self._miss(contact)

    async def recover(self) -> None:
        """After a start: whoever had a socket here is missed from now on; a store that is away is waited for."""
        while True:
            try:
                return await self._miss_all()
            except NotNow as later:
                log.info("visitors_not_recovered_yet", reason=later.reason)
                await asyncio.sleep(RETRY_S)

    async def _miss_all(self) -> None:
        after = ""
        while rows := await self._views.scan(VIEW, self._held, after):
            for row in rows:
                contact = StreamId.parse(row.key)
                if contact not in self._open:
                    self._miss(contact)
            after = rows[-1].key

    async def close(self) -> None:
        """Stop waiting; the next start waits again."""
        self._closed = True
        if self._marking:
            await asyncio.wait(self._marking, timeout=1.0)
        tasks = [*self._waiting.values(), *self._marking]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    @property
    def _held(self) -> str:
        return f"held by {self._replica}"

    def _mark(self, contact: StreamId) -> None:
        now = self._clock.now()
        rows = [
            (self._held, contact.key, b"", now),
            (f"holder of {contact.key}", "", self._replica.encode(), now),
        ]
        task = asyncio.create_task(_insist(lambda: self._views.put_many(VIEW, rows)))
        self._marking.add(task)
        task.add_done_callback(self._marking.discard)

    def _forgive(self, contact: StreamId) -> None:
        if waiting := self._waiting.pop(contact, None):
            waiting.cancel()

    def _miss(self, contact: StreamId, at_least_s: float = 0.0) -> None:
        self._forgive(contact)
        if not self._closed:
            self._waiting[contact] = asyncio.create_task(self._give_up(contact, at_least_s))

    async def _give_up(self, contact: StreamId, at_least_s: float) -> None:
        grace_s = await _insist(lambda: self._grace_of(contact))
        await asyncio.sleep(max(grace_s, at_least_s))
        if await _insist(lambda: self._is_holder(contact)):
            await _insist(lambda: self._lost(contact))
        await _insist(lambda: self._views.delete(VIEW, self._held, contact.key, self._clock.now()))
        del self._waiting[contact]

    async def _is_holder(self, contact: StreamId) -> bool:
        row = await self._views.get(VIEW, f"holder of {contact.key}", "")
        return row is None or row.value.decode() == self._replica


async def _insist(call: Callable[[], Awaitable[T]]) -> T:
    """A retry, nobody will set an event."""
    while True:
        try:
            return await call()
        except (NotNow, VersionConflict) as later:
            log.info("presence_waits", reason=later.reason)
            await asyncio.sleep(RETRY_S)
