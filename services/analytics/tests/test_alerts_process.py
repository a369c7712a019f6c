"""Alerts over a real broker: the worker that looks is killed with -9, and things are told once all the same (AN-3)."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from time import time_ns
from typing import Any

import httpx2
import pytest

from analytics import wire
from analytics.adapters import usual_rules
from contactcenter.analytics.v1.events_pb2 import AlertEvent
from switchlog.bus import clients
from switchlog.outlet import KafkaOutlet, Record

from .scene import Log, S
from .test_all_topics import BOOTSTRAP, lab, start
from .test_past_process import answering

__all__ = ["lab"]
pytestmark = [pytest.mark.kafka, pytest.mark.timeout(150)]

RELEASED = Path(__file__).resolve().parents[3] / "proto" / "released.binpb"
DEPTH = {"figure": "queue_depth", "side": "above", "limit": 2, "clear": 1, "queues": ["sales"], "clear_for_s": 1}


async def test_killed_while_an_alert_stands_the_worker_tells_neither_its_begin_nor_its_end_twice(
    lab, tmp_path: Path
) -> None:
    tenant, topics = lab
    log, outlet = Log(tenant), KafkaOutlet(lambda: clients.producer(BOOTSTRAP, "test"))
    now = time_ns() // 1_000_000

    async def send(since: int = 0) -> int:
        await outlet.send(topics["routing"], [Record(one.key, one.value) for one in log.records[since:]])
        return len(log.records)

    log.defined(now)
    sent = await send()
    async with answering(tenant, topics, tmp_path) as (url, issuer):
        headers = issuer.bearer("sue", ("supervisor",))
        async with httpx2.AsyncClient(base_url=url, trust_env=False, headers=headers) as http:

            async def standing() -> int:
                return len((await http.get("/v1/alerts", params={"open": "true"})).json()["alerts"])

            await usual(http, url, issuer.issue("sue", ("supervisor",)))
            assert (await http.put("/v1/alert-rules/long", json=DEPTH)).status_code == 200
            worker = await start(tenant, topics, tmp_path)
            try:
                for n in range(3):
                    log.waits(now, f"c{n}")
                sent = await send(sent)
                await until(standing, 1)
                worker = await killed(worker, lambda: start(tenant, topics, tmp_path))
                await asyncio.sleep(4)
                assert await standing() == 1
                for n in range(2):
                    log.leaves(now + n * S, f"c{n}", now)
                await send(sent)
                await until(standing, 0)
                worker = await killed(worker, lambda: start(tenant, topics, tmp_path))
                await asyncio.sleep(4)
            finally:
                if worker.returncode is None:
                    worker.kill()
                await outlet.close()
    values = await published(tenant)
    kinds = [AlertEvent.FromString(value).WhichOneof("fact") for value in values]
    assert kinds == ["alert_rule_defined", "alert_raised", "alert_cleared"]
    assert 'figure: "queue_depth"' in decoded(values[1]) and "value: 3" in decoded(values[1])


async def usual(http: httpx2.AsyncClient, url: str, token: str) -> None:
    """One command puts them; done again it leaves what somebody has changed."""
    assert await asyncio.to_thread(usual_rules.put, url, token) == 0
    mine = usual_rules.USUAL["many-wait"] | {"limit": 500}
    assert (await http.put("/v1/alert-rules/many-wait", json=mine)).status_code == 200
    assert await asyncio.to_thread(usual_rules.put, url, token) == 0
    for rule, said in usual_rules.USUAL.items():
        found = (await http.get(f"/v1/alert-rules/{rule}")).json()
        assert said.items() <= found.items() or (rule, found["limit"]) == ("many-wait", 500)
    assert await asyncio.to_thread(usual_rules.put, url, "nonsense") == 2


async def until(count: Callable[[], Awaitable[int]], wanted: int) -> None:
    async with asyncio.timeout(40):
        while await count() != wanted:
            await asyncio.sleep(0.2)


async def killed(
    worker: asyncio.subprocess.Process, again: Callable[[], Awaitable[asyncio.subprocess.Process]]
) -> asyncio.subprocess.Process:
    worker.send_signal(signal.SIGKILL)
    await worker.wait()
    return await again()


def decoded(value: bytes) -> str:
    """By protoc, from the published contract alone."""
    asked = ["--decode=contactcenter.analytics.v1.AlertEvent", "contactcenter/analytics/v1/events.proto"]
    command = [sys.executable, "-m", "grpc_tools.protoc", f"--descriptor_set_in={RELEASED}", *asked]
    return subprocess.run(command, input=value, capture_output=True, check=True).stdout.decode()


async def published(tenant: str) -> list[Any]:
    """What is on the alerts' topic of this tenant, in order; who dies may have sent a record and send it again."""
    consumer, found = clients.consumer(BOOTSTRAP, None, [wire.ALERTS]), []
    await consumer.start()
    try:
        ends = await consumer.end_offsets(consumer.assignment())
        await consumer.seek_to_beginning()
        while any([await consumer.position(partition) < end for partition, end in ends.items()]):
            for records in (await consumer.getmany(timeout_ms=200)).values():
                found += [one.value for one in records if one.key == f"{tenant}/alert-long".encode()]
    finally:
        await consumer.stop()
    return list(dict.fromkeys(found))
