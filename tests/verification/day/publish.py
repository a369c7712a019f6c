"""Puts a made day onto real topics: partition by key as every writer does, per stream in order, some records twice."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from aiokafka import AIOKafkaProducer

from .streams import Published

AT_ONCE = 500


async def publish(bootstrap: str, said: Sequence[Published], *, repeats: float = 0.0, seed: int = 0) -> int:
    """Produce ``said`` in order; a share ``repeats`` of the records once more later, as a relay may. The count."""
    client = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", enable_idempotence=True, linger_ms=5)
    chance, count = Random(seed), 0
    await client.start()
    try:
        for n in range(0, len(said), AT_ONCE):
            some = list(said[n : n + AT_ONCE])
            some += chance.sample(some, round(len(some) * repeats))
            sent = [await client.send(one.topic, one.value, one.key, headers=one.headers) for one in some]
            for one in sent:
                await one
            count += len(sent)
    finally:
        await client.stop()
    return count
