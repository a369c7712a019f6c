"""Compares what is stored with what the topics hold, and has published again what a broker lost.

One broker acknowledges before its disk has the bytes, so a power cut can take back what it said it has (rule 13).
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence

from switchlog.bus.record import Raw
from switchlog.bus.tail import Tail
from switchlog.config import PORTS, kernel_settings
from switchlog.envelope import StreamId
from switchlog.kernel import Kernel, open_kernel
from switchlog.store import EventStore

OWNED: Mapping[str, str] = {
    "ingress_chat": "contact.events.v1",
    "ingress_voice": "contact.events.v1",
    "agent_state": "agent.events.v1",
    "routing": "routing.events.v1",
    "ticketing": "ticket.events.v1",
    "recording": "recording.events.v1",
    "customers": "customer.events.v1",
}
POOLS = {"pool": "routing.events.v1"}
RETENTION_MS = 29 * 24 * 3600 * 1000
PAGE = 1000


async def compare(env: Mapping[str, str], say: Callable[[str], None]) -> int:
    """Publish again whatever of the last 30 days is stored and not on its topic; the number of such streams.

    ``env`` is what the services are told. Run it before they start.
    """
    began = time.time()
    settings = {service: kernel_settings(env, service, PORTS[service]) for service in OWNED}
    published = await _published(settings["customers"].kafka_bootstrap, sorted(set(OWNED.values())))
    short = 0
    for service, topic in OWNED.items():
        async with open_kernel(settings[service], topics={topic.partition(".")[0]: topic, **POOLS}) as kernel:
            short += await _republish(kernel, published)
    say(f"store and topics compared in {time.time() - began:.1f} s; {short} streams published again")
    return short


async def _published(bootstrap: str, topics: Sequence[str]) -> dict[str, int]:
    """The highest version of each stream on the topics."""
    highest: dict[str, int] = {}

    def take(raw: Raw) -> None:
        key = (raw.key or b"").decode()
        version = int(dict(raw.headers).get("ce_streamversion", b"0"))
        highest[key] = max(version, highest.get(key, 0))

    tail = Tail(bootstrap, topics, take, start="beginning")
    reading = asyncio.create_task(tail.run())
    await tail.caught_up.wait()
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    return highest


async def _republish(kernel: Kernel, published: Mapping[str, int]) -> int:
    events, short, after = kernel.store.events, 0, ""
    while streams := await events.streams(after=after, limit=PAGE):
        for stream in streams:
            there, stands = published.get(stream.key, 0), await events.watermark(stream)
            if stands > there and await _kept(events, stream, stands, kernel.clock.now()):
                await kernel.republish(stream, there + 1)
                short += 1
        after = streams[-1].key
    await kernel.drain()
    return short


async def _kept(events: EventStore, stream: StreamId, version: int, now: int) -> bool:
    """Whether the topic would still hold that version: older ones are gone by retention."""
    rows = await events.read(stream, version - 1, 1)
    return bool(rows) and now - rows[0].recorded_at < RETENTION_MS
