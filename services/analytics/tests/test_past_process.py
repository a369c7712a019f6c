"""The real service over a real broker answers as of any instant, from the topics alone (kernel rule 28, AN-4)."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx2
import orjson
import pytest
from aiokafka import TopicPartition
from aiokafka.admin import RecordsToDelete

from analytics import __main__ as command_line
from analytics import wiring
from analytics.app.ports import Where
from analytics.app.questions import FiguresAsked, Questions
from analytics.app.shown import as_json, shown_now
from analytics.bus.past import fold_past, read_topics
from analytics.config import settings
from analytics.projections.before import PERIOD_MS, Befores, KeepingViews
from analytics.projections.names import StoredPositions
from analytics.projections.rows import StoredRows
from switchlog.bus import clients
from switchlog.clock import ManualClock
from switchlog.envelope import timestamp
from switchlog.errors import Rejected
from switchlog.outlet import KafkaOutlet, Record
from switchlog.store import Store
from switchlog.store.opening import open_store
from switchlog.testing import TestIssuer, eventually
from switchlog.testing.places import own_store

from .scene import NOON, S
from .test_all_topics import BOOTSTRAP, Centre, environment, lab
from .test_before import on_every_store
from .test_past import answered, cut, nothing_missing, past

__all__ = ["lab"]
pytestmark = [pytest.mark.kafka, pytest.mark.timeout(120)]

DAY = {"from": "2025-11-24T00:00:00Z", "to": "2025-11-25T00:00:00Z", "step": "15m", "tz": "UTC"}
INSTANTS = [NOON + minutes * 60_000 + 123 for minutes in (3, 21, 48, 90)]


@asynccontextmanager
async def answering(tenant: str, topics: dict[str, str], data: Path) -> AsyncIterator[tuple[str, TestIssuer]]:
    """The api role alone, nobody folds; where it answers."""
    told, issuer, stop = settings(environment(tenant, topics, data)), TestIssuer(tenant=tenant), asyncio.Event()
    running = asyncio.create_task(wiring.run(told, {"api"}, issuer.verifier, stop))
    url = f"http://127.0.0.1:{told.kernel.http_port}"
    async with httpx2.AsyncClient(base_url=url, trust_env=False) as http:

        async def serves() -> bool:
            try:
                return (await http.get("/readyz")).status_code == 200
            except httpx2.TransportError:
                return False

        await eventually(serves, within_s=30, every_s=0.1)
    try:
        yield url, issuer
    finally:
        stop.set()
        await asyncio.wait_for(running, 20)


async def by_then(centre: Centre, at: int) -> StoredRows:
    """The rows of who was told only what had been recorded by ``at``."""
    less = [cut(records, records[0].topic, at) for records in centre.logs.values()]
    rows = await past([records for records in less if records], nothing_missing, 1 << 45, 1_000, centre.pools.tenant)
    await rows.fresh({Where(rows.topic, 0): at})
    return rows


async def test_figures_and_the_wallboard_of_then_over_kafka(lab, tmp_path: Path, capsys) -> None:
    tenant, topics = lab
    centre, outlet = Centre(tenant), KafkaOutlet(lambda: clients.producer(BOOTSTRAP, "test"))
    for kind, records in centre.logs.items():
        await outlet.send(topics[kind], [Record(record.key, record.value) for record in records])
    await outlet.close()
    async with answering(tenant, topics, tmp_path) as (url, issuer):
        headers = issuer.bearer("ann", ("analyst",))
        async with httpx2.AsyncClient(base_url=url, trust_env=False, timeout=60, headers=headers) as http:
            for at in INSTANTS:
                questions = Questions(await by_then(centre, at), ManualClock(at), "Asia/Shanghai")
                now = await http.get("/v1/queues/sales/now", params={"as_of": timestamp(at)})
                assert now.json() == orjson.loads(orjson.dumps(shown_now(await questions.now(tenant, "sales"))))
                told = await http.get("/v1/figures", params=DAY | {"as_of": timestamp(at)})
                assert told.json() == await _asked(questions, tenant)
                assert len(told.json()["rows"]) > 0
            await _by_command(url, issuer, told.json(), capsys)
            await _forget_one(topics["contact"])
            gone = await http.get("/v1/figures", params=DAY | {"as_of": timestamp(NOON)})
            assert (gone.status_code, gone.json()["reason"]) == (422, "AS_OF_NOT_KEPT")


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    with own_store("analytics", tmp_path) as place:
        store = await open_store(place, "analytics")
        yield store
        await store.close()


@on_every_store
async def test_what_topics_have_lost_is_taken_from_the_rows_as_they_stood(lab, store: Store, tmp_path: Path) -> None:
    """Checkpoints outlive the topics' retention; a question of before the first of them does not."""
    tenant, topics = lab
    told, centre = settings(environment(tenant, topics, tmp_path)), Centre(tenant)
    clock = ManualClock(NOON - PERIOD_MS)
    kernel = SimpleNamespace(store=store, clock=clock, healer=None)
    keeping = KeepingViews(store.views, Befores(store.views, told.state), clock, 31)
    await keeping.put("other", "p", "k", b"", 1)
    middle = NOON + 30 * 60_000
    for upto in (middle, 1 << 45):
        await _send(topics, centre, middle if upto > middle else 0, upto)
        clock.advance(45 * 60_000)
        rows = StoredRows(keeping, told.state, told.group, told.topic, told.feed_topic)
        if upto > middle:
            await _forget(topics, (await StoredPositions(rows).positions()))
        await _fold(told, rows, tenant)
    clock.advance(24 * 3600 * S)
    replay = wiring._replay(told, kernel)
    for at in (middle + 20 * 60_000, middle + 47 * 60_000):
        found = await answered(await replay(tenant, at), at, tenant)
        assert found == await answered(await by_then(centre, at), at, tenant)
    with pytest.raises(Rejected, match="AS_OF_NOT_KEPT"):
        await replay(tenant, NOON - PERIOD_MS)


