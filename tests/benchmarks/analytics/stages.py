"""Where the CPU of an event goes: each step of a batch timed, facts in memory and rows in SQLite, no broker."""

from __future__ import annotations

import gc
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable
from types import SimpleNamespace
from typing import Any

from verification.day.bulk import Fact

from analytics.adapters import routing_facts
from analytics.app.folding import Folding
from analytics.bus.worker import GARBAGE
from analytics.projections.queue_rows import QueueRows
from analytics.projections.rows import StoredRows
from benchmarks.analytics.counting import BATCH, WHERE, _delivered, _never
from benchmarks.analytics.filling import hours
from benchmarks.figures import Figure
from benchmarks.place import Place
from contactcenter.routing.v1.events_pb2 import RoutingEvent
from switchlog.store.sqlite import open_sqlite

CONTACTS = 50_000
STEPS = {
    "parse": "protobuf alone, the same work as in the bare loop",
    "whole": "all of a batch: parse, drop repeats, load, fold, settle, store",
    "needed": "which cells it needs",
    "fold": "into counters of both attributions, days, agents, legs",
    "save": "rows encoded and stored",
}


async def run(place: Place) -> list[Figure]:
    """Microseconds an event of each step; what ``whole`` has beyond the others is repeats, loading, settling."""
    spent = await _spent(place, place.scaled(CONTACTS))
    return [
        Figure(f"figures: CPU an event, step {step}", "µs", [spent[step]], lower_is_better=True, note=note)
        for step, note in STEPS.items()
    ]


async def _spent(place: Place, contacts: int) -> dict[str, float]:
    gc.set_threshold(*GARBAGE)  # as the service does
    facts = list(hours(contacts, 10, 24, pools=1).facts())
    batches = [_delivered(facts[n : n + BATCH], n) for n in range(0, len(facts), BATCH)]
    spent: dict[str, float] = defaultdict(float)
    store = await open_sqlite(place.root / f"{place.fresh('stages')}.db")
    try:
        rows = QueueRows(StoredRows(store.views, "s1", "g"))
        timed = SimpleNamespace(read=routing_facts.read)
        timed.needed = _timed(spent, "needed", routing_facts.needed)
        timed.fold = _timed(spent, "fold", routing_facts.fold)
        folding = Folding(WHERE, await rows.board(WHERE), _Saving(rows, spent), timed, _never, _never)
        for batch in batches:
            await _awaited(spent, "whole", folding.take(batch))
    finally:
        await store.close()
    _timed(spent, "parse", _parsed)(facts)
    return {step: 1e6 * seconds / len(facts) for step, seconds in spent.items()}


def _parsed(facts: Iterable[Fact]) -> None:
    for fact in facts:
        RoutingEvent.FromString(fact.value)


def _timed(spent: dict[str, float], step: str, work: Callable[..., Any]) -> Callable[..., Any]:
    def done(*given: Any) -> Any:
        began = time.process_time()
        try:
            return work(*given)
        finally:
            spent[step] += time.process_time() - began

    return done


async def _awaited(spent: dict[str, float], step: str, work: Awaitable[Any]) -> None:
    began = time.process_time()
    await work
    spent[step] += time.process_time() - began


class _Saving:
    """The rows, their saving timed."""

    def __init__(self, rows: QueueRows, spent: dict[str, float]) -> None:
        self._rows, self._spent = rows, spent

    def __getattr__(self, name: str) -> Any:
        return getattr(self._rows, name)

    async def save(self, *given: Any) -> None:
        await _awaited(self._spent, "save", self._rows.save(*given))
