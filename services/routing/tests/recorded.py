"""Recorded histories put into a store, as if the service had written them."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import cache
from pathlib import Path

from google.protobuf import json_format

from contactcenter.routing.v1.events_pb2 import RoutingEvent
from routing import wire, wiring
from routing.app.why import Why
from routing.domain.events import Observed, PoolOpened, QueueDefined
from routing.projections.days import Days
from routing.projections.pools import Pools
from routing.projections.queues import Queues
from switchlog.envelope import Row, StreamId
from switchlog.store import Store
from switchlog.store.memory import MemoryStore

from .plain import Plain

HISTORIES = Path(__file__).parent / "histories"
DEMO = HISTORIES / "minutes-of-a-demo.jsonl.gz"
QUARTER = HISTORIES / "a-busy-quarter.jsonl"
POOL = StreamId("demo", "pool-front")
DATE = "2026-11-25"
RULES = HISTORIES / "a-day-of-rules.jsonl.gz"


def messages(file: Path) -> list[RoutingEvent]:
    """Fresh copies, to be altered at will."""
    return [RoutingEvent.FromString(value) for value in _values(file)]


@cache
def _values(file: Path) -> list[bytes]:
    text = gzip.decompress(file.read_bytes()).decode() if file.suffix == ".gz" else file.read_text()
    return [json_format.Parse(line, RoutingEvent()).SerializeToString() for line in text.splitlines()]


def row(message: RoutingEvent) -> Row:
    """The stored row of a recorded fact; who caused it is not known of it."""
    kind = getattr(message, message.WhichOneof("fact") or "").DESCRIPTOR.full_name
    value, at = message.SerializeToString(deterministic=True), message.meta.recorded_at.ToMilliseconds()
    return Row(message.meta.version, message.meta.event_id, "", "", "", "", kind, value, (), at)


async def keep(store: Store, history: Iterable[RoutingEvent]) -> StreamId:
    """Append ``history`` and write the views that the service would have; answers its pool."""
    rows = [row(message) for message in history]
    meta = RoutingEvent.FromString(rows[0].value).meta
    pool = StreamId(meta.tenant_id, meta.stream)
    for n in range(0, len(rows), 500):
        part = [replace(one, batch_id=f"batch-{n}") for one in rows[n : n + 500]]
        await store.events.append(pool, n, f"batch-{n}", part)
    await Pools(store.views).put(pool)
    await _views(store, pool, rows)
    return pool


async def _views(store: Store, pool: StreamId, rows: Iterable[Row]) -> None:
    seen: dict[str, int] = {}
    for one in rows:
        event = wire.CODEC.read(wire.CODEC.parse(one.value))
        if isinstance(event, PoolOpened):
            await Days(store.views).put(pool, event.date, one.version - event.pieces - 1)
        elif isinstance(event, QueueDefined):
            await Queues(store.views).fold(pool, one.version, event)
        elif isinstance(event, Observed):
            seen[event.source] = event.version
    await store.seen.put_many(pool.key, seen)


async def why_of(file: Path = DEMO, alter: Callable[[RoutingEvent], object] = lambda message: None) -> Why:
    """Questions to a store in memory that holds the history in ``file``, each fact of it after ``alter``."""
    history = messages(file)
    for message in history:
        alter(message)
    store = MemoryStore()
    await keep(store, history)
    return wiring.looking_back_at(store)


async def rules() -> Why:
    """Questions to the history of every rule, with the engine of expressions by which it was decided."""
    why = await why_of(RULES)
    return replace(why, history=replace(why.history, expressions=Plain()))
