"""Owners of one pool over a store in memory, with a clock and a bus that a test moves by hand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from routing import wire, wiring
from routing.app.owner import Owner, Tools
from routing.app.ports import Arrived
from routing.domain.events import Event
from routing.domain.replay import Recorded
from routing.projections.answers import Answers
from routing.projections.days import Days
from switchlog.clock import ManualClock
from switchlog.envelope import Row, StreamId
from switchlog.store.memory import MemoryStore

from .world import POOL, World

NOON = 1_750_075_200_000  # 2025-06-16T12:00:00Z


@dataclass
class HandBus:
    """A bus that is there until a test says otherwise."""

    clock: ManualClock
    up: bool = True
    lost_s: float = 0.0
    since: float = 0.0
    asked: int = 0
    outages: list[tuple[int, int]] = field(default_factory=list)

    def time(self) -> float:
        return (self.clock.monotonic() if self.up else self.since) - self.lost_s

    def lost_since(self, at: int) -> int:
        return sum(max(0, end - max(begin, at)) for begin, end in self.outages)

    async def wait_up(self) -> None:
        while not self.up:
            await asyncio.sleep(0.001)

    async def alive(self) -> bool:
        self.asked += 1
        return self.up

    def away(self) -> None:
        self.up, self.since = False, self.clock.monotonic()
        self.outages.append((self.clock.now(), self.clock.now()))

    def back(self) -> None:
        self.outages[-1] = (self.outages[-1][0], self.clock.now())
        self.up, self.lost_s = True, self.lost_s + self.clock.monotonic() - self.since


@dataclass
class Bench:
    clock: ManualClock = field(default_factory=lambda: ManualClock(NOON))
    store: MemoryStore = field(default_factory=MemoryStore)
    published: list[Row] = field(default_factory=list)
    done: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.bus = HandBus(self.clock)
        self.world = World(NOON)
        self.answers = Answers(self.store.views, self.clock, wiring.refusal_of)

    def owner(self, name: str = "o1", told: Any = None, events: Any = None) -> Owner:
        tools = Tools(
            events=events or self.store.events,
            seen=self.store.seen,
            answers=self.answers,
            days=Days(self.store.views),
            codec=wire.CODEC,
            clock=self.clock,
            bus=self.bus,
            told=(told or self._told,),
            zone=ZoneInfo("UTC"),
            name=name,
        )
        return Owner(POOL, tools, self.done.append)

    @asynccontextmanager
    async def running(self, owner: Owner) -> AsyncIterator[asyncio.Task[None]]:
        task = asyncio.create_task(owner.run())
        try:
            yield task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def advance(self, milliseconds: int) -> None:
        self.clock.advance(milliseconds)
        self.world.now += milliseconds

    async def give(self, owner: Owner, *inputs: Arrived) -> list[Event]:
        """What ``owner`` appends because of ``inputs``."""
        before = len(await self.rows())
        for one in inputs:
            owner.put(one)
        await settled(owner)
        return [event for event, _ in (await self.history())[before:]]

    async def rows(self) -> list[Row]:
        return await self.store.events.read(POOL)

    async def history(self) -> list[Recorded]:
        read = [(wire.CODEC.read(wire.CODEC.parse(row.value)), row.recorded_at) for row in await self.rows()]
        return [(event, at) for event, at in read if event is not None]

    def _told(self, stream: StreamId, head: int, rows: list[Row]) -> None:
        self.published += rows


async def settled(owner: Owner, within_s: float = 3.0) -> None:
    async with asyncio.timeout(within_s):
        while owner.waiting:
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.002)
