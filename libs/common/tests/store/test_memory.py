"""The faults that the memory store shows on request."""

from __future__ import annotations

import asyncio

import pytest

from switchlog.envelope import StreamId
from switchlog.errors import NotNow, OutcomeUnknown, VersionConflict
from switchlog.store.memory import Fault, MemoryStore

from .kit import make_batch, write


async def test_a_lost_reply_leaves_the_write_standing_or_not(stream: StreamId) -> None:
    store = MemoryStore()
    store.faults.coming.extend([Fault.LOST_BEFORE_WRITE, Fault.LOST_AFTER_WRITE])
    rows = make_batch(stream, 0)
    for stands in (None, rows[0]):
        with pytest.raises(OutcomeUnknown):
            await store.events.append(stream, 0, rows[0].batch_id, rows)
        assert await store.events.read_serial(stream, 1) == stands
    assert await store.events.append(stream, 0, rows[0].batch_id, rows) == 1


async def test_a_late_write_lands_when_told_unless_somebody_was_first(stream: StreamId) -> None:
    store = MemoryStore()
    store.faults.coming.extend([Fault.LATE, Fault.LATE])
    first, second = make_batch(stream, 0), make_batch(stream, 0)
    for rows in (first, second):
        with pytest.raises(OutcomeUnknown):
            await store.events.append(stream, 0, rows[0].batch_id, rows)
    assert await store.events.read(stream) == []
    store.faults.land()
    assert await store.events.read(stream) == first


async def test_conflicts_and_absence_are_used_up_one_an_append(stream: StreamId) -> None:
    store = MemoryStore()
    store.faults.coming.extend([Fault.CONFLICT, Fault.AWAY, None])
    rows = make_batch(stream, 0)
    with pytest.raises(VersionConflict):
        await store.events.append(stream, 0, rows[0].batch_id, rows)
    with pytest.raises(NotNow):
        await store.events.append(stream, 0, rows[0].batch_id, rows)
    assert await store.events.append(stream, 0, rows[0].batch_id, rows) == 1


async def test_an_absent_store_answers_nothing(stream: StreamId) -> None:
    store = MemoryStore()
    await write(store, stream, 0)
    store.faults.away = True
    assert not await store.ready()
    with pytest.raises(NotNow):
        await store.events.read(stream)
    with pytest.raises(NotNow):
        await store.views.get("v", "p", "k")


async def test_a_slow_store_lets_others_run(stream: StreamId) -> None:
    store = MemoryStore()
    store.faults.latency_s = 0.02
    append = asyncio.create_task(write(store, stream, 0))
    await asyncio.sleep(0.001)
    assert not append.done()
    assert len(await append) == 1
