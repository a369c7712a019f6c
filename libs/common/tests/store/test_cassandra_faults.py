"""A node that is silent, hangs up after a write, or is killed: a caller is told what is true (kernel rule 5)."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from cassandra.policies import RetryPolicy

from switchlog.clock import SystemClock
from switchlog.envelope import Row, StreamId
from switchlog.errors import NotNow, OutcomeUnknown
from switchlog.ids import new_id
from switchlog.store import no_timers
from switchlog.store.cassandra import CassandraStore, assemble, open_cassandra
from switchlog.store.cassandra.session import open_session
from switchlog.store.settings import StoreSettings

from .kit import Open, make_batch, write
from .proxy import CUT, Proxy

pytestmark = pytest.mark.cassandra


@pytest.fixture
async def proxy(keyspace_settings: StoreSettings) -> AsyncIterator[Proxy]:
    proxy = Proxy(keyspace_settings.cassandra_port)
    yield proxy
    await proxy.stop()


@pytest.fixture
async def behind(
    proxy: Proxy, keyspace_settings: StoreSettings, request: pytest.FixtureRequest, open_cassandra_store: Open
) -> AsyncIterator[CassandraStore]:
    """A store that reaches the node through ``proxy``; the parameter is the driver's retry policy."""
    await open_cassandra_store()
    through = dataclasses.replace(keyspace_settings, cassandra_port=await proxy.start())
    session = await open_session(through, "contract", getattr(request, "param", None))
    store = assemble(session, no_timers, SystemClock(), 5000)
    yield store
    await store.close()


async def patiently(call: Callable[[], object], within_s: float = 10.0) -> object:
    """The first answer that is not ``NotNow``; the driver reconnects within a second."""
    until = time.monotonic() + within_s
    while True:
        try:
            return await call()  # type: ignore[misc]
        except NotNow:
            if time.monotonic() > until:
                raise
            await asyncio.sleep(0.1)


async def test_a_lost_reply_is_an_unknown_outcome_and_settled_by_the_row(
    behind: CassandraStore, proxy: Proxy, stream: StreamId
) -> None:
    rows = make_batch(stream, 0, 2, value=CUT)
    with pytest.raises(OutcomeUnknown):
        await behind.events.append(stream, 0, rows[0].batch_id, rows)
    assert proxy.cuts == 1
    assert await patiently(lambda: behind.events.read_serial(stream, 1)) == rows[0]
    assert await patiently(lambda: behind.events.read(stream)) == rows


@pytest.mark.parametrize("behind", [RetryPolicy()], indirect=True)
async def test_the_drivers_default_retry_denies_a_write_that_stands(
    behind: CassandraStore, proxy: Proxy, stream: StreamId
) -> None:
    """Planted: it goes to the next host, finds none, and "no host available" sounds as if nothing were written."""
    rows = make_batch(stream, 0, 2, value=CUT)
    with pytest.raises(NotNow) as told:
        await behind.events.append(stream, 0, rows[0].batch_id, rows)
    assert proxy.cuts == 1
    assert type(told.value) is NotNow
    assert await patiently(lambda: behind.events.read(stream)) == rows


async def test_replies_that_are_lost_now_and_then_double_nothing(
    behind: CassandraStore, proxy: Proxy, stream: StreamId
) -> None:
    """As a writer does it: read the row at ``expected + 1``; absent, send the identical batch again."""
    appended: list[Row] = []
    for n in range(24):
        rows = make_batch(stream, n, 1, value=CUT if n % 6 == 0 else b"")
        try:
            await patiently(lambda rows=rows, n=n: _known(behind, stream, n, rows))
        except OutcomeUnknown:
            pytest.fail("still unknown after 10 s")
        appended += rows
    assert await patiently(lambda: behind.events.read(stream)) == appended
    assert proxy.cuts >= 4


async def _known(store: CassandraStore, stream: StreamId, expected: int, rows: list[Row]) -> None:
    row = await store.events.read_serial(stream, expected + 1)
    if row is None:
        await store.events.append(stream, expected, rows[0].batch_id, rows)
    else:
        assert row.batch_id == rows[0].batch_id


