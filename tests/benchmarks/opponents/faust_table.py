"""Stock Faust: an agent an event, two counters a queue and quarter hour in a table. Prints {"events", "cpu_s"}."""

import json
import os
import sys
import time

import faust

from contactcenter.routing.v1.events_pb2 import RoutingEvent

bootstrap, topic, total, state = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
app = faust.App(
    f"faust-{os.getpid()}",
    broker=f"kafka://{bootstrap}",
    store="memory://",
    datadir=state,
    web_enabled=False,
    autodiscover=False,
    topic_partitions=4,
    processing_guarantee="at_least_once",
    consumer_auto_offset_reset="earliest",
)
source = app.topic(topic, value_type=bytes, value_serializer="raw", key_type=bytes, key_serializer="raw")
counts = app.Table("counts", default=int, partitions=4)
seen, began = 0, 0.0


@app.agent(source)
async def fold(stream):
    global seen, began
    async for value in stream:
        began = began or time.process_time()
        event = RoutingEvent.FromString(value)
        kind = event.WhichOneof("fact")
        if kind in ("contact_waiting", "contact_dequeued"):
            fact = getattr(event, kind)
            key = f"{fact.queue}/{fact.queued_at.seconds // 900}"
            counts[f"{key}/{'offered' if kind == 'contact_waiting' else fact.outcome}"] += 1
            if kind == "contact_dequeued":
                counts[f"{key}/wait"] += fact.waited_ms
        seen += 1
        if seen >= total:
            print(json.dumps({"events": seen, "cpu_s": time.process_time() - began}), flush=True)
            os._exit(0)


if __name__ == "__main__":
    worker = faust.Worker(app, loglevel="ERROR", redirect_stdouts=False)
    worker.execute_from_commandline()
