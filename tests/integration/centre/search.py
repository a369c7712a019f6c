"""Looks for a text in everything that a centre wrote: topics, stores, objects, logs, spans, metrics."""

from __future__ import annotations

import asyncio
import json
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator

from aiokafka import AIOKafkaConsumer, TopicPartition

from switchlog.bus import clients

from . import cassandra
from .centre import Centre
from .plan import BOOTSTRAP, SERVICES


def shapes(text: str) -> list[bytes]:
    """``text`` as it may stand in files: UTF-8, escaped in JSON, UTF-16, base64 at each of three places."""
    plain = text.encode()
    escaped = json.dumps(text)[1:-1].encode()
    encoded = [b64encode(b"\0" * shift + plain)[4 if shift else 0 : -4] for shift in range(3)]
    return [plain, escaped, text.encode("utf-16-le"), *encoded]


async def places(centre: Centre, text: str) -> set[str]:
    """Where ``text`` stands in clear: names of topics, files, tables, signals."""
    wanted = shapes(text)
    return {place async for place, content in everything(centre) if any(shape in content for shape in wanted)}


async def everything(centre: Centre) -> AsyncIterator[tuple[str, bytes]]:
    """All of it, piece by piece, beside the name of the place."""
    async for piece in _topics():
        yield piece
    for piece in await asyncio.to_thread(lambda: list(_files(centre))):
        yield piece
    if centre.plan.store == "cassandra":
        for piece in await asyncio.to_thread(lambda: list(cassandra.contents(centre.plan))):
            yield piece
    for body in list(centre.otlp.bodies):
        yield "otlp", body
    for service in SERVICES:
        yield f"metrics of {service}", (await centre.http.get(f"{centre.plan.url(service)}/metrics")).content


def _files(centre: Centre) -> Iterator[tuple[str, bytes]]:
    for path in centre.plan.folder.rglob("*"):
        if path.is_file():
            yield str(path.relative_to(centre.plan.folder)), path.read_bytes()


async def _topics() -> AsyncIterator[tuple[str, bytes]]:
    """Every record of every topic on the broker, dead letters too: key, headers and value."""
    consumer = clients.consumer(BOOTSTRAP, None)
    await consumer.start()
    try:
        partitions = [
            TopicPartition(topic, partition)
            for topic in await consumer.topics()
            for partition in await _partitions(consumer, topic)
        ]
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        ends = await consumer.end_offsets(partitions)
        while not await _read_to(consumer, ends):
            for where, records in (await consumer.getmany(timeout_ms=100)).items():
                for record in records:
                    headers = b"\0".join(name.encode() + b"=" + value for name, value in record.headers)
                    yield where.topic, b"\0".join((record.key or b"", headers, record.value or b""))
    finally:
        await consumer.stop()


async def _partitions(consumer: AIOKafkaConsumer, topic: str) -> list[int]:
    await consumer._client.add_topic(topic)  # it knows partitions only of topics that it was asked about
    return sorted(consumer.partitions_for_topic(topic) or ())


async def _read_to(consumer: AIOKafkaConsumer, ends: dict[TopicPartition, int]) -> bool:
    return all([await consumer.position(partition) >= end for partition, end in ends.items()])
