"""Every promise against the real store and topics: what is lost, doubled, missing, out of order, contradicted."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from switchlog.bus import clients
from switchlog.envelope import Row, StreamId
from switchlog.store import Store

from .clients import Clients, Question
from .rules import Counted, Event, SeatLeft, SeatTaken, codec
from .victim import TENANT, VIEW, World


@dataclass
class Found:
    """What is wrong, by kind: a promise is kept where the list is empty; ``repeats`` on a topic are no wrong."""

    lost: list[str] = field(default_factory=list)
    duplicates: list[str] = field(default_factory=list)
    holes: list[str] = field(default_factory=list)
    contradictions: list[str] = field(default_factory=list)
    events: int = 0
    repeats: int = 0

    def all(self) -> list[str]:
        return [*self.lost, *self.duplicates, *self.holes, *self.contradictions]


class Topics:
    """Reads both topics from the beginning and keeps what stands there by stream."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.records: dict[str, list[Any]] = defaultdict(list)
        self._client: Any = None

    async def open(self) -> None:
        self._client = clients.consumer(self._world.bootstrap, None, [self._world.counts, self._world.mirrors])
        await self._client.start()

    async def read(self) -> None:
        """Take what is new."""
        for records in (await self._client.getmany(timeout_ms=50)).values():
            for record in records:
                self.records[record.key.decode()].append(record)

    async def close(self) -> None:
        await self._client.stop()

    def of(self, stream: str) -> list[Any]:
        return self.records[f"{TENANT}/{stream}"]

    def reaches(self, stream: str, head: int) -> bool:
        return any(version_of(record) == head for record in self.of(stream))


def version_of(record: Any) -> int:
    return int(dict(record.headers)["ce_streamversion"])


def mirror_of(stream: str) -> str:
    return stream.replace("count", "mirror", 1)


async def log_of(store: Store, stream: str) -> list[Row]:
    return await store.events.read(StreamId(TENANT, stream))


async def quiet(store: Store, topics: Topics, streams: Sequence[str], within_s: float) -> str:
    """Wait until all is published and reacted to; what is missing when nothing moves for so long, or nothing."""
    clock, before = asyncio.get_running_loop().time, ""
    end = clock() + within_s
    while clock() < end:
        await topics.read()
        missing = await _missing(store, topics, streams)
        if not missing:
            return ""
        if missing != before:
            before, end = missing, clock() + within_s
    return before


async def _missing(store: Store, topics: Topics, streams: Sequence[str]) -> str:
    for stream in streams:
        head, mirrored, seen = await asyncio.gather(
            store.events.head(StreamId(TENANT, stream)),
            store.events.head(StreamId(TENANT, mirror_of(stream))),
            store.views.get(VIEW, TENANT, stream),
        )
        if head and not topics.reaches(stream, head):
            return f"{stream} v{head} is not on its topic"
        if mirrored != head:
            return f"{mirrored} of {head} events of {stream} have been reacted to"
        if mirrored and not topics.reaches(mirror_of(stream), mirrored):
            return f"{mirror_of(stream)} v{mirrored} is not on its topic"
        if head and (seen is None or seen.version != head):
            return f"the view of {stream} is not at {head}"
    return ""


async def check(world: World, store: Store, topics: Topics, round_of: Clients, quiet_within_s: float = 20.0) -> Found:
    """Of one round, after it has come to rest."""
    found = Found(contradictions=list(round_of.book.contradictions))
    streams = [*round_of.streams, f"count-{round_of.name}-seat"]
    if missing := await quiet(store, topics, streams, quiet_within_s):
        found.lost.append(f"never finished: {missing}")
    for stream in streams:
        rows, mirrored = await log_of(store, stream), await log_of(store, mirror_of(stream))
        events = codec(world.counts).events(rows)
        _acknowledged(found, stream, rows, events, round_of.book.versions)
        _once(found, stream, events)
        _reacted(found, stream, events, codec(world.mirrors).events(mirrored))
        _view(found, stream, rows, await store.views.get(VIEW, TENANT, stream))
        for name, stored in ((stream, rows), (mirror_of(stream), mirrored)):
            _log(found, name, stored)
            _published(found, name, stored, topics.of(name))
            found.events += len(stored)
            found.repeats += len(topics.of(name)) - len({version_of(record) for record in topics.of(name)})
    _seat(found, codec(world.counts).events(await log_of(store, streams[-1])))
    return found


