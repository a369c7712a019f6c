"""Opening the store that the settings name."""

from __future__ import annotations

from pathlib import Path

import pytest

from switchlog.envelope import StreamId
from switchlog.store.memory import MemoryStore
from switchlog.store.opening import open_store
from switchlog.store.settings import StoreSettings
from switchlog.store.sqlite import SqliteStore

from .kit import write


async def test_sqlite_keeps_one_file_a_service(tmp_path: Path, stream: StreamId) -> None:
    settings = StoreSettings("sqlite", path=str(tmp_path / "new" / "folder"))
    ticketing = await open_store(settings, "ticketing")
    recording = await open_store(settings, "recording")
    assert isinstance(ticketing, SqliteStore)
    await write(ticketing, stream, 0)
    assert await recording.events.streams() == []
    assert sorted(file.name for file in (tmp_path / "new" / "folder").glob("*.db")) == ["recording.db", "ticketing.db"]
    await ticketing.close()
    await recording.close()


async def test_memory_is_for_tests() -> None:
    assert isinstance(await open_store(StoreSettings("memory"), "ticketing"), MemoryStore)


async def test_an_unknown_kind_is_named() -> None:
    with pytest.raises(ValueError, match="mongo"):
        await open_store(StoreSettings("mongo"), "ticketing")  # type: ignore[arg-type]


@pytest.mark.cassandra
async def test_a_keyspace_is_the_prefix_and_the_service(keyspace_settings: StoreSettings, stream: StreamId) -> None:
    first = await open_store(keyspace_settings, "contract")
    await write(first, stream, 0)
    second = await open_store(keyspace_settings, "contract")
    assert await second.events.head(stream) == 1
    await first.close()
    await second.close()
