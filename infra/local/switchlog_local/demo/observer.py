"""Counts what the topics say: the demo's figures come from the facts themselves, as any subscriber would see them."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from aiokafka import AIOKafkaConsumer, TopicPartition

from contactcenter.contact.v1.events_pb2 import ContactEvent
from contactcenter.routing.v1 import events_pb2 as routing_pb

TOPICS = ("contact.events.v1", "routing.events.v1")


@dataclass
class Counts:
    """Facts seen since the start; durations in milliseconds, queued instants by contact id and leg."""

    facts: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    queued_at: dict[tuple[str, int], int] = field(default_factory=dict)
    queued_to_offered_ms: list[int] = field(default_factory=list)
    offers: dict[str, tuple[str, int]] = field(default_factory=dict)

    def contact(self, event: ContactEvent) -> None:
        fact = event.WhichOneof("fact") or ""
        self.facts[fact] += 1
        if fact == "contact_queued":
            contact = event.meta.stream.removeprefix("contact-")
            self.queued_at[contact, event.contact_queued.leg] = event.meta.recorded_at.ToMilliseconds()

    def routing(self, event: routing_pb.RoutingEvent) -> None:
        fact = event.WhichOneof("fact") or ""
        self.facts[fact] += 1
        if fact == "contact_offered":
            self._offered(event)
        elif fact == "contact_dequeued":
            self.outcomes[
                routing_pb.DequeueOutcome.Name(event.contact_dequeued.outcome).removeprefix("DEQUEUE_OUTCOME_").lower()
            ] += 1

    def seen_after_ms(self, offer_id: str, arrived_ms: int) -> int | None:
        """From queued to the agent's screen, for an offer that arrived there at ``arrived_ms``."""
        key = self.offers.get(offer_id)
        return arrived_ms - self.queued_at[key] if key in self.queued_at else None

    def _offered(self, event: routing_pb.RoutingEvent) -> None:
        offered = event.contact_offered
        key = (offered.contact, offered.leg)
        first = key not in self.offers.values()
        self.offers[offered.offer_id] = key
        if first and key in self.queued_at:
            self.queued_to_offered_ms.append(event.meta.recorded_at.ToMilliseconds() - self.queued_at[key])


async def observe(bootstrap: str, counts: Counts, started: asyncio.Event) -> None:
    """Read both topics from now on, without a group, until cancelled."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False, auto_offset_reset="latest")
    await consumer.start()
    try:
        partitions = [TopicPartition(topic, p) for topic in TOPICS for p in await _partitions(consumer, topic)]
        consumer.assign(partitions)
        await consumer.seek_to_end(*partitions)
        for partition in partitions:
            await consumer.position(partition)
        started.set()
        while True:
            for partition, records in (await consumer.getmany(timeout_ms=500)).items():
                _count(counts, partition.topic, [record.value or b"" for record in records])
    finally:
        await consumer.stop()


async def _partitions(consumer: AIOKafkaConsumer, topic: str) -> list[int]:
    await consumer._client.add_topic(topic)
    return sorted(consumer.partitions_for_topic(topic) or ())


def _count(counts: Counts, topic: str, values: list[bytes]) -> None:
    for value in values:
        if topic == "contact.events.v1":
            counts.contact(ContactEvent.FromString(value))
        else:
            counts.routing(routing_pb.RoutingEvent.FromString(value))


def percentiles(values: list[int]) -> Mapping[str, int | None]:
    """p50 and p99 by nearest rank; ``None`` when there is nothing."""
    ordered = sorted(values)
    if not ordered:
        return {"p50": None, "p99": None}
    return {name: ordered[min(len(ordered) - 1, int(len(ordered) * q))] for name, q in (("p50", 0.5), ("p99", 0.99))}
