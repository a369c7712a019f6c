"""Workers of analytics are killed, come and go while facts pour in: afterwards every figure equals the batch (I7)."""

from __future__ import annotations

import asyncio
import signal
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from uuid import uuid4

import httpx2 as httpx
from verification.compare import Report
from verification.day import Day, Published, made
from verification.day.publish import publish
from verification.day.streams import Streams
from verification.day.world import stamp
from verification.live import Live, NotAnswered, live
from verification.oracle.recompute import Asked
from verification.serving import Serving, serving
from verification.verifying import verify

from contactcenter.contact.v1.types_pb2 import CHANNEL_CHAT
from contactcenter.routing.v1 import events_pb2
from contactcenter.topics import create_topics
from switchlog_local.demo.supervisor import _spawn

from .report import Figures

POOLS = 16  # so many that every partition has one
SLICE, EVERY_S = 400, 0.2  # 2 000 records a second

Say = Callable[[str], None]


async def killed_workers(bootstrap: str, folder: Path, kills: int, say: Say) -> Figures:
    """``kills`` times kill -9 of a worker under load, and another joins and leaves; the note tells the times."""
    await create_topics(bootstrap)
    day = Day(tenant=f"load{uuid4().hex[:6]}", hours=9, contacts_an_hour=400, agents=40)
    said = made(day)
    async with serving(bootstrap, folder, workers=2, apart=True) as one, live(one.url, one.token) as asked:
        load = asyncio.create_task(_pour(bootstrap, said))
        marks = Marks(bootstrap, asked)
        took = []
        for n in range(kills):
            took.append(await _kill(one, marks, f"worker-{1 + n % 2}", n))
            say(f"faults: figures: kill -9 of worker-{1 + n % 2}: everything folds again after {took[-1]:.1f} s")
        moved = await _comes_and_goes(one, marks)
        say(f"faults: figures: a third worker came and went: {moved:.1f} s")
        await load
        outcome = await verify(bootstrap, asked)
        say(f"faults: figures: compared {outcome.report.compared} cells, differences {len(outcome.report.differences)}")
    note = f"recovery p50 {median(took):.1f} s, max {max(took):.1f} s; rebalance {moved:.1f} s"
    note += f"; {outcome.report.compared} cells compared, {len(outcome.report.differences)} differ"
    return Figures(
        "figures, workers killed",
        kills=kills,
        events=outcome.records,
        repeats=outcome.repeats,
        contradictions=len(outcome.report.differences),
        note=note,
        wrong=_wrong(outcome.report),
    )


def _wrong(report: Report) -> list[str]:
    few = [] if report.compared >= 1000 else [f"only {report.compared} cells were compared"]
    names = Counter(one.name for one in report.differences)
    return [*few, *(f"{name}: {count}" for name, count in names.items()), *map(str, report.differences[:20])]


async def _pour(bootstrap: str, said: Sequence[Published]) -> None:
    for n in range(0, len(said), SLICE):
        await publish(bootstrap, said[n : n + SLICE], repeats=0.02, seed=n)
        await asyncio.sleep(EVERY_S)


async def _kill(one: Serving, marks: Marks, worker: str, n: int) -> float:
    """Seconds from the kill until a contact that came after it is in the figures, in every partition."""
    await asyncio.sleep(2)
    running = one.supervisor.running[worker]
    running.process.send_signal(signal.SIGKILL)
    began = time.monotonic()
    await marks.seen(f"kill{n}")
    return time.monotonic() - began


async def _comes_and_goes(one: Serving, marks: Marks) -> float:
    """A further worker takes partitions over and gives them back, in good order."""
    process = await _spawn(one.worker("worker-3"))
    began = time.monotonic()
    try:
        await marks.seen("joined")
        await asyncio.sleep(3)
        await marks.seen("working")
    finally:
        process.send_signal(signal.SIGTERM)
        await asyncio.wait_for(process.wait(), 30)
    await marks.seen("left")
    return time.monotonic() - began


class Marks:
    """Contacts that begin to wait in pools of every partition, and how soon they are seen by who asks."""

    def __init__(self, bootstrap: str, asked: Live) -> None:
        self._bootstrap, self._live = bootstrap, asked
        self._streams = Streams(f"marks{uuid4().hex[:6]}")
        self._expected = 0

    async def seen(self, word: str, within_s: float = 150) -> None:
        """Make one in each pool and wait until all are counted; raises ``TimeoutError``."""
        now = round(time.time() * 1000)
        for n in range(POOLS):
            waiting = events_pb2.ContactWaiting(
                leg=1, queue=f"queue-{n}", contact=f"{word}-{n}", channel=CHANNEL_CHAT, queued_at=stamp(now)
            )
            self._streams.say(f"pool-mark{n}", waiting, now, now)
        said, self._streams.said = self._streams.said, []
        self._expected += len(said)
        await publish(self._bootstrap, said)
        async with asyncio.timeout(within_s):
            while await self._counted(now) < self._expected:
                await asyncio.sleep(0.05)

    async def _counted(self, now: int) -> int:
        asked = Asked(self._streams.tenant, ("queue",), "1d", "cohort", 20)
        try:
            answer = await self._live.figures(asked, "UTC", (now - 86_400_000, now + 86_400_000))
        except NotAnswered:
            return 0
        except httpx.HTTPStatusError as error:
            if error.response.status_code != 503:
                raise
            return 0  # the store is too busy at the moment: asked again
        return sum(row["offered"] for row in answer.rows.values())
