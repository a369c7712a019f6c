"""A broker that is killed, stopped or frozen under load: commands go on, and the backlog follows in order."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from switchlog.bus import clients
from switchlog.clock import SystemClock
from switchlog.outlet import KafkaOutlet
from switchlog.relay import Relay
from switchlog.store.opening import open_store
from switchlog.store.settings import StoreSettings
from switchlog.writer import Writer
from switchlog_local import Kafka, Server, free_ports

from .tally import TALLY, Count, TallyMessage, cause, codec, stream

pytestmark = [pytest.mark.kafka, pytest.mark.slow]
TOPIC = "tally.events.v1"
STREAMS = 8
AWAY_S = 5.0


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Server]:
    server = Kafka(tmp_path / "kafka", *free_ports(2))
    await asyncio.to_thread(server.start)
    await clients.ensure_topic(address(server), TOPIC, 3, replication=1)
    yield server
    await asyncio.to_thread(server.wipe)


def address(server: Server) -> str:
    return f"127.0.0.1:{server.port}"


class Load:
    """Commands one after another on each stream, until told to stop; nobody may be refused."""

    def __init__(self, writer: Writer) -> None:
        self.writer = writer
        self.stopping = False
        self.slowest = 0.0

    async def one(self, name: str) -> int:
        done = 0
        while not self.stopping:
            began = time.perf_counter()
            await self.writer.execute(stream(name), Count("a"), cause(f"{name}-{done}"))
            self.slowest = max(self.slowest, time.perf_counter() - began)
            done += 1
            await asyncio.sleep(0.01)
        return done


@asynccontextmanager
async def under_load(server: Server, path: Path, acknowledge_s: float) -> AsyncIterator[tuple[Relay, Load]]:
    store = await open_store(StoreSettings("sqlite", str(path)), "tally")
    outlet = KafkaOutlet(lambda: clients.producer(address(server)), acknowledge_s=acknowledge_s)
    relay = Relay(store.events, outlet, lambda _: TOPIC)
    load = Load(Writer(store.events, TALLY, codec(TOPIC), relay.notify, SystemClock()))
    running = [asyncio.create_task(load.one(f"s{n}")) for n in range(STREAMS)]
    await asyncio.sleep(1)
    yield relay, load
    load.stopping = True
    counts = await asyncio.gather(*running)
    began = time.perf_counter()
    assert await relay.drain(20), "the backlog must be drained within 20 s"
    print(
        f"{sum(counts)} commands, slowest {load.slowest * 1e3:.0f} ms, drained in {time.perf_counter() - began:.1f} s"
    )
    check(await everything(server, sum(counts)), dict(zip([f"s{n}" for n in range(STREAMS)], counts, strict=True)))
    await relay.close()
    await store.close()


async def everything(server: Server, least: int) -> dict[str, list[int]]:
    consumer = clients.consumer(address(server), None, [TOPIC])
    await consumer.start()
    found: dict[str, list[int]] = defaultdict(list)
    count, quiet = 0, 0
    while count < least or quiet < 3:
        records = [record for batch in (await consumer.getmany(timeout_ms=300)).values() for record in batch]
        quiet = 0 if records else quiet + 1
        count += len(records)
        for record in records:
            meta = TallyMessage.FromString(record.value).meta
            found[meta.stream].append(meta.version)
        assert quiet < 50, f"{count} of {least} records found"
    await consumer.stop()
    return found


def check(found: dict[str, list[int]], counts: dict[str, int]) -> None:
    """P1, P2: every stored version, first occurrences in order, none missing."""
    for name, count in counts.items():
        assert list(dict.fromkeys(found[name])) == list(range(1, count + 1)), name
    repeats = sum(map(len, found.values())) - sum(counts.values())
    print(f"{repeats} repeats")


@pytest.mark.parametrize(("how", "acknowledge_s"), [("kill", 30.0), ("kill", 2.0), ("freeze", 2.0), ("stop", 2.0)])
async def test_commands_go_on_and_the_backlog_follows_in_order(
    broker: Server, tmp_path: Path, how: str, acknowledge_s: float
) -> None:
    """trust.md: broker restart, broker cut off; an impatient outlet throws producers away while the broker is gone."""
    async with under_load(broker, tmp_path, acknowledge_s) as (relay, load):
        await asyncio.to_thread(getattr(broker, how))
        await asyncio.sleep(AWAY_S)
        await asyncio.to_thread(broker.thaw if how == "freeze" else broker.start)
        await asyncio.sleep(1)
    assert load.slowest < 2
    assert relay.counters.holes == 0
