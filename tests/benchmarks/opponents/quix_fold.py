"""Quix Streams: the same two counters in its state store (RocksDB, changelog on). Prints {"events", "cpu_s"}."""

import json
import logging
import os
import sys
import time

from quixstreams import Application

from contactcenter.routing.v1.events_pb2 import RoutingEvent

logging.disable(logging.CRITICAL)
bootstrap, topic, total, state = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
app = Application(
    broker_address=bootstrap,
    consumer_group=f"quix-{os.getpid()}",
    auto_offset_reset="earliest",
    state_dir=state,
    loglevel=None,
)
seen, began = 0, 0.0


def fold(value, state):
    global seen, began
    began = began or time.process_time()
    event = RoutingEvent.FromString(value)
    kind = event.WhichOneof("fact")
    if kind in ("contact_waiting", "contact_dequeued"):
        fact = getattr(event, kind)
        key = f"{fact.queue}/{fact.queued_at.seconds // 900}"
        name = f"{key}/{'offered' if kind == 'contact_waiting' else fact.outcome}"
        state.set(name, state.get(name, 0) + 1)
        if kind == "contact_dequeued":
            state.set(f"{key}/wait", state.get(f"{key}/wait", 0) + fact.waited_ms)
    seen += 1
    if seen >= total:
        print(json.dumps({"events": seen, "cpu_s": time.process_time() - began}), flush=True)
        os._exit(0)
    return value


frame = app.dataframe(app.topic(topic, value_deserializer="bytes", key_deserializer="bytes"))
frame.update(fold, stateful=True)

if __name__ == "__main__":
    app.run()
