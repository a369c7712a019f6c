"""Rows as they stood before: what a write replaces is kept by quarter hours, and a view of any of these is made of it.

``before`` <period>/<shard> | <view> <partition> <key> : the row as the period found it (``Image``)
``before_since`` <group>    | since                    : the first period from whose begin on nothing is missing

A row at the begin of a period is its first image of that period or a later one, else as it stands. Rows are stored one
after the other, so such a view may be torn like the store after a crash: folding goes on all the same (rule 27).
"""

from __future__ import annotations

import asyncio
import zlib
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from switchlog.clock import Clock
from switchlog.store import ViewRow, ViewStore

PERIOD_MS = 900_000
PERIODS_A_DAY = 96
SKEW_MS = 60_000
"""Whoever recorded a fact may be so far ahead of whoever folded it."""
SHARDS = 4
PAGE = 1000
AT_ONCE = 64
"""So many rows are read at the same time."""
LARGE = 300
"""Images of so many bytes are compressed."""
NEVER = 1 << 40
FIRST = 1 << 50
"""Versions of images fall with time, so that the first of a period stays."""
LATE = 2
"""So many periods, this one included, may still get images."""
ZLIB = b"\x78"
SEP = "\x1f"

Place = tuple[str, str, str]
"""(view, partition, key)."""
Put = tuple[str, str, bytes, int]


class Image(NamedTuple):
    """A row's value and version; no value where there was no row."""

    value: bytes | None
    version: int


NOTHING = Image(None, 0)
_to_bytes = msgspec.msgpack.Encoder().encode
_from_bytes = msgspec.msgpack.Decoder(Image).decode


@dataclass(frozen=True, slots=True)
class Befores:
    """Where images are kept: those of the rows named ``state``."""

    views: ViewStore
    state: str

    async def since(self) -> int:
        """The first period that can be gone back to."""
        found = await self.views.get(f"{self.state}_before_since", self.state, "since")
        return NEVER if found is None else int(found.value)

    async def begin(self, period: int, now: int) -> None:
        await self.views.put(f"{self.state}_before_since", self.state, "since", b"%d" % period, now)

    async def end(self, now: int) -> None:
        """Rows are written without images from now on."""
        if await self.since() != NEVER:
            await self.begin(NEVER, now)

    async def keep(self, period: int, images: Mapping[Place, Image], now: int) -> None:
        rows = [
            (_shard(period, place), SEP.join(place), _encode(image), FIRST - now) for place, image in images.items()
        ]
        if rows:
            await self.views.put_many(f"{self.state}_before", rows)

    async def of(self, period: int) -> dict[Place, Image]:
        found: dict[Place, Image] = {}
        for shard in range(SHARDS):
            for row in await self._rows(f"{period}/{shard}"):
                view, partition, key = row.key.split(SEP)
                found[view, partition, key] = _decode(row.value)
        return found

    async def one(self, period: int, place: Place) -> Image | None:
        found = await self.views.get(f"{self.state}_before", _shard(period, place), SEP.join(place))
        return None if found is None else _decode(found.value)

    async def forget(self, period: int) -> None:
        for shard in range(SHARDS):
            for row in await self._rows(f"{period}/{shard}"):
                await self.views.delete(f"{self.state}_before", f"{period}/{shard}", row.key, row.version)

    async def _rows(self, partition: str) -> list[ViewRow]:
        found: list[ViewRow] = []
        while page := await self.views.scan(f"{self.state}_before", partition, found[-1].key if found else "", PAGE):
            found += page
        return found


@dataclass
class KeepingViews:
    """Views whose writes keep what they replace, for ``days``; all writers of these rows must be such."""

    views: ViewStore
    befores: Befores
    clock: Clock
    days: int
    period: int = -1
    since: int = NEVER
    kept: set[Place] = field(default_factory=set)

    async def put(self, view: str, partition: str, key: str, value: bytes, version: int) -> None:
        await self.put_many(view, [(partition, key, value, version)])

    async def put_many(self, view: str, rows: Sequence[Put]) -> None:
        if not view.endswith("_fresh"):
            await self._keep([(view, partition, key) for partition, key, _, _ in rows])
        await self.views.put_many(view, rows)

    async def get(self, view: str, partition: str, key: str) -> ViewRow | None:
        return await self.views.get(view, partition, key)

    async def scan(self, view: str, partition: str, after: str = "", limit: int = 1000) -> list[ViewRow]:
        return await self.views.scan(view, partition, after, limit)

    async def delete(self, view: str, partition: str, key: str, version: int) -> None:
        await self._keep([(view, partition, key)])
        await self.views.delete(view, partition, key, version)

    async def _keep(self, places: Sequence[Place]) -> None:
        now = self.clock.now()
        period = now // PERIOD_MS
        if period != self.period:
            await self._enter(period)
        if period < self.since:
            return  # nobody can go back to it
        new = [place for place in dict.fromkeys(places) if place not in self.kept]
        for n in range(0, len(new), AT_ONCE):
            some = new[n : n + AT_ONCE]
            found = await asyncio.gather(*(self.views.get(*place) for place in some))
            await self.befores.keep(period, dict(zip(some, map(_image, found), strict=True)), now)
        if period == self.period:
            self.kept.update(new)

    async def _enter(self, period: int) -> None:
        """A period begins, or we do: what is older than ``days`` goes."""
        since, oldest = await self.befores.since(), period - self.days * PERIODS_A_DAY
        if since == NEVER:
            await self.befores.begin(period + 1, self.clock.now())  # of this one we have not seen the begin
        elif since < oldest:
            await self.befores.begin(oldest, self.clock.now())
            for old in range(since, oldest):
                await self.befores.forget(old)
        self.period, self.since, self.kept = period, await self.befores.since(), set()