async def test_a_silent_node_is_not_now_within_a_second_and_back_in_ten(
    behind: CassandraStore, proxy: Proxy, stream: StreamId
) -> None:
    """Trust, Faults: database away: 503 within 1 s, no pile-up, recovered within 10 s."""
    await write(behind, stream, 0)
    proxy.flowing.clear()
    began = time.monotonic()
    rows = make_batch(stream, 1)
    outcomes = await asyncio.gather(
        behind.events.append(stream, 1, rows[0].batch_id, rows),
        behind.events.head(stream),
        *(behind.views.get("v", "p", "k") for _ in range(600)),
        return_exceptions=True,
    )
    assert {type(outcome) for outcome in outcomes} == {NotNow}
    assert time.monotonic() - began < 1.3  # 0.9 s, and the time to start 600 requests on a busy machine
    proxy.flowing.set()
    began = time.monotonic()
    assert await patiently(lambda: behind.events.append(stream, 1, rows[0].batch_id, rows)) == 2
    assert time.monotonic() - began < 10
    assert await behind.ready()


def _periodic(configure: Callable[..., list[str]]) -> Callable[..., list[str]]:
    """The node's options with the commit log synced now and then instead of before each answer."""

    def options(server: object, class_path: str) -> list[str]:
        chosen = configure(server, class_path)
        file: Path = server.root / "cassandra.yaml"  # type: ignore[attr-defined]
        file.write_text(
            file.read_text().replace("commitlog_sync: batch", "commitlog_sync: periodic\ncommitlog_sync_period: 10s\n#")
        )
        return chosen

    return options


@pytest.fixture
def own_node(tmp_path: Path) -> Iterator[object]:
    """A node to be killed, on free ports with a folder of its own."""
    if os.environ.get("STORE") != "cassandra":
        pytest.skip("set STORE=cassandra to start a node")
    from switchlog_local import Cassandra, free_ports

    server = Cassandra(tmp_path / "cassandra", *free_ports(2))
    yield server
    server.wipe()


async def _acknowledge(server: object, seconds: float) -> list[Row]:
    """Append to one stream each from 16 callers until the node is killed; the acknowledged rows."""
    store = await open_cassandra(StoreSettings("cassandra", cassandra_port=server.port), "killed")  # type: ignore[attr-defined]
    acknowledged: list[Row] = []

    async def writer(n: int) -> None:
        stream, version = StreamId("acme", f"s-{n}"), 0
        while True:
            rows = make_batch(stream, version, 1, batch_id=new_id())
            version = await store.events.append(stream, version, rows[0].batch_id, rows)
            acknowledged.extend(rows)

    writers = [asyncio.create_task(writer(n)) for n in range(16)]
    await asyncio.sleep(seconds)
    await asyncio.to_thread(server.kill)  # type: ignore[attr-defined]
    outcomes = await asyncio.gather(*writers, return_exceptions=True)
    assert all(isinstance(outcome, NotNow) for outcome in outcomes)
    await store.close()
    return acknowledged


async def _lost(server: object, acknowledged: list[Row]) -> list[Row]:
    store = await open_cassandra(StoreSettings("cassandra", cassandra_port=server.port), "killed")  # type: ignore[attr-defined]
    standing: list[Row] = []
    for n in range(16):
        rows = await store.events.read(StreamId("acme", f"s-{n}"))
        assert [row.version for row in rows] == list(range(1, len(rows) + 1))
        standing += rows
    await store.close()
    names = {row.event_id for row in standing}
    return [row for row in acknowledged if row.event_id not in names]


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.parametrize("periodic", [False, True], ids=["batch", "periodic"])
async def test_kill_9_loses_nothing_unless_the_commit_log_is_periodic(own_node: object, periodic: bool) -> None:
    """Planted: ``commitlog_sync: periodic`` answers before the disk knows."""
    server = own_node
    if periodic:
        server = dataclasses.replace(server, options=_periodic(server.options))  # type: ignore[attr-defined, type-var]
    await asyncio.to_thread(server.start)  # type: ignore[attr-defined]
    acknowledged = await _acknowledge(server, 4.0)
    assert len(acknowledged) > 100
    await asyncio.to_thread(server.start)  # type: ignore[attr-defined]
    lost = await _lost(server, acknowledged)
    assert bool(lost) is periodic, f"{len(lost)} of {len(acknowledged)} acknowledged events are gone"
