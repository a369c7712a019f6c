"""Topics full of routing facts: made once, in order, in batches."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice
from zlib import crc32

from aiokafka import AIOKafkaProducer
from verification.day.bulk import Bulk, Fact

from benchmarks.place import Place
from switchlog.bus import clients

PARTITIONS = 4
START = 1_762_128_000_000  # 2025-11-03T00:00:00Z, a Monday
HOUR = 3_600_000


def hours(contacts: int, queues: int, span_h: float, tenant: str = "bench", pools: int = 4) -> Bulk:
    """``contacts`` over ``queues`` within ``span_h`` hours."""
    return Bulk(tenant, contacts, queues, START, START + round(span_h * HOUR), pools)


async def fill(place: Place, topic: str, facts: Iterable[Fact]) -> int:
    """Produce ``facts``, each pool's in order on one partition; how many there were."""
    client = clients.producer(place.kafka.address, linger_ms=5)
    await client.start()
    try:
        count, rest = 0, iter(facts)
        while some := list(islice(rest, 5000)):
            await _send(client, topic, _by_partition(some))
            count += len(some)
        return count
    finally:
        await client.stop()


def _by_partition(facts: Iterable[Fact]) -> Mapping[int, list[Fact]]:
    found: dict[int, list[Fact]] = {}
    for fact in facts:
        found.setdefault(crc32(fact.key) % PARTITIONS, []).append(fact)
    return found


async def _send(client: AIOKafkaProducer, topic: str, facts: Mapping[int, list[Fact]]) -> None:
    """As relays do: whole batches, one after another on a partition."""
    for partition, some in facts.items():
        batch = client.create_batch()
        for fact in some:
            if batch.append(key=fact.key, value=fact.value, timestamp=None, headers=fact.headers) is None:
                await (await client.send_batch(batch, topic, partition=partition))
                batch = client.create_batch()
                batch.append(key=fact.key, value=fact.value, timestamp=None, headers=fact.headers)
        await (await client.send_batch(batch, topic, partition=partition))
