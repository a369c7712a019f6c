"""Figures rebuilt from the topics alone, beside the running service, are the same; then they are used (AN-4)."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest

from analytics import wire
from analytics.app.ports import Where
from analytics.app.rebuilding import Done, checked_switch, done, rebuilt
from analytics.projections.names import name_in_use, use
from switchlog.bus import clients
from switchlog.errors import Rejected
from switchlog.outlet import KafkaOutlet, Record
from switchlog.store.memory import MemoryStore

from .test_all_topics import BOOTSTRAP, Centre, environment, lab

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


@pytest.mark.kafka
@pytest.mark.timeout(240)
async def test_rebuilt_beside_the_running_service_every_row_is_the_same_and_is_used_after_a_switch(
    lab, tmp_path: Path
) -> None:
    tenant, topics = lab
    centre, env = Centre(tenant), environment(tenant, topics, tmp_path)
    outlet = KafkaOutlet(lambda: clients.producer(BOOTSTRAP, "test"))
    for kind, records in centre.logs.items():
        await outlet.send(topics[kind], [Record(record.key, record.value) for record in records])
    total = sum(len(records) for records in centre.logs.values())
    running = await command(env, "fold")
    try:
        await read_up_to(tmp_path, tenant, total)
        torn = await command(env, "rebuild", "b1")
        await killed_in_the_middle(torn, tmp_path, "b1")
        assert await said(env, "rebuild", "b1") == (0, f"b1: {total} records of {total} counted")
        anew = rows(tmp_path, "b1")
        assert anew == rows(tmp_path, tenant)
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
        await read_up_to(tmp_path, "b1", total + 1)
        assert progress(tmp_path, tenant) == total, "the old rows rest"
    finally:
        if running.returncode is None:
            running.kill()
        await outlet.close()


async def command(env: dict[str, str], *words: str) -> asyncio.subprocess.Process:
    pipes: dict[str, Any] = {"stdout": asyncio.subprocess.PIPE, "stderr": asyncio.subprocess.PIPE}
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "analytics", *words, env=env, **(pipes if words[0] != "fold" else {})
    )


async def killed_in_the_middle(process: asyncio.subprocess.Process, data: Path, name: str) -> None:
    """As soon as anything is counted; one that was faster is done, and done again."""
    while not progress(data, name) and process.returncode is None:
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


async def read_up_to(data: Path, name: str, total: int) -> None:
    async with asyncio.timeout(60):
        while progress(data, name) < total:
            await asyncio.sleep(0.3)


def progress(data: Path, name: str) -> int:
    return sum(version for *_, version in stored(data, f"{name}_progress"))


def rows(data: Path, name: str) -> dict:
    """Every row under ``name`` that is counted; what is in a map stands in any order."""
    return {
        (view.removeprefix(f"{name}_"), partition, key): (msgspec.msgpack.decode(value), version)
        for view, partition, key, value, version in stored(data, f"{name}_")
        if view.removeprefix(f"{name}_") not in OF_THE_TIME and value
    }


def stored(data: Path, begin: str) -> list[tuple]:
    if not (data / "analytics.db").exists():
        return []
    found = sqlite3.connect(data / "analytics.db")
    try:
        query = "SELECT view, partition, key, value, version FROM views WHERE substr(view, 1, ?) = ?"
        return found.execute(query, (len(begin), begin)).fetchall()
    finally:
        found.close()


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
