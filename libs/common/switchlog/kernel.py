"""One service's kernel, put together: store, writer, relay, consumers, timers. A service's wiring begins here."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from contactcenter.bus.v1.event_log_pb2_grpc import add_EventLogServiceServicer_to_server
from switchlog.auth.tokens import TokenSource, token_source
from switchlog.bus import clients
from switchlog.bus.consumer import Consumer, Failing, Handler
from switchlog.bus.healing import Healer
from switchlog.bus.progress import Seen
from switchlog.clock import Clock, SystemClock
from switchlog.config import KernelSettings
from switchlog.decider import Decider
from switchlog.envelope import Codec, StreamId
from switchlog.errors import NotNow
from switchlog.eventlog import EventLog, EventLogHealer, replay_topics
from switchlog.log import get_logger
from switchlog.measured import MeasuredEvents, MeasuredOutlet
from switchlog.outlet import KafkaOutlet, Record
from switchlog.relay import Relay, sweep
from switchlog.rpc import Servicer
from switchlog.store import EventStore, Store, Timer, TimersOf, no_timers
from switchlog.store.opening import open_store
from switchlog.timers import Nudges, TimerRunner
from switchlog.writer import Begin, Writer

C = TypeVar("C")
S = TypeVar("S")
E = TypeVar("E")

Task = Callable[[], Awaitable[None]]

# How long a command may take before its caller hears NotNow, seconds: a database may go away, a local file cannot.
DEADLINE_S: Mapping[str, float] = {"cassandra": 0.9, "sqlite": 5.0, "memory": 5.0}

OPENED_WITHIN_S = 30.0
OPEN_AGAIN_S = 0.5

log = get_logger(__name__)


@dataclass
class Kernel:
    """What ``open_kernel`` gives. Everything here is shared by the whole process."""

    settings: KernelSettings
    clock: Clock
    store: Store
    events: EventStore
    outlet: KafkaOutlet
    relay: Relay
    healer: Healer
    tokens: TokenSource
    nudges: Nudges
    writers: list[Writer[Any, Any, Any]] = field(default_factory=list)

    def writer(
        self,
        decider: Decider[C, S, E],
        codec: Codec[E],
        *,
        deadline_s: float | None = None,
        begin: Begin[S] | None = None,
    ) -> Writer[C, S, E]:
        """The one writer of a rule book in this process: every command to its streams goes through it."""
        deadline_s = deadline_s or DEADLINE_S[self.settings.store.kind]
        writer = Writer(self.events, decider, codec, self.relay.notify, self.clock, deadline_s, begin=begin)
        self.writers.append(writer)
        return writer

    def consumer(
        self,
        group: str,
        topics: Sequence[str],
        handle: Handler | None = None,
        *,
        seen: Seen | Literal["store"] | None = "store",
        healer: Healer | Literal["owners"] | None = "owners",
        bootstrap: Literal["first", "full"] = "first",
        react: bool = True,
        failing: Failing = "park",
        **more: Any,
    ) -> Consumer:
        """A member of ``group``; run it by ``consumer.run``. See ``Consumer`` for ``more`` (``handle_batch`` ...)."""
        return Consumer(
            self.settings.kafka_bootstrap,
            group,
            topics,
            handle,
            seen=self.store.seen if seen == "store" else seen,
            healer=self.healer if healer == "owners" else healer,
            parked=self.store.views,
            bootstrap_streams=bootstrap,
            react=react,
            failing=failing,
            **more,
        )

    def sweeper(self, *, every_s: float = 1.0) -> Task:
        """The ``relay`` role: publishes what a crash left."""

        async def run() -> None:
            await sweep(self.relay, self.store.events, every_s=every_s)

        return run

    def timer_runner(self, fire: Callable[[Timer], Awaitable[None]]) -> Task:
        """Gives ``fire`` each timer that is due; its command's id must derive from the timer's id."""
        runner = TimerRunner(self.store.timers, self.clock, fire)
        self.nudges.runners.append(runner)
        return runner.run

    def event_log(self) -> Servicer:
        """``EventLogService``, which every owner of streams serves: give it to ``serve(servicers=...)``."""
        servicer = EventLog(self.store.events, self.outlet, replay_topics(self.settings.kafka_bootstrap))
        return add_EventLogServiceServicer_to_server, servicer

    async def send(self, topic: str, records: Sequence[Record]) -> None:
        """Put what is in no log (inbox items, compacted rows) on ``topic``; raises ``NotNow``: send all again."""
        await self.outlet.send(topic, records)

    async def republish(self, stream: StreamId, first: int) -> None:
        """``relay --stream S --from N``."""
        await self.relay.publish_again(stream, first)

    async def drain(self) -> None:
        """Before the process ends: finish the commands that wait, and let what is stored get onto its topics."""
        await asyncio.gather(*(writer.close() for writer in self.writers))
        await self.relay.drain()

    async def ready(self) -> dict[str, bool]:
        """The bus is not among it: without it commands are still taken, and published later."""
        return {"store": await self.store.ready()}


@asynccontextmanager
async def open_kernel(
    settings: KernelSettings,
    *,
    topics: Mapping[str, str],
    timers_of: TimersOf = no_timers,
    clock: Clock | None = None,
    tokens: TokenSource | None = None,
) -> AsyncIterator[Kernel]:
    """A kernel whose streams are published by ``topics``: the first word of a stream's name -> topic."""
    clock, nudges = clock or SystemClock(), Nudges()
    store = await _opened(settings, nudges.heard(timers_of), clock)
    events = MeasuredEvents(store.events, settings.store.kind, settings.service, nudges.written)
    outlet = KafkaOutlet(lambda: clients.producer(settings.kafka_bootstrap, settings.service))
    relay = Relay(events, MeasuredOutlet(outlet), topic_by_prefix(topics))
    tokens = tokens or token_source(settings)
    healer = EventLogHealer(settings.owners, tokens, settings)
    try:
        kernel = Kernel(settings, clock, store, events, outlet, relay, healer, tokens, nudges)
        yield kernel
        await kernel.drain()
    finally:
        await relay.close()
        await healer.close()
        await store.close()


async def _opened(settings: KernelSettings, timers_of: TimersOf, clock: Clock) -> Store:
    """A database that is itself just starting is waited for; one that does not come ends the process."""
    end = clock.monotonic() + OPENED_WITHIN_S
    while True:
        try:
            return await open_store(settings.store, settings.service, timers_of, clock)
        except NotNow as error:
            if clock.monotonic() > end:
                raise
            log.warning("store_awaited", reason=error.reason, detail=error.detail)
        await asyncio.sleep(OPEN_AGAIN_S)


def topic_by_prefix(topics: Mapping[str, str]) -> Callable[[StreamId], str]:
    """``{"contact": "contact.events.v1"}`` sends ``contact-7f3c`` there; a stream of another kind is a bug."""

    def topic_of(stream: StreamId) -> str:
        return topics[stream.name.partition("-")[0]]

    return topic_of
