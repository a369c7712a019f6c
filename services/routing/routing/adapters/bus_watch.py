"""Whether the bus answers, asked twice a second and before anything elapses; and time that stands still otherwise."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError

from switchlog.clock import Clock
from switchlog.log import get_logger

EVERY_S = 0.5
AGAIN_S = 0.1
# One late answer may be our own doing: a busy loop is no outage.
SILENCES = 2
WITHIN_S = 1.0
OUTAGES_KEPT = 1000

log = get_logger(__name__)

Probe = Callable[[], Awaitable[None]]


class BusWatch:
    """``await run()`` keeps watching. An outage lasts from the last answer to the next one."""

    def __init__(self, probe: Probe, clock: Clock) -> None:
        self._probe, self._clock = probe, clock
        self._answered = clock.monotonic()
        self._lost_s, self._silences = 0.0, 0
        self._outages: deque[tuple[int, int]] = deque(maxlen=OUTAGES_KEPT)
        self._up = asyncio.Event()
        self._up.set()

    @property
    def up(self) -> bool:
        return self._up.is_set()

    def time(self) -> float:
        """Seconds of bus time."""
        return (self._clock.monotonic() if self.up else self._answered) - self._lost_s

    def lost_since(self, at: int) -> int:
        """Milliseconds of outages since ``at``: whoever takes a pool over gives its offers that much longer."""
        return sum(max(0, end - max(begin, at)) for begin, end in self._outages)

    async def wait_up(self) -> None:
        await self._up.wait()

    async def alive(self) -> bool:
        """Ask now."""
        asked = self._clock.monotonic()
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
            await asyncio.sleep(EVERY_S if await self.alive() else AGAIN_S)

    def _silent(self) -> None:
        self._silences += 1
        if self.up and self._silences >= SILENCES:
            log.warning("bus_away")
            self._up.clear()

    def _outage(self, until: float) -> None:
        lost, now = until - self._answered, self._clock.now()
        self._lost_s += lost
        self._outages.append((now - round(lost * 1000), now))
        self._answered = until
        log.info("bus_back", outage_s=round(lost, 3))

    def _heard(self, asked: float) -> None:
        if not self.up:
            self._outage(self._clock.monotonic())
        self._answered, self._silences = max(self._answered, asked), 0
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
