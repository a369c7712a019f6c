"""What had been recorded by an instant, folded anew from the topics into rows of its own (kernel rule 28)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import aclosing

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from switchlog.bus import clients
from switchlog.bus.record import Raw
from switchlog.errors import NotNow, Poison, Rejected

from ..app.folding import Folding
from ..app.ports import Facts, Missing, Where
from .worker import Kind

AT_ONCE = 2_000
"""So many records are folded before somebody else has a turn: whoever answers others is the same process."""
LATE_MS = 3_600_000
"""Of too many records those are read that were published by so long after the instant."""
POLL_MS = 500
PARTITION_BYTES = 4 * 1024 * 1024

Batches = AsyncGenerator[tuple[Where, Sequence[Raw]], None]


async def fold_past(kinds: Mapping[str, Kind], batches: Batches, missing: Missing, tenant: str, at: int) -> set[Where]:
    """Fold the tenant's facts that were recorded by ``at`` into the rows of ``kinds``; the partitions looked at.

    Each partition's batches come in order of offset. Raises what reading the owner's log for gaps raises.
    """
    foldings: dict[Where, Folding] = {}
    prefix = f"{tenant}/".encode()
    async with aclosing(batches):
        async for where, records in batches:
            kind = kinds[where.topic]
            if where not in foldings:
                board = await kind.rows.board(where)
                foldings[where] = Folding(where, board, kind.rows, kind.facts, missing, _buried, kind.ignored)
            ours = [record for record in records if (record.key or b"").startswith(prefix)]
            if known := [record for record in ours if _recorded_by(at, kind.facts, record)]:
                await foldings[where].take(known)
    return set(foldings)


async def read_topics(
    bootstrap: str, topics: Iterable[str], most: int, at: int, counted: Mapping[str, int] | None = None
) -> Batches:
    """Every record that ``topics`` hold now, a partition's in order; a partition without any gives one empty batch.

    Of more than ``most`` only those published within an hour after ``at``: what was recorded by then and published
    later is missing. ``counted``: source partition -> the offset to begin at, where that is not the first.

    Raises ``Rejected`` when records are gone already, or when there are more than ``most``; ``NotNow``.
    """
    consumer = clients.consumer(
        bootstrap, None, sorted(topics), client_id="analytics-past", partition_bytes=PARTITION_BYTES
    )
    try:
        await consumer.start()
        begins, ends = await _bounds(consumer)
        starts = {one: (counted or {}).get(f"{one.topic}/{one.partition}", 0) for one in begins}
        if _between(starts, ends) > most:
            ends = await _published_by(consumer, ends, at + LATE_MS)
        _all_there(begins, starts, ends, most)
        for partition in ends:
            yield Where(partition.topic, partition.partition), []
        async for batch in _upto(consumer, starts, ends):
            yield batch
    except KafkaError as error:
        raise NotNow("KAFKA_AWAY", type(error).__name__) from error
    finally:
        await consumer.stop()


Offsets = dict[TopicPartition, int]


async def _bounds(consumer: AIOKafkaConsumer) -> tuple[Offsets, Offsets]:
    partitions = list(consumer.assignment())
    return await consumer.beginning_offsets(partitions), await consumer.end_offsets(partitions)


async def _published_by(consumer: AIOKafkaConsumer, ends: Offsets, until: int) -> Offsets:
    found = await consumer.offsets_for_times(dict.fromkeys(ends, until))
    return {one: end if found.get(one) is None else found[one].offset for one, end in ends.items()}


def _between(starts: Offsets, ends: Offsets) -> int:
    return sum(max(0, end - starts[partition]) for partition, end in ends.items())


def _all_there(begins: Offsets, starts: Offsets, ends: Offsets, most: int) -> None:
    if gone := sorted({partition.topic for partition, begin in begins.items() if begin > starts[partition]}):
        raise Rejected("AS_OF_NOT_KEPT", f"{', '.join(gone)}: no longer held from the first fact on", invalid=True)
    if (total := _between(starts, ends)) > most:
        raise Rejected("AS_OF_TOO_MUCH", f"{total} records would be folded anew, at most {most} are", invalid=True)


async def _upto(consumer: AIOKafkaConsumer, starts: Offsets, ends: Offsets) -> Batches:
    for partition, start in starts.items():
        consumer.seek(partition, min(start, ends[partition]))
    left = {partition for partition, end in ends.items() if starts[partition] < end}
    while left:
        for partition, records in (await consumer.getmany(timeout_ms=POLL_MS, max_records=AT_ONCE)).items():
            yield Where(partition.topic, partition.partition), [one for one in records if one.offset < ends[partition]]
        left = {partition for partition in left if await consumer.position(partition) < ends[partition]}


def _recorded_by(at: int, facts: Facts, record: Raw) -> bool:
    """Whether it was recorded by then; what cannot be read counts in no figures."""
    try:
        meta = facts.read(record.value).meta
    except Poison:
        return False
    return bool(meta.recorded_at.ToMilliseconds() <= at)


async def _buried(record: Raw, reason: str, detail: str) -> None:
    """Who folds for good has put it with the dead letters."""
