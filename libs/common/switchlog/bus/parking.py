"""A failing stream is parked: its records are kept durably, in order, until somebody asks to try them again."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from typing import Literal, NamedTuple

import msgspec

from switchlog.bus.record import Kept, Received, as_raw
from switchlog.store import ViewRow, ViewStore

STREAMS = "parked"
RECORDS = "parked-records"

_PAGE = 100


class Parked(NamedTuple):
    """A parked stream: why, since when (epoch milliseconds), from where; ``retry`` when asked to try again.

    A released stream stays as ``free``, so that its row's version goes on counting.
    """

    stream: str
    state: Literal["parked", "retry", "free"]
    reason: str
    detail: str
    topic: str
    partition: int
    at: int


class Parking:
    """The parked streams of one group, in a view store that all its members share."""

    def __init__(self, views: ViewStore, group: str) -> None:
        self._views, self._group = views, group
        self.streams: dict[str, Parked] = {}

    async def load(self) -> None:
        """Know what is parked now; other members may have parked it. Only while no partition is ours."""
        self.streams = {parked.stream: parked async for parked in _scan(self._views, self._group)}

    async def wanted(self) -> list[str]:
        """The known streams that somebody asked to try again since the last look; a request is answered once."""
        asked = [key for key in list(self.streams) if await self._asked(key)]
        for key in asked:
            await self.still(key, self.streams[key].reason, self.streams[key].detail)
        return asked

    async def _asked(self, key: str) -> bool:
        row = await self._views.get(STREAMS, self._group, key)
        return row is not None and _parked(row).state == "retry"

    def covers(self, key: str) -> bool:
        return key in self.streams

    async def open(self, received: Received, reason: str, detail: str) -> None:
        """Park the stream of ``received``, whose records from it on are about to be kept."""
        parked = Parked(
            received.key, "parked", reason, detail[:300], received.topic, received.partition, _now()
        )  # fmt: skip
        await _put(self._views, self._group, parked)
        self.streams[received.key] = parked

    async def keep(self, batch: Sequence[Received]) -> None:
        """Lay ``batch`` aside, each record behind the earlier ones of its stream; durable when this returns."""
        await self._views.put_many(RECORDS, [self._row(received) for received in batch])

    def _row(self, received: Received) -> tuple[str, str, bytes, int]:
        value = msgspec.msgpack.encode(as_raw(received))
        return self._records(received.key), _ordinal(received.version), value, received.version

    async def kept(self, key: str) -> list[tuple[int, Kept]]:
        """The first records laid aside, by version."""
        rows = await self._views.scan(RECORDS, self._records(key), limit=_PAGE)
        return [(int(row.key), msgspec.msgpack.decode(row.value, type=Kept)) for row in rows]

    async def forget(self, key: str, version: int) -> None:
        """The record has had its effect, durably."""
        await self._views.delete(RECORDS, self._records(key), _ordinal(version), version)

    async def still(self, key: str, reason: str, detail: str) -> None:
        """The retry failed as well."""
        parked = self.streams[key]._replace(state="parked", reason=reason, detail=detail[:300], at=_now())
        await _put(self._views, self._group, parked)
        self.streams[key] = parked

    async def release(self, key: str) -> None:
        """Nothing is laid aside any more: the stream flows again."""
        await _put(self._views, self._group, self.streams[key]._replace(state="free", at=_now()))
        self.streams.pop(key, None)

    def _records(self, key: str) -> str:
        return f"{self._group}|{key}"


async def parked_streams(views: ViewStore, group: str) -> list[Parked]:
    """What ``group`` has parked."""
    return [parked async for parked in _scan(views, group)]


async def unpark(views: ViewStore, group: str, stream: str) -> bool:
    """Ask the running consumer to try ``stream`` (``<tenant>/<stream>``) again; False when it is not parked."""
    row = await views.get(STREAMS, group, stream)
    if row is None or _parked(row).state == "free":
        return False
    await _put(views, group, _parked(row)._replace(state="retry"))
    return True


async def _scan(views: ViewStore, group: str) -> AsyncIterator[Parked]:
    after = ""
    while rows := await views.scan(STREAMS, group, after, limit=1000):
        for row in rows:
            if (parked := _parked(row)).state != "free":
                yield parked
        after = rows[-1].key


async def _put(views: ViewStore, group: str, parked: Parked) -> None:
    row = await views.get(STREAMS, group, parked.stream)
    version = row.version + 1 if row else 1
    await views.put(STREAMS, group, parked.stream, msgspec.json.encode(parked), version)


def _parked(row: ViewRow) -> Parked:
    return msgspec.json.decode(row.value, type=Parked)


def _ordinal(version: int) -> str:
    return f"{version:020d}"


def _now() -> int:
    return int(time.time() * 1000)
