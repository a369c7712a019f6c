"""How soon a fact is a figure that somebody can ask for, and how long the answers take; the real process over Kafka."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaProducer
from verification.day.bulk import Bulk
from verification.day.streams import Streams
from verification.day.world import stamp
from verification.live import Live, NotAnswered, live
from verification.oracle.recompute import Asked
from verification.serving import serving

from benchmarks.analytics.filling import START, fill, hours
from benchmarks.figures import Figure
from benchmarks.place import Place
from benchmarks.sampling import percentile
from contactcenter.contact.v1.types_pb2 import CHANNEL_CHAT
from contactcenter.routing.v1 import events_pb2
from contactcenter.topics import create_topics
from switchlog.bus import clients

ROUTING = "routing.events.v1"
RATE, SECONDS = 1000, 30
DAY_MS = 86_400_000
SPAN = (START - 8 * DAY_MS, START + 8 * DAY_MS)


async def run(place: Place) -> list[Figure]:
    """Event -> visible at 1 000 events/s: from the send of the fact to the answer that counts it."""
    async with _analytics(place) as asked:
        load = asyncio.create_task(_steady(place, RATE, SECONDS if not place.quick else 10))
        waits = await _marked(place, asked, load)
        await load
    note = f"goal p99 500 ms, at {RATE} events/s; {len(waits)} facts"
    return [
        Figure(
            "figures: event -> visible in the API, p50", "ms", [percentile(waits, 0.5)], lower_is_better=True, note=note
        ),
        Figure(
            "figures: event -> visible in the API, p99",
            "ms",
            [percentile(waits, 0.99)],
            lower_is_better=True,
            note=note,
        ),
    ]


async def _marked(place: Place, asked: Live, load: asyncio.Task[None]) -> list[float]:
    """Milliseconds, one contact after another."""
    streams, found = Streams("marks"), []
    question = Asked("marks", ("queue",), "1d", "cohort", 20)
    async with _producer(place) as out:
        while not load.done():
            now = round(time.time() * 1000)
            waiting = events_pb2.ContactWaiting(
                leg=1, queue="mark", contact=f"m{len(found)}", channel=CHANNEL_CHAT, queued_at=stamp(now)
            )
            streams.say("pool-mark", waiting, now, now)
            one = streams.said.pop()
            began = time.perf_counter()
            await out.send(one.topic, one.value, one.key, headers=one.headers)
            while await _offered(asked, question, now) <= len(found):
                await asyncio.sleep(0.005)
            found.append((time.perf_counter() - began) * 1000)
            await asyncio.sleep(0.05)
    return found


async def _offered(asked: Live, question: Asked, now: int) -> int:
    try:
        answer = await asked.figures(question, "UTC", (now - DAY_MS, now + DAY_MS))
    except NotAnswered:
        return 0
    return sum(row["offered"] for row in answer.rows.values())


async def _steady(place: Place, rate: int, seconds: float) -> None:
    """Facts of a busy hour, evenly."""
    facts = hours(rate * round(seconds), 50, 1).facts()
    async with _producer(place) as out:
        began = time.monotonic()
        for sent, fact in enumerate(facts, 1):
            await out.send(ROUTING, fact.value, fact.key, headers=fact.headers)
            if sent % 50 == 0:
                await asyncio.sleep(max(0, began + sent / rate - time.monotonic()))
            if sent >= rate * seconds:
                return


async def answers(place: Place) -> list[Figure]:
    """A day by quarter hours; a year by days as it is added up, and from what is kept of that."""
    year = Bulk("bench", place.scaled(200_000), 3, START - 365 * DAY_MS, START, pools=3, offers=False)
    day = Bulk("bench-day", 5_000, 1, START, START + DAY_MS, pools=1)
    async with _analytics(place) as asked:
        await fill(place, ROUTING, year.facts())
        await fill(place, ROUTING, day.facts())
        by_days = Asked("bench", ("queue",), "1d", "cohort", 20)
        by_quarters = Asked("bench-day", ("queue",), "15m", "cohort", 20)
        await _until_complete(asked, by_days, (START - 366 * DAY_MS, START + DAY_MS), year.contacts)
        await _until_complete(asked, by_quarters, (START, START + DAY_MS), day.contacts)
        whole = (START - 365 * DAY_MS, START)
        quarters = await _timed(asked, by_quarters, (START, START + DAY_MS), ["UTC"] * place.rounds(100))
        zones = [f"Etc/GMT-{n}" for n in range(1, 1 + place.rounds(10))]
        first = await _timed(asked, by_days, whole, zones)
        again = await _timed(asked, by_days, whole, zones * 3)
    return [
        *_pair("a day by quarter hours, 1 queue, 96 rows", quarters),
        *_pair("a year by days, 3 queues, first asked", first, f"{year.contacts} contacts, 1 098 rows, zone by zone"),
        *_pair("a year by days, 3 queues, asked again", again, "goal p50 500 ms"),
    ]


def _pair(what: str, taken: list[float], note: str = "") -> list[Figure]:
    named = {"p50": 0.5, "p99": 0.99}
    return [
        Figure(f"figures: {what}, {name}", "ms", [percentile(taken, share)], lower_is_better=True, note=note)
        for name, share in named.items()
    ]


async def _until_complete(asked: Live, question: Asked, span: tuple[int, int], contacts: int) -> None:
    async with asyncio.timeout(300):
        while True:
            try:
                rows = (await asked.figures(question, "UTC", span)).rows.values()
                if sum(row["offered"] for row in rows) >= contacts and not any(row["waiting"] for row in rows):
                    return
            except NotAnswered:
                pass
            await asyncio.sleep(1)


async def _timed(asked: Live, question: Asked, span: tuple[int, int], zones: Iterable[str]) -> list[float]:
    """Asked once in each of ``zones``: no day of one is a day of another."""
    found = []
    for zone in zones:
        began = time.perf_counter()
        await asked.figures(question, zone, span)
        found.append((time.perf_counter() - began) * 1000)
    return found


@asynccontextmanager
async def _analytics(place: Place) -> AsyncIterator[Live]:
    await create_topics(place.kafka.address)
    async with (
        serving(place.kafka.address, place.root / place.fresh("serving")) as one,
        live(one.url, one.token) as asked,
    ):
        yield asked


@asynccontextmanager
async def _producer(place: Place) -> AsyncIterator[AIOKafkaProducer]:
    client = clients.producer(place.kafka.address)
    await client.start()
    try:
        yield client
    finally:
        await client.stop()
