"""What the topics hold: read from the beginning to the present end, each event once, repeats proved to be identical."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from contactcenter.catalogue import TOPICS, Topic

EVENTS = {topic.name: topic for topic in TOPICS if topic.name.endswith(".events.v1") and not topic.internal}
FIGURES = ("contact.events.v1", "agent.events.v1", "routing.events.v1", "ticket.events.v1", "external.events.v1")
MAX_BYTES = 8 * 1024 * 1024


class Record(NamedTuple):
    """A record as it stands on the broker."""

    topic: str
    partition: int
    offset: int
    key: bytes
    value: bytes


@dataclass(frozen=True)
class Contents:
    """Records of ``topics`` up to ``ends`` ((topic, partition) -> the offset after the last)."""

    records: Sequence[Record]
    ends: dict[tuple[str, int], int] = field(default_factory=dict)


async def read(bootstrap: str, topics: Sequence[str] = FIGURES) -> Contents:
    """Everything that ``topics`` hold now; a topic that is missing is empty."""
    if not (partitions := await _partitions(bootstrap, topics)):
        return Contents([])
    client = AIOKafkaConsumer(
        bootstrap_servers=bootstrap, enable_auto_commit=False, max_partition_fetch_bytes=MAX_BYTES, check_crcs=False
    )
    await client.start()
    try:
        return await _to_the_end(client, partitions)
    finally:
        await client.stop()


async def _partitions(bootstrap: str, topics: Sequence[str]) -> list[TopicPartition]:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        known = await admin.describe_topics([topic for topic in await admin.list_topics() if topic in topics])
    finally:
        await admin.close()
    found = [(one["topic"], each["partition"]) for one in known for each in one["partitions"]]
    return [TopicPartition(topic, partition) for topic, partition in sorted(found)]


async def _to_the_end(client: AIOKafkaConsumer, partitions: list[TopicPartition]) -> Contents:
    begins, ends = await client.beginning_offsets(partitions), await client.end_offsets(partitions)
    filled = [one for one in partitions if begins[one] < ends[one]]
    client.assign(filled)
    for one in filled:
        client.seek(one, begins[one])
    found: list[Record] = []
    while [one for one in filled if await client.position(one) < ends[one]]:
        for one, records in (await client.getmany(timeout_ms=500, max_records=20_000)).items():
            found += [
                Record(one.topic, one.partition, record.offset, record.key or b"", record.value or b"")
                for record in records
                if record.offset < ends[one]
            ]
    return Contents(found, {(one.topic, one.partition): end for one, end in ends.items()})


class NotARepeat(Exception):
    """Two records claim one place in a stream and differ (promise P5)."""


class Unordered(Exception):
    """First occurrences of a stream do not come in ``version`` order without holes (promise P2)."""


@dataclass
class First:
    """Lets each event through once; ``repeats`` counts the others. A stream may begin in mid-life: 30 days are kept."""

    repeats: int = 0
    last: dict[tuple[str, bytes], int] = field(default_factory=dict)
    _digests: dict[tuple[str, bytes, int], int] = field(default_factory=dict)

    def is_new(self, record: Record, version: int) -> bool:
        """Whether it is a first occurrence; raises ``NotARepeat`` or ``Unordered``."""
        stream, digest = (record.topic, record.key), hash(record.value)
        seen = self._digests.setdefault((*stream, version), digest)
        last = self.last.get(stream)
        if last is not None and version <= last:
            if seen != digest:
                raise NotARepeat(f"{record.key.decode()} version {version} at {record.topic} {record.offset}")
            self.repeats += 1
            return False
        if last is not None and version != last + 1:
            raise Unordered(f"{record.key.decode()} goes from version {last} to {version} at offset {record.offset}")
        self.last[stream] = version
        return True


def message_of(topic: str) -> Topic:
    """The contract of ``topic``'s values."""
    return EVENTS[topic]
