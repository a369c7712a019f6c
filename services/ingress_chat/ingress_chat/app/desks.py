"""Agents at their desks: each open desk follows the conversations its agent has."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any

from switchlog.envelope import StreamId
from switchlog.log import get_logger

from .live import Follower, Live, Send

log = get_logger(__name__)


class Desk:
    """One open socket of an agent; ``follower_of(contact, send)`` makes what watches one conversation."""

    def __init__(self, live: Live, follower_of: Callable[[StreamId, Send], Follower], send: Send) -> None:
        self._live = live
        self._follower_of = follower_of
        self._send = send
        self._followers: dict[StreamId, Follower] = {}
        self._tasks: dict[StreamId, asyncio.Task[None]] = {}

    def has(self, contact: StreamId) -> bool:
        return contact in self._tasks

    def take(self, contact: StreamId) -> None:
        """Follow ``contact``, from its first fact on or from where it was left."""
        if contact not in self._followers:
            self._followers[contact] = self._follower_of(contact, self._send)
        follower = self._followers[contact]
        follower.end_at(None)
        if contact not in self._tasks:
            task = self._tasks[contact] = asyncio.create_task(self._live.follow(follower))
            task.add_done_callback(lambda done: self._stopped(contact, done))

    def leave(self, contact: StreamId, version: int) -> None:
        """Follow it no further than ``version``."""
        if follower := self._followers.get(contact):
            follower.end_at(version)

    def sign(self, contact: StreamId, frame: Mapping[str, Any]) -> None:
        """Show ``frame`` to the others in a conversation that this desk has."""
        if self.has(contact):
            self._live.signal(contact, frame, but=self._followers[contact])

    def close(self) -> None:
        for task in self._tasks.values():
            task.cancel()

    def _stopped(self, contact: StreamId, done: asyncio.Task[None]) -> None:
        self._tasks.pop(contact, None)
        if not done.cancelled() and (error := done.exception()):
            # the next fact of the contact takes it up again, from the start
            self._followers.pop(contact, None)
            log.error("desk_lost_a_contact", contact=contact.name, error=type(error).__name__, exc_info=error)


class Desks:
    """The open desks of this process, by tenant and agent."""

    def __init__(self) -> None:
        self._open: dict[tuple[str, str], set[Desk]] = defaultdict(set)

    def open(self, tenant: str, agent: str, desk: Desk) -> None:
        self._open[tenant, agent].add(desk)

    def close(self, tenant: str, agent: str, desk: Desk) -> None:
        desk.close()
        self._open[tenant, agent].discard(desk)
        if not self._open[tenant, agent]:
            del self._open[tenant, agent]

    def take(self, contact: StreamId, agent: str) -> None:
        """``agent`` is in ``contact``."""
        for desk in self._open.get((contact.tenant, agent), ()):
            desk.take(contact)

    def leave(self, contact: StreamId, agent: str, version: int) -> None:
        """``agent`` left ``contact`` by its fact ``version``."""
        for desk in self._open.get((contact.tenant, agent), ()):
            desk.leave(contact, version)
