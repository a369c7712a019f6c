"""What every store's log must do (kernel rules 1, 2, 5, 9, 11, 13)."""

from __future__ import annotations

import asyncio
import random
import uuid

import pytest

from switchlog.envelope import MAX_BATCH_EVENTS, MAX_EVENT_BYTES, StreamId
from switchlog.errors import Rejected, VersionConflict
from switchlog.store import Store

from .kit import make_batch, write


async def test_an_unknown_stream_is_empty(store: Store, stream: StreamId) -> None:
    assert await store.events.read(stream) == []
    assert await store.events.head(stream) == 0
    assert await store.events.watermark(stream) == 0
    assert await store.events.read_serial(stream, 1) is None


async def test_what_was_appended_is_read_back_exactly(store: Store, stream: StreamId) -> None:
    first = await write(store, stream, 0, 3)
    second = await write(store, stream, 3, 2)
    assert await store.events.read(stream) == first + second
    assert await store.events.read(stream, after=2) == [first[2], *second]
    assert await store.events.read(stream, after=1, limit=2) == first[1:]
    assert await store.events.read(stream, after=5) == []
    assert await store.events.head(stream) == 5


async def test_a_row_is_read_serially_by_its_version(store: Store, stream: StreamId) -> None:
    rows = await write(store, stream, 0, 3)
    assert await store.events.read_serial(stream, 2) == rows[1]
    assert await store.events.read_serial(stream, 4) is None


@pytest.mark.parametrize("expected", [0, 1, 3])
async def test_an_append_at_another_head_is_refused_and_writes_nothing(
    store: Store, stream: StreamId, expected: int
) -> None:
    """Kernel rule 1."""
    rows = await write(store, stream, 0, 2)
    wrong = make_batch(stream, expected, 2)
    with pytest.raises(VersionConflict) as refusal:
        await store.events.append(stream, expected, wrong[0].batch_id, wrong)
    assert refusal.value.head == 2
    assert await store.events.read(stream) == rows


async def test_a_stream_cannot_begin_in_the_middle(store: Store, stream: StreamId) -> None:
    wrong = make_batch(stream, 4)
    with pytest.raises(VersionConflict) as refusal:
        await store.events.append(stream, 4, wrong[0].batch_id, wrong)
    assert refusal.value.head == 0
    assert await store.events.read(stream) == []


async def test_the_identical_batch_again_gives_the_same_head(store: Store, stream: StreamId) -> None:
    """Kernel rule 5, also when others appended since."""
    await write(store, stream, 0, 2)
    rows = await write(store, stream, 2, 3)
    assert await store.events.append(stream, 2, rows[0].batch_id, rows) == 5
    await write(store, stream, 5, 1)
    assert await store.events.append(stream, 2, rows[0].batch_id, rows) == 5
    assert await store.events.head(stream) == 6
    assert [row.version for row in await store.events.read(stream)] == [1, 2, 3, 4, 5, 6]


async def test_the_first_batch_again_gives_the_same_head(store: Store, stream: StreamId) -> None:
    rows = await write(store, stream, 0, 2)
    assert await store.events.append(stream, 0, rows[0].batch_id, rows) == 2
    assert len(await store.events.read(stream)) == 2


async def test_another_batch_of_the_same_commands_is_a_conflict(store: Store, stream: StreamId) -> None:
    """Only identical bytes under the same batch id are a repeat; the batch id is fresh for each composed batch."""
    await write(store, stream, 0, 1)
    other = make_batch(stream, 0, 1)
    with pytest.raises(VersionConflict):
        await store.events.append(stream, 0, other[0].batch_id, other)


async def test_a_stranger_under_a_standing_batch_id_is_never_acknowledged(store: Store, stream: StreamId) -> None:
    """Kernel rule 5: by batch id alone, a command that joined the retry would be answered but stored nowhere."""
    rows = await write(store, stream, 0, 2)
    with_stranger = [*rows, make_batch(stream, 2, 1, batch_id=rows[0].batch_id)[0]]
    with pytest.raises(ValueError, match="identical bytes only"):
        await store.events.append(stream, 0, rows[0].batch_id, with_stranger)
    assert await store.events.read(stream) == rows


async def test_limits_are_refused_before_the_append(store: Store, stream: StreamId) -> None:
    """Kernel rule 2."""
    too_many = make_batch(stream, 0, MAX_BATCH_EVENTS + 1)
    too_big = make_batch(stream, 0, 1, value=b"x" * (MAX_EVENT_BYTES + 1))
    too_much = make_batch(stream, 0, 6, value=b"x" * (190 * 1024))
    for rows in (too_many, too_big, too_much):
        with pytest.raises(Rejected, match="TOO_LARGE"):
            await store.events.append(stream, 0, rows[0].batch_id, rows)
    assert await store.events.head(stream) == 0


async def test_a_batch_at_the_limits_is_stored(store: Store, stream: StreamId) -> None:
    many = await write(store, stream, 0, MAX_BATCH_EVENTS)
    big = await write(store, stream, MAX_BATCH_EVENTS, 5, value=b"x" * (200 * 1024 - 200))
    assert await store.events.read(stream) == many + big


@pytest.mark.parametrize("versions", [[], [1], [3, 3], [3, 5], [4, 3]])
async def test_rows_that_are_not_the_next_versions_are_a_bug(
    store: Store, stream: StreamId, versions: list[int]
) -> None:
    rows = [make_batch(stream, version - 1, 1, batch_id="b")[0] for version in versions]
    with pytest.raises(ValueError, match="versions after 2"):
        await store.events.append(stream, 2, "b", rows)


async def test_streams_of_two_tenants_never_mix(store: Store, stream: StreamId) -> None:
    other = StreamId("other", stream.name)
    await write(store, stream, 0, 2)
    rows = await write(store, other, 0, 1)
    assert await store.events.read(other) == rows


