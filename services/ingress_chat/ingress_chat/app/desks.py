"""Agents at their desks: each open desk follows the conversations its agent has."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable

from switchlog.envelope import StreamId
from switchlog.store import EventStore

from .live import Follower, Live, Render, Send

LINGER_S = 1.0


class Desk:
    """One open socket of an agent."""

    def __init__(self, live: Live, events: EventStore, render: Callable[[StreamId], Render], send: Send) -> None:
        self._live = live
        self._events = events
        self._render = render
        self._send = send
        self._following: dict[StreamId, asyncio.Task[None]] = {}

    def take(self, contact: StreamId) -> None:
        """Follow ``contact`` from its first fact on."""
        if contact not in self._following:
            follower = Follower(contact, self._events, self._render(contact), self._send)
            self._following[contact] = asyncio.create_task(self._live.follow(follower))

    def leave(self, contact: StreamId) -> None:
        """Follow it no more, once its last facts have reached the desk."""
        if task := self._following.pop(contact, None):
            asyncio.get_running_loop().call_later(LINGER_S, task.cancel)

    def close(self) -> None:
        for task in self._following.values():
            task.cancel()
        self._following.clear()


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
        """``agent`` was connected to ``contact``."""
        for desk in self._open.get((contact.tenant, agent), ()):
            desk.take(contact)

    def leave(self, contact: StreamId, agent: str) -> None:
        """``agent`` is no longer in ``contact``."""
        for desk in self._open.get((contact.tenant, agent), ()):
            desk.leave(contact)
