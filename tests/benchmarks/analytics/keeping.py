"""What it costs the folds to keep rows as they stood: a made day of all topics, folded second by second as it came."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

from verification.day.scene import Day, made
from verification.day.streams import Published
from verification.driving import TOPICS, Delivered

from analytics import wiring
from analytics.app.folding import Folding
from analytics.app.ports import Where
from analytics.bus.worker import GARBAGE
from analytics.projections.before import Befores, KeepingViews
from analytics.projections.rows import StoredRows
from benchmarks.analytics.counting import _never
from benchmarks.figures import Ceiling, Figure
from benchmarks.place import Place
from switchlog.clock import ManualClock
from switchlog.store.opening import open_store
from switchlog.store.settings import StoreSettings

ROUNDS = 3
DAYS = 31
SLICES_MS = {"second": 1_000, "minute": 60_000}
"""Facts that came within one are folded together: as live, and as who is a little behind."""


class Slice(NamedTuple):
    """Facts of a topic that are folded together, ``at`` that time."""

    at: int
    topic: str
    facts: list[Delivered]


async def run(place: Place) -> list[Figure]:
    """CPU an event, and megabytes that are stored, beside folds that keep nothing."""
    facts = made(Day(contacts_an_hour=place.scaled(600), agents=60, from_hour=9, hours=9))
    return [figure for name, slice_ms in SLICES_MS.items() for figure in await _by(place, facts, name, slice_ms)]


async def _by(place: Place, facts: Sequence[Published], name: str, slice_ms: int) -> list[Figure]:
    found: dict[int, list[tuple[float, float]]] = {0: [], DAYS: []}
    for _ in range(place.rounds(ROUNDS)):
        for days, samples in found.items():
            samples.append(await _folded(place, list(_slices(facts, slice_ms)), days))
    (plain_us, plain_mb), (kept_us, kept_mb) = (zip(*samples, strict=True) for samples in found.values())
    note = f"{len(facts)} facts of 9 hours, 60 agents, a {name}'s at once"
    what = f"figures: rows kept as they stood, by {name},"
    return [
        Figure(f"{what} CPU an event", "µs", kept_us, Ceiling("nothing kept", plain_us), True, note),
        Figure(f"{what} stored", "MB", kept_mb, Ceiling("nothing kept", plain_mb), True, note),
    ]


async def _folded(place: Place, slices: Sequence[Slice], days: int) -> tuple[float, float]:
    gc.set_threshold(*GARBAGE)  # as the service does
    folder = place.root / place.fresh("kept")
    store, clock = await open_store(StoreSettings("sqlite", str(folder)), "analytics"), ManualClock(slices[0].at)
    try:
        views: Any = KeepingViews(store.views, Befores(store.views, "s1"), clock, days) if days else store.views
        kinds = wiring._kinds(TOPICS, StoredRows(views, "s1", "g"))  # type: ignore[arg-type]  # the topics' names alone
        foldings = {topic: await _folding(kind, Where(topic, 0)) for topic, kind in kinds.items()}
        began = time.process_time()
        for at, topic, some in slices:
            clock.advance(max(0, at - clock.now()))
            await foldings[topic].take(some)
        spent = time.process_time() - began
        return 1e6 * spent / sum(len(one.facts) for one in slices), _size(folder)
    finally:
        await store.close()


async def _folding(kind: Any, where: Where) -> Folding:
    return Folding(where, await kind.rows.board(where), kind.rows, kind.facts, _never, _never)


def _slices(facts: Sequence[Published], slice_ms: int) -> Iterator[Slice]:
    """What came within the same time on a topic."""
    offsets: dict[str, int] = {}
    for slice_, some in groupby(facts, lambda fact: fact.at // slice_ms):
        by_topic: dict[str, list[Delivered]] = {}
        for fact in some:
            n = offsets[fact.topic] = offsets.get(fact.topic, -1) + 1
            by_topic.setdefault(fact.topic, []).append(Delivered(fact.topic, 0, n, fact.key, fact.value))
        yield from (Slice((slice_ + 1) * slice_ms, topic, told) for topic, told in by_topic.items())


def _size(folder: Path) -> float:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 2**20
