"""A place that takes feeds over a store in memory, and lines to feed it with."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from analytics.adapters import fed_events
from analytics.app.feeding import Feeding, Tally
from analytics.app.feedlines import Accepted, read_line
from analytics.domain.feed import FEED, FeedEvent, Terms, streams_of
from analytics.projections.snapshots import Snapshots
from switchlog.clock import ManualClock
from switchlog.envelope import StreamId
from switchlog.store.memory import MemoryStore
from switchlog.writer import Writer, no_publish

TENANT = "acme"
BEGAN = 1_763_985_600_000  # 2025-11-24T12:00:00Z, a quarter hour
ANY = Terms(any_order=True)


def line(fact: str, at: int, contact: str = "", **more: Any) -> dict[str, Any]:
    """A line at ``at`` milliseconds after noon."""
    fields = {"source": "pbx", "at": instant(BEGAN + at), "fact": fact, "contact": contact} | more
    return {name: value for name, value in fields.items() if value not in ("", None)}


def instant(at: int) -> str:
    from switchlog.envelope import timestamp

    return timestamp(at)


def body(lines: Iterable[dict[str, Any]]) -> bytes:
    return b"\n".join(msgspec.json.encode(one) for one in lines)


def accepted(lines: Iterable[dict[str, Any]]) -> list[tuple[int, Accepted]]:
    return [(number, read_line(msgspec.json.encode(one), 1 << 45)) for number, one in enumerate(lines, 1)]


def calls(count: int, seed: int = 0, source: str = "pbx") -> list[dict[str, Any]]:
    """A log of ``count`` calls, by time: most are answered, some abandon."""
    chance, found = random.Random(seed), []
    for n in range(count):
        at, contact, queue = n * 7_000 + chance.randint(0, 5_000), f"c{n}", chance.choice(["sales", "service"])
        told = {"source": source, "queue": queue, "channel": "voice"}
        waited, talked, wrapped = chance.randint(0, 90_000), chance.randint(1_000, 300_000), chance.randint(0, 60_000)
        found.append(line("contact_started", at, contact, **told))
        found.append(line("contact_queued", at, contact, **told))
        if chance.random() < 0.15:
            found.append(line("contact_abandoned", at + waited, contact, **told))
        else:
            told["agent"] = f"a{chance.randint(1, 20)}"
            found.append(line("contact_answered", at + waited, contact, **told))
            found.append(line("agent_disconnected", at + waited + talked, contact, **told))
            found.append(line("wrap_up_started", at + waited + talked, contact, **told))
            found.append(line("wrap_up_ended", at + waited + talked + wrapped, contact, **told))
        found.append(line("contact_ended", found[-1] and at + waited + talked, contact, source=source))
    return sorted(found, key=lambda one: str(one["at"]))


class Place:
    """A process that takes feeds; ``another`` is a second one over the same store."""

    def __init__(self, store: MemoryStore | None = None, **settings: Any) -> None:
        self.store, self.clock = store or MemoryStore(), ManualClock(BEGAN + 400 * 24 * 3600 * 1000)
        self.snapshots = Snapshots(self.store.events, self.store.views, fed_events.CODEC)
        self.writer = Writer(
            self.store.events, FEED, fed_events.CODEC, no_publish, self.clock, begin=self.snapshots.begin, **settings
        )
        self.feeding = Feeding(self.writer, self.snapshots.note, self.clock)

    def another(self) -> Place:
        return Place(self.store)

    async def feed(self, lines: Iterable[dict[str, Any]], terms: Terms = ANY, **more: Any) -> Tally:
        giving = self.feeding.one(TENANT, "u1", terms)
        await giving.give(accepted(lines))
        return await giving.end(**more)

    async def log(self, source: str = "pbx") -> dict[str, Sequence[FeedEvent]]:
        """What each of a source's streams tells."""
        streams = [StreamId(TENANT, name) for name in streams_of(source)]
        return {one.name: fed_events.CODEC.events(await self.store.events.read(one)) for one in streams}
