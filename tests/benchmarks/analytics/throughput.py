"""Events a second and core: the fold role of production on a full topic, beside aiokafka, stock Faust, Quix Streams.

What is told is the CPU of the process that reads: on a machine that others use too it is steadier than the clock.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import sys
import time
from contextlib import suppress
from pathlib import Path

from aiokafka import TopicPartition

from analytics import wiring
from analytics.app.ports import Where
from analytics.bus.worker import GARBAGE, PARTITION_BYTES
from analytics.config import Settings
from analytics.projections.rows import StoredRows
from benchmarks.analytics.filling import PARTITIONS, fill, hours
from benchmarks.figures import Ceiling, Figure
from benchmarks.place import OPPONENTS, ROOT, Place, bench_python
from benchmarks.sampling import in_turns
from contactcenter.routing.v1.events_pb2 import RoutingEvent
from contactcenter.topics import create_topics
from switchlog.bus import clients
from switchlog.kernel import open_kernel

ROUNDS = 4
CONTACTS = 200_000  # some 880 000 facts with the headers that relays give them
QUEUED = 60_000  # contacts for each number of queues
SLOW = 40_000  # facts that the opponents are given
RAW = "aiokafka getmany, parsed, on the same topic"
PYTHONS_OWN = gc.get_threshold()
GOAL = "goal: ratio 0.7"


class NoRules:
    """Nothing is watched."""

    async def look(self) -> None:
        return


async def run(place: Place) -> list[Figure]:
    """The pipeline with store and output topics, beside everything else that could do it."""
    await create_topics(place.kafka.address)
    topic = await place.topic("figures", PARTITIONS)
    total = await fill(place, topic, hours(place.scaled(CONTACTS), 10, 24).facts())
    samples = {
        "raw": lambda: raw(place, topic, total, GARBAGE),
        "as it comes": lambda: raw(place, topic, total, PYTHONS_OWN),
        "pipeline": lambda: pipeline(place, topic, total),
    }
    found = await in_turns(place.rounds(ROUNDS), samples, pause_s=0.5)
    short = await place.topic("slow", PARTITIONS)
    few = await fill(place, short, list(hours(SLOW // 3, 10, 24).facts())[: place.scaled(SLOW)])
    others = await in_turns(
        2,
        {
            "Faust, a table": lambda: opponent(place, Path(sys.executable), "faust_table.py", short, few),
            "Quix Streams, with state": lambda: opponent(place, bench_python(), "quix_fold.py", short, few),
        },
    )
    ceiling = Ceiling(RAW, found["raw"])
    return [
        Figure(
            "figures: Faust hosting our folds, with store and outputs",
            "1/s/core",
            found["pipeline"],
            ceiling,
            note=GOAL,
        ),
        Figure(f"figures: {RAW}, garbage collected as Python does", "1/s/core", found["as it comes"], ceiling),
        *(
            Figure(f"figures: {name}, two counters of the same facts", "1/s/core", told, ceiling)
            for name, told in others.items()
        ),
    ]


async def by_queues(place: Place) -> list[Figure]:
    """What an event costs where there are few queues, and where there are thousands."""
    await create_topics(place.kafka.address)
    found = []
    for queues in (10, 500, 5000):
        topic = await place.topic("queues", PARTITIONS)
        total = await fill(place, topic, hours(place.scaled(QUEUED), queues, 2).facts())
        costs = [1e6 / await pipeline(place, topic, total) for _ in range(place.rounds(3))]
        note = f"{total} facts of two hours"
        found.append(Figure(f"figures: CPU an event, {queues} queues", "µs", costs, lower_is_better=True, note=note))
    return found


async def raw(place: Place, topic: str, total: int, garbage: tuple[int, int, int]) -> float:
    """No group, no fold, nothing kept; ``garbage``: when it is collected."""
    gc.set_threshold(*garbage)
    client = clients.consumer(place.kafka.address, None, partition_bytes=PARTITION_BYTES)
    await client.start()
    try:
        client.assign([TopicPartition(topic, n) for n in range(PARTITIONS)])
        began, seen = time.process_time(), 0
        while seen < total:
            for records in (await client.getmany(timeout_ms=1000, max_records=5000)).values():
                for record in records:
                    RoutingEvent.FromString(record.value)
                seen += len(records)
        return total / (time.process_time() - began)
    finally:
        await client.stop()


async def pipeline(place: Place, topic: str, total: int) -> float:
    """The service's own fold role over SQLite, until every row, progress and offset is stored."""
    settings = Settings(
        place.settings("sqlite", "analytics"), "bench", place.fresh("s")[:20], "UTC", topic, "", "", "", ""
    )
    async with open_kernel(settings.kernel, topics=wiring.TOPICS) as kernel:
        rows = StoredRows(kernel.store.views, settings.state, settings.group, topic)
        began = time.process_time()
        folding = asyncio.create_task(wiring._fold(settings, kernel, rows, NoRules()))
        try:
            while await _read(rows, topic) < total:
                if folding.done():
                    folding.result()
                await asyncio.sleep(0.05)
            return total / (time.process_time() - began)
        finally:
            folding.cancel()
            with suppress(asyncio.CancelledError):
                await folding


async def _read(rows: StoredRows, topic: str) -> int:
    found = [await rows.progress(Where(topic, n)) for n in range(PARTITIONS)]
    return sum(one.next for one in found if one is not None)


async def opponent(place: Place, python: Path, script: str, topic: str, total: int) -> float:
    """A program of its own that counts the same facts the usual way of its library."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "proto" / "python"), "PYTHONWARNINGS": "ignore"}
    told = (place.kafka.address, topic, str(total), str(place.root / place.fresh("state")))
    process = await asyncio.create_subprocess_exec(
        python,
        OPPONENTS / script,
        *told,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment,
    )
    out, err = await asyncio.wait_for(process.communicate(), 240)
    if process.returncode:
        raise RuntimeError(f"{script}: {err.decode()[-2000:]}")
    answer = json.loads(out.decode().splitlines()[-1])
    return float(answer["events"] / answer["cpu_s"])
