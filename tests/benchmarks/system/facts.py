"""What subscribers see, as far as the figures need it: from ContactQueued to ContactOffered, and how many records."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiokafka import TopicPartition

from contactcenter.catalogue import TOPICS
from contactcenter.contact.v1.events_pb2 import ContactEvent
from contactcenter.routing.v1.events_pb2 import RoutingEvent
from switchlog.bus import clients
from switchlog.bus.tail import Tail

QUEUED, OFFERED = b"contactcenter.contact.v1.ContactQueued", b"contactcenter.routing.v1.ContactOffered"


@dataclass
class Waits:
    """Milliseconds from queued to offered, by the facts' own recorded times, since ``begin``."""

    bootstrap: str
    queued_to_offered: list[float] = field(default_factory=list)
    queued_at: dict[str, int] = field(default_factory=dict)
    _queued: dict[tuple[str, int], int] = field(default_factory=dict)
    _offered: dict[tuple[str, int], tuple[str, int]] = field(default_factory=dict)

    @classmethod
    @asynccontextmanager
    async def open(cls, bootstrap: str) -> AsyncIterator[Waits]:
        waits = cls(bootstrap)
        tail = Tail(bootstrap, ["contact.events.v1", "routing.events.v1"], waits._take)
        reading = asyncio.ensure_future(tail.run())
        try:
            await asyncio.wait_for(tail.caught_up.wait(), 20)
            yield waits
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)

    def begin(self) -> None:
        """Forget what was before."""
        self.queued_to_offered, self.queued_at = [], {}

    def seen_after(self, seen: dict[str, int]) -> list[float]:
        """Milliseconds from queued to the arrival at an agent's screen; ``seen`` is epoch ms by offer id."""
        return [float(at - self.queued_at[offer]) for offer, at in seen.items() if offer in self.queued_at]

    def _take(self, raw: Any) -> None:
        kind = dict(raw.headers).get("ce_type")
        if kind == QUEUED:
            contact = ContactEvent.FromString(raw.value)
            key = (contact.meta.stream.removeprefix("contact-"), contact.contact_queued.leg)
            self._queued[key] = contact.meta.recorded_at.ToMilliseconds()
            self._match(key)
        elif kind == OFFERED:
            routing = RoutingEvent.FromString(raw.value)
            key = (routing.contact_offered.contact, routing.contact_offered.leg)
            offer = (routing.contact_offered.offer_id, routing.meta.recorded_at.ToMilliseconds())
            self._offered.setdefault(key, offer)  # the first offer counts
            self._match(key)

    def _match(self, key: tuple[str, int]) -> None:
        """Two topics' records come in either order."""
        if key not in self._queued or key not in self._offered:
            return
        queued, (offer, offered) = self._queued.pop(key), self._offered[key]
        self.queued_to_offered.append(float(offered - queued))
        self.queued_at[offer] = queued


async def produced(bootstrap: str) -> int:
    """Records on all topics of the catalogue, by their end offsets."""
    client = clients.consumer(bootstrap, None)
    await client.start()
    try:
        return sum((await client.end_offsets(await _partitions(client))).values())
    finally:
        await client.stop()


async def _partitions(client: Any) -> Sequence[TopicPartition]:
    client.subscribe([topic.name for topic in TOPICS])
    for _ in range(50):
        found = [TopicPartition(t.name, n) for t in TOPICS for n in client.partitions_for_topic(t.name) or ()]
        if found:
            return found
        await asyncio.sleep(0.1)
    raise RuntimeError("no topics")
