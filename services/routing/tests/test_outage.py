"""The broker frozen under a pool: orders are refused at once, and no deadline passes (trust: broker cut off)."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from switchlog.store.settings import StoreSettings
from switchlog.testing import eventually
from switchlog_local import Kafka, free_ports
from switchlog_local.servers import start_all, stop_all

from .test_process import busy, started

pytestmark = [pytest.mark.kafka, pytest.mark.slow]


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    """A broker of our own, to be frozen."""
    port, controller = free_ports(2)
    server = Kafka(tmp_path_factory.mktemp("kafka"), port, controller)
    start_all([server])
    try:
        command = [sys.executable, "-m", "contactcenter.topics", "--local", "--bootstrap", server.address]
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
        yield server
    finally:
        stop_all([server])


async def test_while_the_broker_is_away_orders_get_503_and_nothing_expires(broker: Kafka, tmp_path: Path) -> None:
    """503 + Retry-After within 1 s; the offer's deadline moves by the outage, then it expires."""
    store = StoreSettings(kind="sqlite", path=str(tmp_path))
    async with started(store, broker.address) as running:
        assert (await running.define(offer_timeout_s=4)).status_code == 200
        await running.world.staffed("ann")
        await running.world.queued("c1")
        offer = await running.an_offer("ann")
        broker.freeze()
        try:
            await asyncio.sleep(0.2)
            for _ in range(3):
                began = time.monotonic()
                refused = await running.accept(offer, "ann")
                assert refused.status_code == 503
                assert refused.headers["retry-after"]
                assert time.monotonic() - began < 1.2 * busy(), "within a second"
            await asyncio.sleep(6)
            state = await running.state()
            assert [one["offer_id"] for one in state["offers"]] == [offer["offer_id"]]
        finally:
            broker.thaw()
        thawed = time.monotonic()

        async def expired() -> bool:
            return (await running.state())["offers"] == []

        await eventually(expired, within_s=12 * busy())
        assert time.monotonic() - thawed > 1, "what was left of the time when the broker went is still given"


async def test_an_offer_can_be_taken_once_the_broker_is_back(broker: Kafka, tmp_path: Path) -> None:
    """The same key asks again safely."""
    store = StoreSettings(kind="sqlite", path=str(tmp_path))
    async with started(store, broker.address) as running:
        await running.world.staffed("ann")
        await running.world.queued("c1")
        offer = await running.an_offer("ann")
        broker.freeze()
        try:
            refused = await running.accept(offer, "ann", **{"idempotency-key": "k"})
            assert refused.status_code == 503
        finally:
            broker.thaw()

        async def taken() -> bool:
            return (await running.accept(offer, "ann", **{"idempotency-key": "k"})).status_code == 200

        await eventually(taken, within_s=20, every_s=0.5)
        state = await running.state()
        assert [one["contact"] for one in state["assigned"]] == ["c1"]
