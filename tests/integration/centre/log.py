"""What the topics say from the start of the centre on, as any subscriber would read it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from google.protobuf.message import Message

from contactcenter.catalogue import TOPICS, Topic
from switchlog.bus.record import Raw
from switchlog.bus.tail import Tail
from switchlog.testing import eventually

from .plan import BOOTSTRAP

EVENTS = {topic.name: topic for topic in TOPICS if topic.message.endswith("Event")}


@dataclass(frozen=True)
class Fact:
    """One published event: ``name`` as in ``ContactQueued``, ``data`` its message, ``at_ms`` its recorded time."""

    topic: str
    partition: int
    offset: int
    key: str
    tenant: str
    stream: str
    version: int
    name: str
    data: Any
    event: Any
    value: bytes
    headers: dict[str, bytes]

    @property
    def at_ms(self) -> int:
        return int(self.event.meta.recorded_at.ToMilliseconds())


@dataclass
class Log:
    """Every record of every topic since ``start``, in the order of arrival."""

    records: list[Raw] = field(default_factory=list)
    facts: list[Fact] = field(default_factory=list)
    _reading: asyncio.Task[None] | None = None

    async def start(self) -> None:
        tail = Tail(BOOTSTRAP, [topic.name for topic in TOPICS], self._take)
        self._reading = asyncio.create_task(tail.run())
        await asyncio.wait_for(tail.caught_up.wait(), 20)

    async def stop(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)

    def of(self, tenant: str, stream: str = "", *names: str) -> list[Fact]:
        """Facts of ``tenant``, of one stream (or kind of stream, as ``ticket-``), of these names."""
        return [
            fact
            for fact in self.facts
            if fact.tenant == tenant and fact.stream.startswith(stream) and (not names or fact.name in names)
        ]

    async def settled(self, tenant: str) -> list[Fact]:
        """All facts of ``tenant``, once for half a second nothing new came."""
        found, quiet = self.of(tenant), 0
        while quiet < 5:
            await asyncio.sleep(0.1)
            now = self.of(tenant)
            found, quiet = now, quiet + 1 if len(now) == len(found) else 0
        return found

    async def until(self, tenant: str, stream: str, name: str, count: int = 1, within_s: float = 10) -> Fact:
        """The ``count``-th fact of this name."""

        def found() -> Fact:
            facts = self.of(tenant, stream, name)
            told = [fact.name for fact in self.of(tenant, stream)]
            assert len(facts) >= count, f"no {name} number {count} in {stream} of {tenant}, but {told}"
            return facts[count - 1]

        return await eventually(found, within_s)

    def _take(self, raw: Raw) -> None:
        self.records.append(raw)
        if raw.topic in EVENTS:
            self.facts.append(read_fact(raw))


def read_fact(raw: Raw) -> Fact:
    """A record of an event topic, decoded by the contract alone."""
    event: Any = _message(EVENTS[raw.topic]).FromString(raw.value or b"")
    field_name = event.WhichOneof("fact") or ""
    data = getattr(event, field_name) if field_name else None
    meta = event.meta
    return Fact(
        raw.topic,
        raw.partition,
        raw.offset,
        (raw.key or b"").decode(),
        meta.tenant_id,
        meta.stream,
        meta.version,
        type(data).__name__ if data is not None else "",
        data,
        event,
        raw.value or b"",
        dict(raw.headers),
    )


def _message(topic: Topic) -> type[Message]:
    package, _, name = topic.message.rpartition(".")
    found: type[Message] = getattr(import_module(f"{package}.events_pb2"), name)
    return found