@dataclass
class ViewsThen:
    """Views as they stood when ``period`` began; what is written stays in memory. ``hidden`` ones were empty."""

    views: ViewStore
    befores: Befores
    clock: Clock
    period: int
    hidden: frozenset[str]
    images: dict[Place, Image] = field(default_factory=dict)
    written: dict[Place, Image] = field(default_factory=dict)
    keys: dict[tuple[str, str], set[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.next = self.period

    async def put(self, view: str, partition: str, key: str, value: bytes, version: int) -> None:
        await self.put_many(view, [(partition, key, value, version)])

    async def put_many(self, view: str, rows: Sequence[Put]) -> None:
        for partition, key, value, version in rows:
            found = await self.get(view, partition, key)
            if found is None or found.version < version:
                self.written[view, partition, key] = Image(value, version)
                self.keys.setdefault((view, partition), set()).add(key)

    async def get(self, view: str, partition: str, key: str) -> ViewRow | None:
        place = (view, partition, key)
        if (image := self.written.get(place)) is None and view not in self.hidden:
            image = await self._before(place, _image(await self.views.get(*place)))
        return None if image is None or image.value is None else ViewRow(key, image.value, image.version)

    async def scan(self, view: str, partition: str, after: str = "", limit: int = 1000) -> list[ViewRow]:
        base: list[ViewRow] = []
        found: dict[str, ViewRow] = {}
        while view not in self.hidden:
            page = await self.views.scan(view, partition, base[-1].key if base else after, limit)
            images = await self._all()
            base += page
            for row in page:
                then = images.get((view, partition, row.key), _image(row))
                if then.value is not None:
                    found[row.key] = ViewRow(row.key, then.value, then.version)
            if len(page) < limit or len(found) >= limit:
                break
        end = base[-1].key if base and len(found) >= limit else "\U0010ffff"
        for key in self._written_after(view, partition, after):
            image = self.written[view, partition, key]
            if key <= end and image.value is not None:
                found[key] = ViewRow(key, image.value, image.version)
        return [found[key] for key in sorted(found)][:limit]

    async def delete(self, view: str, partition: str, key: str, version: int) -> None:
        self.written[view, partition, key] = Image(None, version)

    def _written_after(self, view: str, partition: str, after: str) -> list[str]:
        keys = sorted(self.keys.get((view, partition), ()))
        return keys[bisect_right(keys, after) :]

    # --- images, always looked for after a row as it stands was read: whoever writes keeps them first -----------------

    async def _before(self, place: Place, standing: Image) -> Image:
        late = await self._settled()
        if place in self.images:
            return self.images[place]
        for period in late:
            if (image := await self.befores.one(period, place)) is not None:
                return image
        return standing

    async def _all(self) -> dict[Place, Image]:
        found: dict[Place, Image] = {}
        for period in reversed(await self._settled()):
            found |= await self.befores.of(period)
        return found | self.images

    async def _settled(self) -> range:
        """Read the periods that get no more images; those that may."""
        now = self.clock.now() // PERIOD_MS
        for period in range(self.next, now + 1 - LATE):
            self.images = {**await self.befores.of(period), **self.images}
            self.next = period + 1
        return range(self.next, now + 1)


async def views_then(views: ViewStore, state: str, clock: Clock, at: int) -> ViewStore | None:
    """Views that hold nothing that was recorded after ``at``; ``None`` where that cannot be gone back to."""
    period, befores = (at - SKEW_MS) // PERIOD_MS, Befores(views, state)
    if period < await befores.since() or period > clock.now() // PERIOD_MS:
        return None
    return ViewsThen(views, befores, clock, period, frozenset({f"{state}_fresh"}))


def _encode(image: Image) -> bytes:
    plain = _to_bytes(image)
    return plain if len(plain) < LARGE else zlib.compress(plain, 1)


def _decode(stored: bytes) -> Image:
    """Compressed bytes begin as no encoded image does."""
    return _from_bytes(zlib.decompress(stored) if stored[:1] == ZLIB else stored)


def _image(row: ViewRow | None) -> Image:
    return NOTHING if row is None else Image(row.value, row.version)


def _shard(period: int, place: Place) -> str:
    return f"{period}/{zlib.crc32(SEP.join(place).encode()) % SHARDS}"