async def test_strings_of_query_languages_are_stored_verbatim(store: Store) -> None:
    nasty = StreamId("o'; DROP TABLE log; --", 'x" OR 1=1 /* ä 客服')
    rows = await write(store, nasty, 0, 1, kind="'; TRUNCATE events;", value=b"'\x00\";--")
    assert await store.events.read(nasty) == rows


async def test_the_watermark_only_rises(store: Store, stream: StreamId) -> None:
    """Kernel rule 11: a max register."""
    await write(store, stream, 0, 5)
    await store.events.published(stream, 4)
    await store.events.published(stream, 2)
    assert await store.events.watermark(stream) == 4


async def test_uncoordinated_publishers_leave_the_highest_watermark(store: Store, stream: StreamId) -> None:
    await write(store, stream, 0, 50)
    versions = random.sample(range(1, 51), 50)
    await asyncio.gather(*(store.events.published(stream, version) for version in versions))
    assert await store.events.watermark(stream) == 50


async def test_a_lowered_watermark_is_passed_again(store: Store, stream: StreamId) -> None:
    """Kernel rule 13."""
    await write(store, stream, 0, 5)
    await store.events.published(stream, 5)
    await store.events.lower_watermark(stream, 2)
    assert await store.events.watermark(stream) == 2
    await store.events.published(stream, 4)
    assert await store.events.watermark(stream) == 4
    await store.events.published(stream, 5)
    assert await store.events.watermark(stream) == 5
    await write(store, stream, 5, 1)
    await store.events.published(stream, 6)
    assert await store.events.watermark(stream) == 6


async def test_what_is_to_be_published_again_is_pending_until_it_is(kind: str, store: Store, stream: StreamId) -> None:
    """Kernel rule 13: whoever lowered the watermark may die; Cassandra looks at a mark after a second."""
    await write(store, stream, 0, 5)
    await store.events.published(stream, 5)
    await store.events.lower_watermark(stream, 2)
    await asyncio.sleep(1.1 if kind == "cassandra" else 0.0)
    (pending,) = await store.events.pending()
    assert pending.stream == stream
    await store.events.published(stream, 5)
    await store.events.settle(pending)
    assert await store.events.pending() == []
    await store.events.lower_watermark(stream, 9)
    assert await store.events.watermark(stream) == 5


async def test_streams_are_listed_in_key_order_and_by_tenant(store: Store) -> None:
    run = uuid.uuid4().hex[:8]
    names = [StreamId(f"{run}-{tenant}", f"s-{n}") for tenant in ("a", "b") for n in range(5)]
    for name in random.sample(names, len(names)):
        await write(store, name, 0)
    assert await store.events.streams() == names
    assert await store.events.streams(f"{run}-b") == names[5:]
    assert await store.events.streams(f"{run}-b", after=names[6].key, limit=2) == names[7:9]
    assert await store.events.streams(after=names[3].key, limit=3) == names[4:7]


async def test_a_settled_stream_is_no_longer_pending(store: Store, stream: StreamId) -> None:
    """Kernel rules 9 and 10 (Cassandra: the writer's own clear; its sweeper has tests of its own)."""
    rows = await write(store, stream, 0, 2)
    for pending in await store.events.pending():
        await store.events.settle(pending)
    await store.events.published(stream, rows[-1].version)
    assert stream not in [pending.stream for pending in await store.events.pending()]


async def test_settling_what_is_not_published_forgets_nothing(kind: str, store: Store, stream: StreamId) -> None:
    """Kernel rules 9 and 10; Cassandra looks first after a second, then after three."""
    first, again = (1.1, 3.1) if kind == "cassandra" else (0.0, 0.0)
    await write(store, stream, 0, 2)
    for pause_s in (first, again):
        await asyncio.sleep(pause_s)
        (pending,) = await store.events.pending()
        assert pending.stream == stream
        await store.events.settle(pending)


async def test_uncoordinated_writers_leave_no_hole_and_no_double(kind: str, store: Store, stream: StreamId) -> None:
    """32 writers, one stream, no queue between them: exactly the acknowledged batches stand, in their places."""
    acknowledged: list[tuple[int, str]] = []
    writers, each = (32, 4) if kind != "cassandra" else (32, 1)

    async def writer() -> None:
        done, tries = 0, 0
        while done < each:
            expected = await store.events.head(stream)
            rows = make_batch(stream, expected, random.randint(1, 3))
            try:
                await store.events.append(stream, expected, rows[0].batch_id, rows)
            except VersionConflict:
                tries += 1
                await asyncio.sleep(random.random() * 0.01 * tries)
                continue
            acknowledged.extend((row.version, row.batch_id) for row in rows)
            done += 1

    await asyncio.gather(*(writer() for _ in range(writers)))
    stored = await store.events.read(stream)
    assert [row.version for row in stored] == list(range(1, len(stored) + 1))
    assert sorted(acknowledged) == [(row.version, row.batch_id) for row in stored]
    assert await store.events.head(stream) == len(stored)


async def test_one_of_many_identical_appends_at_once_writes(store: Store, stream: StreamId) -> None:
    rows = make_batch(stream, 0, 3)
    heads = await asyncio.gather(*(store.events.append(stream, 0, rows[0].batch_id, rows) for _ in range(8)))
    assert heads == [3] * 8
    assert await store.events.read(stream) == rows


async def test_appends_to_many_streams_at_once_all_stand(store: Store) -> None:
    names = [StreamId("acme", f"many-{uuid.uuid4().hex}") for _ in range(100)]
    written = await asyncio.gather(*(write(store, name, 0, 2) for name in names))
    read = await asyncio.gather(*(store.events.read(name) for name in names))
    assert read == written
