"""Who follows a conversation now: a nudge wakes them, the log tells what is new, so nothing is missed or doubled."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any

from switchlog.envelope import Row, StreamId
from switchlog.errors import NotNow
from switchlog.log import get_logger
from switchlog.store import EventStore

RETRY_S = 0.5
PAGE = 200

Frame = Mapping[str, Any]
Render = Callable[[StreamId, Row], Awaitable[Frame | None]]
Send = Callable[[Frame], None]
Room = Callable[[], Awaitable[None]]

log = get_logger(__name__)


class Follower:
    """Sends what the contact's log holds, then whatever is appended, in order.

    ``room()`` returns when the other side can take more. Nothing is sent before ``rewind`` or ``begin``, or
    ``patience_s``: who comes back says first how much it has.
    """

    def __init__(
        self,
        contact: StreamId,
        events: EventStore,
        render: Render,
        send: Send,
        room: Room,
        *,
        patience_s: float = 0.0,
    ) -> None:
        self.contact = contact
        self._events = events
        self._render = render
        self._send = send
        self._room = room
        self._patience_s = patience_s
        self._begun = asyncio.Event()
        self._sent = 0
        self._until: int | None = None
        self._rewound = 0
        self._news = asyncio.Event()
        self._news.set()

    def nudge(self) -> None:
        self._news.set()

    def signal(self, frame: Frame) -> None:
        """Something that is not in the log and need not be."""
        self._send(frame)

    def begin(self) -> None:
        """Wait no longer for a ``rewind``."""
        self._begun.set()

    def rewind(self, after: int) -> None:
        """Send what came after version ``after``, again if need be: the other side says it has no more than that."""
        self._sent = after
        self._rewound += 1
        self._begun.set()
        self._news.set()

    def end_at(self, version: int | None) -> None:
        """``run`` returns once ``version`` is sent; ``None``: go on after all."""
        self._until = version
        self._news.set()

    async def run(self) -> None:
        """Until ``end_at`` or cancelled. Waits for a store or an owner of keys that is away."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._begun.wait(), self._patience_s)
        while not self._over():
            await self._news.wait()
            self._news.clear()
            try:
                await self._catch_up()
            except NotNow as later:
                log.info("follower_waits", contact=self.contact.name, reason=later.reason)
                await asyncio.sleep(RETRY_S)
                self._news.set()

    async def _catch_up(self) -> None:
        turn = self._rewound
        rows = await self._events.read(self.contact, self._sent, PAGE)
        for row in rows:
            frame = await self._render(self.contact, row)
            await self._room()
            if turn != self._rewound or self._over():
                return
            self._sent = row.version
            if frame is not None:
                self._send(frame)
        if len(rows) == PAGE:
            self._news.set()

    def _over(self) -> bool:
        return self._until is not None and self._sent >= self._until


class Live:
    """The followers of this process, by contact."""

    def __init__(self) -> None:
        self._followers: dict[StreamId, set[Follower]] = defaultdict(set)

    def nudge(self, contact: StreamId) -> None:
        """Something was appended to ``contact``."""
        for follower in self._followers.get(contact, ()):
            follower.nudge()

    def signal(self, contact: StreamId, frame: Frame, *, but: Follower | None = None) -> None:
        """Show ``frame`` to everybody who follows ``contact`` except ``but``; it is not stored."""
        for follower in self._followers.get(contact, ()):
            if follower is not but:
                follower.signal(frame)

    async def follow(self, follower: Follower) -> None:
        """Run ``follower`` until it ends or is cancelled."""
        self._followers[follower.contact].add(follower)
        try:
            await follower.run()
        finally:
            self._leave(follower)

    def _leave(self, follower: Follower) -> None:
        followers = self._followers[follower.contact]
        followers.discard(follower)
        if not followers:
            del self._followers[follower.contact]
