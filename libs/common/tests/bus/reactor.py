"""A process that reacts to every event of a topic with one durable append; tests kill it.

``python reactor.py BOOTSTRAP TOPIC GROUP DATA_DIR CONCURRENCY``
"""

from __future__ import annotations

import asyncio
import sys

from contactcenter.agent.v1 import events_pb2
from switchlog.bus import clients
from switchlog.bus.consumer import Consumer
from switchlog.bus.reaction import reaction
from switchlog.bus.record import Received
from switchlog.clock import SystemClock
from switchlog.decider import Decider
from switchlog.envelope import Codec, StreamId
from switchlog.store.opening import open_store
from switchlog.store.settings import StoreSettings
from switchlog.writer import Writer

# What the source says is noted once on the stream of the same name.
CODEC: Codec[str] = Codec(
    "testing",
    "notes",
    events_pb2.AgentEvent,
    lambda text: events_pb2.AgentEvent(agent_not_ready=events_pb2.AgentNotReady(reason=text)),
    lambda message: message.agent_not_ready.reason,
)
DECIDER: Decider[str, int, str] = Decider(0, lambda text, state, now: [text], lambda state, event: state + 1)


class NoHoles:
    async def read(self, service, of, after, upto):
        raise AssertionError(f"a hole in {of} after {after}")


async def main(bootstrap: str, topic: str, group: str, path: str, concurrency: int) -> None:
    store = await open_store(StoreSettings(kind="sqlite", path=path), "testing")
    writer = Writer(store.events, DECIDER, CODEC, lambda *_: None, SystemClock())

    handled = 0

    async def note(received: Received) -> None:
        nonlocal handled
        handled += 1
        if handled == 1:
            print("handling", flush=True)
        await asyncio.sleep(0.002)
        text = received.parse(events_pb2.AgentEvent).agent_not_ready.reason
        target = StreamId(received.stream.tenant, f"note-{received.stream.name}")
        await reaction(writer, target, text, received, "note")

    consumer = Consumer(
        bootstrap,
        group,
        [topic],
        note,
        seen=store.seen,
        healer=NoHoles(),
        parked=store.views,
        concurrency=concurrency,
        # a killed member is given up after a second, so that a test may kill often
        connect=lambda listener: clients.consumer(bootstrap, group, [topic], listener, session_timeout_ms=1_000),
    )
    await consumer.run()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:5], int(sys.argv[5])))