def _acknowledged(
    found: Found, stream: str, rows: Sequence[Row], events: Sequence[Event], versions: dict[Question, int]
) -> None:
    """Each acknowledged command stands at the version that was answered."""
    for question, version in versions.items():
        if question.stream != stream or question.do == "leave":
            continue
        event = events[version - 1] if version <= len(events) else None
        if event is None or event.by != question.by:
            found.lost.append(f"{question.key} was answered {stream} v{version}, there stands {event}")


def _once(found: Found, stream: str, events: Sequence[Event]) -> None:
    """No command has two effects: a client's word occurs once."""
    found.duplicates += [f"{stream}: {event} {n} times" for event, n in Counter(events).items() if n > 1]


def _reacted(found: Found, stream: str, events: Sequence[Event], mirrored: Sequence[Event]) -> None:
    """One reaction to each event, in order."""
    wanted = [f"{version}:{event.by}" for version, event in enumerate(events, 1)]
    got = [event.by for event in mirrored]
    found.duplicates += [f"{stream}: reacted {n} times to {by}" for by, n in Counter(got).items() if n > 1]
    found.lost += [f"{stream}: no reaction to {by}" for by in set(wanted) - set(got)]
    if list(dict.fromkeys(got)) != [by for by in wanted if by in set(got)]:
        found.contradictions.append(f"{stream}: reactions out of order")


def _view(found: Found, stream: str, rows: Sequence[Row], row: Any) -> None:
    if rows and (row is None or int(row.value) != len(rows)):
        found.contradictions.append(f"the view of {stream} shows {row and row.value}, the stream has {len(rows)}")


def _log(found: Found, stream: str, rows: Sequence[Row]) -> None:
    """I1: versions without holes; P8: times that never fall back."""
    if [row.version for row in rows] != list(range(1, len(rows) + 1)):
        found.holes.append(f"{stream}: stored versions are not 1 to {len(rows)}")
    times = [row.recorded_at for row in rows]
    if times != sorted(times):
        found.contradictions.append(f"{stream}: recorded_at decreases")


def _published(found: Found, stream: str, rows: Sequence[Row], records: Sequence[Any]) -> None:
    """I5, P1, P2, P5: first occurrences are 1, 2, 3 ..., to the end, and every record is the stored bytes."""
    firsts = list(dict.fromkeys(version_of(record) for record in records))
    if firsts != list(range(1, len(firsts) + 1)):
        found.holes.append(f"{stream}: first occurrences are {_gap(firsts)}")
    if len(firsts) < len(rows):
        found.lost.append(f"{stream}: {len(firsts)} of {len(rows)} events are on the topic")
    stored = {row.version: (row.value, dict(row.headers)) for row in rows}
    for record in records:
        if stored.get(version_of(record)) != (record.value, dict(record.headers)):
            found.contradictions.append(f"{stream} v{version_of(record)}: other bytes on the topic than in the store")


def _gap(firsts: Sequence[int]) -> str:
    n = next(n for n, version in enumerate(firsts) if version != n + 1)
    return f"... {firsts[max(0, n - 2) : n + 3]} ... of {len(firsts)}"


def _seat(found: Found, events: Iterable[Event]) -> None:
    """Two processes that race never both win."""
    holder = ""
    for event in events:
        match event:
            case SeatTaken(by) if holder:
                found.contradictions.append(f"{by} took the seat that {holder} had")
            case SeatLeft(by) if holder != by:
                found.contradictions.append(f"{by} left the seat that {holder or 'nobody'} had")
            case Counted():
                found.contradictions.append("somebody counted on the seat")
        holder = event.by if isinstance(event, SeatTaken) else ""
