"""Time that stands still while the bus is away."""

from __future__ import annotations

from aiokafka.errors import KafkaConnectionError

from routing.adapters.bus_watch import BusWatch
from switchlog.clock import ManualClock


class Broker:
    def __init__(self) -> None:
        self.there = True

    async def __call__(self) -> None:
        if not self.there:
            raise KafkaConnectionError


async def test_bus_time_stands_still_from_the_last_answer_to_the_next() -> None:
    clock, broker = ManualClock(), Broker()
    watch = BusWatch(broker, clock)
    began = watch.time()
    clock.advance(1_000)
    assert await watch.alive()
    broker.there = False
    clock.advance(500)
    assert not await watch.alive()
    assert watch.up, "one late answer is no outage"
    assert not await watch.alive()
    assert not watch.up
    clock.advance(60_000)
    assert watch.time() - began == 1.0
    broker.there = True
    assert await watch.alive()
    assert watch.up
    clock.advance(2_000)
    assert round(watch.time() - began, 6) == 3.0


async def test_an_outage_counts_from_where_it_overlaps() -> None:
    clock, broker = ManualClock(), Broker()
    watch = BusWatch(broker, clock)
    await watch.alive()
    before, broker.there = clock.now(), False
    clock.advance(10_000)
    await watch.alive()
    await watch.alive()
    middle = clock.now() - 4_000
    broker.there = True
    await watch.alive()
    assert (watch.lost_since(before), watch.lost_since(middle), watch.lost_since(clock.now())) == (10_000, 4_000, 0)
