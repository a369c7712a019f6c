"""Events, owners and a running consumer for the tests of the consuming side."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from contactcenter.agent.v1 import events_pb2
from switchlog.bus.consumer import Consumer
from switchlog.bus.record import Raw, Received
from switchlog.envelope import Cause, Codec, Row, StreamId, compose
from switchlog.errors import NotFound, Poison
from switchlog.store.memory import MemoryStore

from .broker import Broker

TOPIC, GROUP, OWNER = "agent.events.v1", "testing-react", "agent_state"


def _write(text: str) -> events_pb2.AgentEvent:
    return events_pb2.AgentEvent(agent_not_ready=events_pb2.AgentNotReady(reason=text))


CODEC: Codec[str] = Codec(OWNER, TOPIC, events_pb2.AgentEvent, _write, lambda message: message.agent_not_ready.reason)


def stream(name: str, tenant: str = "acme") -> StreamId:
    return StreamId(tenant, name)


def rows(of: StreamId, *texts: str, after: int = 0) -> list[Row]:
    """One event a text, from version ``after + 1`` on."""
    decided = [(Cause(f"c{after + n}", "", "tester"), [text]) for n, text in enumerate(texts, 1)]
    return compose(of, after, decided, CODEC, f"b{after}", 1_750_000_000_000)


def text_of(received: Received) -> str:
    return received.parse(events_pb2.AgentEvent).agent_not_ready.reason


@dataclass
class Owners:
    """The owners' logs, as ``EventLogService`` would show them; ``away`` of them do not answer."""

    logs: dict[StreamId, list[Row]] = field(default_factory=lambda: defaultdict(list))
    asked: int = 0
    error: Exception | None = None

    def hold(self, of: StreamId, *texts: str) -> list[Row]:
        made = rows(of, *texts, after=len(self.logs[of]))
        self.logs[of] += made
        return made

    async def read(self, service: str, of: StreamId, after: int, upto: int) -> Sequence[Row]:
        self.asked += 1
        await asyncio.sleep(0)
        if self.error is not None:
            raise self.error
        if service != OWNER:
            raise Poison("UNKNOWN_OWNER", service)
        if of not in self.logs:
            raise NotFound()
        return self.logs[of][after:upto]


@dataclass
class Graves:
    """Dead letters in memory."""

    buried: list[tuple[Raw, str]] = field(default_factory=list)
    error: Exception | None = None

    async def bury(self, raw: Raw, reason: str, detail: str = "") -> None:
        await asyncio.sleep(0)
        if self.error is not None:
            raise self.error
        self.buried.append((raw, reason))

    async def close(self) -> None:
        return None


@dataclass
class Done:
    """What took effect, per stream in order; ``act`` may refuse."""

    texts: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    batches: list[int] = field(default_factory=list)
    act: Callable[[str], Awaitable[None]] | None = None

    async def handle(self, received: Received) -> None:
        text = text_of(received)
        if self.act is not None:
            await self.act(text)
        self.texts[received.key].append(text)

    async def handle_batch(self, batch: Sequence[Received]) -> None:
        read = [(received.key, text_of(received)) for received in batch]
        for _, text in read:
            if self.act is not None:
                await self.act(text)
        self.batches.append(len(batch))
        for key, text in read:
            self.texts[key].append(text)


@dataclass
class World:
    broker: Broker = field(default_factory=Broker)
    store: MemoryStore = field(default_factory=MemoryStore)
    owners: Owners = field(default_factory=Owners)
    graves: Graves = field(default_factory=Graves)
    done: Done = field(default_factory=Done)

    def consumer(self, **changes: Any) -> Consumer:
        given: dict[str, Any] = {
            "seen": self.store.seen,
            "healer": self.owners,
            "parked": self.store.views,
            "dead": self.graves,
            "connect": self.broker.connect(GROUP, TOPIC),
            "settle_after_s": 60.0,
        }
        if "handle_batch" not in changes:
            given["handle"] = self.done.handle
        return Consumer("", GROUP, [TOPIC], **(given | changes))

    def publish(self, of: StreamId, *texts: str) -> None:
        """The owner holds the events and they are on the topic."""
        self.broker.publish(TOPIC, of, *self.owners.hold(of, *texts))

    async def all_committed(self) -> None:
        await until(lambda: self.broker.committed_all(GROUP, TOPIC))

    @asynccontextmanager
    async def running(self, consumer: Consumer | None = None, **changes: Any) -> AsyncIterator[Consumer]:
        """A running consumer; fails with it when it fails."""
        consumer = consumer or self.consumer(**changes)
        task = asyncio.create_task(consumer.run())
        try:
            yield consumer
        finally:
            task.cancel()
            try:
                await task
            except asyncio.CancelledError:
                pass


async def until(true: Callable[[], bool], seconds: float = 5.0) -> None:
    """Wait until ``true()``."""
    try:
        async with asyncio.timeout(seconds):
            while not true():
                await asyncio.sleep(0.002)
    except TimeoutError:
        raise AssertionError(f"not within {seconds} s: {true}") from None
