"""Who follows a conversation now: a nudge wakes them, the log tells what is new, so nothing is missed or doubled."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from switchlog.envelope import Row, StreamId
from switchlog.store import EventStore

Frame = Mapping[str, Any]
Render = Callable[[StreamId, Row], Awaitable[Frame | None]]
Send = Callable[[Frame], None]


class Follower:
    """Sends what the contact's log holds after ``after``, then whatever is appended, in order."""

    def __init__(self, contact: StreamId, events: EventStore, render: Render, send: Send, after: int = 0) -> None:
        self.contact = contact
        self._events = events
        self._render = render
        self._send = send
        self._sent = after
        self._news = asyncio.Event()
        self._news.set()

    def nudge(self) -> None:
        self._news.set()

    def signal(self, frame: Frame) -> None:
        """Something that is not in the log and need not be."""
        self._send(frame)

    def rewind(self, after: int) -> None:
        """Send again what came after version ``after``: the other side says it has no more than that."""
        self._sent = after
        self._news.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._news.wait()
            self._news.clear()
            for row in await self._events.read(self.contact, self._sent):
                frame = await self._render(self.contact, row)
                self._sent = row.version
                if frame is not None:
                    self._send(frame)


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
        """Run ``follower`` until cancelled."""
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
