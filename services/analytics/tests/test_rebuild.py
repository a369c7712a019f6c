"""Figures rebuilt from the topics alone, beside the running service, are the same; then they are used (AN-4)."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cassandra import InvalidRequest
from cassandra.cluster import Cluster

from analytics import wire
from analytics.app.ports import Where
from analytics.app.rebuilding import Done, checked_switch, done, rebuilt
from analytics.projections.names import name_in_use, use
from switchlog.bus import clients
from switchlog.errors import Rejected
from switchlog.outlet import KafkaOutlet, Record
from switchlog.store.memory import MemoryStore
from switchlog.store.settings import StoreSettings
from switchlog.testing.places import own_store

from .test_all_topics import BOOTSTRAP, Centre, environment, lab
from .test_before import on_every_store

__all__ = ["lab"]

A, B = Where("t", 0), Where("t", 1)
OF_THE_TIME = ("progress", "fresh", "before", "before_since")
"""What says how far and when rows were written, not what is counted."""


def test_what_aged_out_was_never_there_to_be_read_and_what_came_since_is_not_asked_for() -> None:
    spans = {A: (100, 150), B: (0, 10)}
    assert done(spans, {}) == Done(0, 60, {"t": 100})
    assert done(spans, {"t/0": 120, "t/1": 999}) == Done(30, 60, {"t": 100})
    assert done(spans, {"t/0": 150, "t/1": 10}).whole


def test_rows_that_lack_much_are_not_used() -> None:
    with pytest.raises(Rejected, match="NEVER_BUILT"):
        checked_switch("s3", {}, Done(0, 5, {}))
    with pytest.raises(Rejected, match="BEHIND"):
        checked_switch("s3", {"t/0": 1}, Done(1, 20_002, {}))
    checked_switch("s3", {"t/0": 1}, Done(1, 20_001, {}))


async def test_what_ends_the_folding_ends_the_rebuild() -> None:
    class Nowhere:
        async def positions(self) -> dict[str, int]:
            return {}

    async def fold() -> None:
        raise ValueError("torn")

    with pytest.raises(ValueError, match="torn"):
        await rebuilt(fold, {A: (0, 1)}, Nowhere(), lambda _: None)


async def test_of_two_switches_the_later_counts() -> None:
    views = MemoryStore().views
    assert await name_in_use(views, "s2") == "s2"
    await use(views, "s2", "s3", 10)
    await use(views, "s2", "s4", 9)
    assert (await name_in_use(views, "s2"), await name_in_use(views, "s5")) == ("s3", "s5")


# --- over Kafka, with the commands -----------------------------------------------------------------------------------


@pytest.fixture
def place(tmp_path: Path) -> Iterator[StoreSettings]:
    with own_store("analytics", tmp_path) as settings:
        yield settings


@on_every_store
@pytest.mark.kafka
@pytest.mark.timeout(240)
async def test_rebuilt_beside_the_running_service_every_row_is_the_same_and_is_used_after_a_switch(
    lab, place: StoreSettings, tmp_path: Path
) -> None:
    tenant, topics = lab
    centre, env = Centre(tenant), environment(tenant, topics, tmp_path) | _variables(place)
    outlet = KafkaOutlet(lambda: clients.producer(BOOTSTRAP, "test"))
    for kind, records in centre.logs.items():
        await outlet.send(topics[kind], [Record(record.key, record.value) for record in records])
    total = sum(len(records) for records in centre.logs.values())
    running = await command(env, "fold")
    try:
        await read_up_to(place, tenant, total)
        torn = await command(env, "rebuild", "b1")
        await killed_in_the_middle(torn, place, "b1")
        assert await said(env, "rebuild", "b1") == (0, f"b1: {total} records of {total} counted")
        anew = rows(place, "b1")
        assert anew == rows(place, tenant)
        assert {"levels", "level_events", "days", "contacts", "clerks", "tickets", "pools"} <= {at[0] for at in anew}
        running.terminate()
        assert await asyncio.wait_for(running.wait(), 20) == 0
        before = await told(tenant)
        assert (await said(env, "rebuild", "b2"))[0] == 0
        assert await told(tenant) == before > 0, "a rebuild publishes nothing"
        assert (await said(env, "rebuild", tenant))[0] == (await said(env, "switch", "b3"))[0] == 2
        assert (await said(env, "switch", "b1"))[0] == 0
        assert (await said(env, "rebuild", "b1"))[0] == 2, "what is in use is not rebuilt"
        running = await command(env, "fold")
        centre.pools.waits(1_763_985_600_000, "one more", "sales")
        last = centre.pools.records[-1]
        await outlet.send(topics["routing"], [Record(last.key, last.value)])
        await read_up_to(place, "b1", total + 1)
        assert progress(place, tenant) == total, "the old rows rest"
    finally:
        if running.returncode is None:
            running.kill()
        await outlet.close()


async def command(env: dict[str, str], *words: str) -> asyncio.subprocess.Process:
    pipes: dict[str, Any] = {"stdout": asyncio.subprocess.PIPE, "stderr": asyncio.subprocess.PIPE}
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "analytics", *words, env=env, **(pipes if words[0] != "fold" else {})
    )


async def killed_in_the_middle(process: asyncio.subprocess.Process, place: StoreSettings, name: str) -> None:
    """As soon as anything is counted; one that was faster is done, and done again."""
    while not progress(place, name) and process.returncode is None:
        await asyncio.sleep(0.005)
    with suppress(ProcessLookupError):
        process.send_signal(signal.SIGKILL)
    await process.communicate()


async def said(env: dict[str, str], *words: str) -> tuple[int | None, str]:
    """The exit status and how what is printed begins."""
    process = await command(env, *words)
    out, err = await asyncio.wait_for(process.communicate(), 60)
    sys.stderr.write(err.decode())
    return process.returncode, out.decode().split(" in ")[0]


async def read_up_to(place: StoreSettings, name: str, total: int) -> None:
    async with asyncio.timeout(60):
        while progress(place, name) < total:
            await asyncio.sleep(0.3)


def progress(place: StoreSettings, name: str) -> int:
    return sum(version for *_, version in stored(place, f"{name}_progress"))


def rows(place: StoreSettings, name: str) -> dict:
    """Every row under ``name`` that is counted; what is in a map stands in any order."""
    return {
        (view.removeprefix(f"{name}_"), partition, key): (msgspec.msgpack.decode(value), version)
        for view, partition, key, value, version in stored(place, f"{name}_")
        if view.removeprefix(f"{name}_") not in OF_THE_TIME and value
    }


def stored(place: StoreSettings, begin: str) -> list[tuple]:
    """Rows of views whose names begin so: (view, partition, key, value, version)."""
    found = _of_cassandra(place) if place.kind == "cassandra" else _of_sqlite(Path(place.path) / "analytics.db")
    return [row for row in found if row[0].startswith(begin)]


def _of_sqlite(file: Path) -> list[tuple]:
    if not file.exists():
        return []
    with closing(sqlite3.connect(file)) as found:
        return found.execute("SELECT view, partition, key, value, version FROM views").fetchall()


def _of_cassandra(place: StoreSettings) -> list[tuple]:
    with Cluster(list(place.cassandra_hosts), port=place.cassandra_port, protocol_version=5) as cluster:
        query = f"SELECT name, part, key, value, version FROM {place.keyspace_prefix}analytics.views"
        try:
            return [tuple(row) for row in cluster.connect().execute(query)]
        except InvalidRequest:  # nobody has made it yet
            return []


def _variables(place: StoreSettings) -> dict[str, str]:
    if place.kind == "sqlite":
        return {}
    return {
        "STORE": place.kind,
        "CASSANDRA_HOSTS": ",".join(place.cassandra_hosts),
        "CASSANDRA_PORT": str(place.cassandra_port),
        "CASSANDRA_KEYSPACE_PREFIX": place.keyspace_prefix,
    }


async def told(tenant: str) -> int:
    """How many rows of the tenant were published, repeats included."""
    consumer, count = clients.consumer(BOOTSTRAP, None, [wire.LEVELS]), 0
    await consumer.start()
    try:
        ends = await consumer.end_offsets(consumer.assignment())
        await consumer.seek_to_beginning()
        while any([await consumer.position(partition) < end for partition, end in ends.items()]):
            for records in (await consumer.getmany(timeout_ms=200)).values():
                count += sum((record.key or b"").startswith(f"{tenant}/".encode()) for record in records)
    finally:
        await consumer.stop()
    return count