async def test_of_too_many_records_those_published_within_an_hour_are_read(lab) -> None:
    """A busy centre's last week is not folded to answer for its first hour; what an outage kept longer is not seen."""
    tenant, topics = lab
    at, hour, told = round(time.time() * 1000) - 4 * 3600 * S, 3600 * S, list(topics.values())
    published = [(topic, n, at + (n - 20) * 60 * S + (n > 40) * hour) for topic in told for n in range(100)]
    async with clients.producer(BOOTSTRAP, "test") as producer:
        for topic, n, when in published:
            await producer.send(topic, b"%d" % n, f"{tenant}/{n % 7}".encode(), timestamp_ms=when)
    early = {(topic, b"%d" % n) for topic, n, when in published if when < at + hour}
    assert 0 < len(early) < len(published)
    assert await _records(told, len(published), at) == {(topic, b"%d" % n) for topic, n, _ in published}
    assert await _records(told, len(published) - 1, at) == await _records(told, len(early), at) == early
    with pytest.raises(Rejected, match="AS_OF_TOO_MUCH"):
        await _records(told, len(early) - 1, at)


async def _records(topics: list[str], most: int, at: int) -> set[tuple[str, bytes]]:
    return {(one.topic, one.value) async for _, some in read_topics(BOOTSTRAP, topics, most, at) for one in some}


async def _send(topics: dict[str, str], centre: Centre, after: int, upto: int) -> None:
    outlet = KafkaOutlet(lambda: clients.producer(BOOTSTRAP, "test"))
    for kind, records in centre.logs.items():
        early = cut(records, records[0].topic, after)
        some = [record for record in cut(records, records[0].topic, upto) if record not in early]
        await outlet.send(topics[kind], [Record(record.key, record.value) for record in some])
    await outlet.close()


async def _fold(told: Any, rows: StoredRows, tenant: str) -> None:
    kinds, counted = wiring._kinds(told, rows), await StoredPositions(rows).positions()
    batches = read_topics(BOOTSTRAP, kinds, 1_000_000, 1 << 45, counted)
    await fold_past(kinds, batches, nothing_missing, tenant, 1 << 45)


async def _forget(topics: dict[str, str], counted: Any) -> None:
    """All that is counted, as retention would."""
    admin = clients.admin(BOOTSTRAP)
    await admin.start()
    try:
        places = [(topic, part, counted.get(f"{topic}/{part}", 0)) for topic in topics.values() for part in range(2)]
        gone = {
            TopicPartition(topic, part): RecordsToDelete(before_offset=upto) for topic, part, upto in places if upto
        }
        assert len(gone) >= len(topics)
        await admin.delete_records(gone)
    finally:
        await admin.close()


async def _asked(questions: Questions, tenant: str) -> Any:
    begin, end = NOON - 12 * 3600 * S, NOON + 12 * 3600 * S
    answer = await questions.ask(tenant, FiguresAsked(begin=begin, end=end, step="15m", tz="UTC"))
    return orjson.loads(b"".join([chunk async for chunk in as_json(answer)]))


async def _by_command(url: str, issuer: TestIssuer, expected: Any, capsys) -> None:
    given = {"from_": DAY["from"], "to": DAY["to"], "step": "15m", "tz": "UTC", "as_of": timestamp(INSTANTS[-1])}
    token = issuer.issue("ann", ("analyst",))
    assert await asyncio.to_thread(lambda: command_line.figures(**given, json=True, url=url, token=token)) == 0
    assert json.loads(capsys.readouterr().out) == expected


async def _forget_one(topic: str) -> None:
    """As retention would."""
    admin = clients.admin(BOOTSTRAP)
    await admin.start()
    try:
        await admin.delete_records({TopicPartition(topic, 0): RecordsToDelete(before_offset=1)})
    finally:
        await admin.close()
