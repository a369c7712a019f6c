"""Whether the bus answers, asked twice a second and before anything elapses; and time that stands still otherwise."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError

from switchlog.log import get_logger

EVERY_S = 0.5
WITHIN_S = 1.0

log = get_logger(__name__)

Probe = Callable[[], Awaitable[None]]


class BusWatch:
    """``await run()`` keeps watching. An outage lasts from the last answer to the next one."""

    def __init__(self, probe: Probe, clock: Callable[[], float] = time.monotonic) -> None:
        self._probe, self._clock = probe, clock
        self._answered = clock()
        self._lost_s = 0.0
        self._up = asyncio.Event()
        self._up.set()

    @property
    def up(self) -> bool:
        return self._up.is_set()

    def time(self) -> float:
        """Seconds of bus time."""
        return (self._clock() if self.up else self._answered) - self._lost_s

    async def wait_up(self) -> None:
        await self._up.wait()

    async def alive(self) -> bool:
        """Ask now."""
        asked = self._clock()
        try:
            async with asyncio.timeout(WITHIN_S):
                await self._probe()
        except (TimeoutError, KafkaError, OSError):
            self._silent()
            return False
        self._heard(asked)
        return True

    async def run(self) -> None:
        while True:
            await self.alive()
            await asyncio.sleep(EVERY_S)

    def _silent(self) -> None:
        if self.up:
            log.warning("bus_away")
            self._up.clear()

    def _heard(self, asked: float) -> None:
        if not self.up:
            outage = self._clock() - self._answered
            self._lost_s += outage
            log.info("bus_back", outage_s=round(outage, 3))
        self._answered = max(self._answered, self._clock() if not self.up else asked)
        self._up.set()


def kafka_probe(bootstrap: str) -> Probe:
    """A question that only a broker which serves requests answers."""
    client: AIOKafkaClient | None = None
    asking = asyncio.Lock()

    async def probe() -> None:
        async with asking:
            await ask()

    async def ask() -> None:
        nonlocal client
        if client is None:
            client = await _connected(bootstrap)
        try:
            cluster = await client.fetch_all_metadata()
            if not cluster.brokers():
                raise KafkaError("no broker")
        except BaseException:
            broken, client = client, None
            await broken.close()
            raise

    return probe


async def _connected(bootstrap: str) -> AIOKafkaClient:
    made = AIOKafkaClient(bootstrap_servers=bootstrap, client_id="routing-watch", request_timeout_ms=1000)
    try:
        await made.bootstrap()
    except BaseException:
        await made.close()
        raise
    return made
