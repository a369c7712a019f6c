"""How far a partition is read: versions by source stream, memory before the durable, and committable offsets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from switchlog.store import ViewStore


class Seen(Protocol):
    """Where versions are durable: ``store.seen``, or ``RowVersions`` for a view that advances with every version."""

    async def get_many(self, group: str, sources: Sequence[str]) -> dict[str, int]: ...

    async def put_many(self, group: str, versions: dict[str, int]) -> None: ...


class RowVersions:
    """The version of a view's row is how far its stream is read (kernel rules 15, 17): the handler writes it, not we.

    The view has one row a stream, in partition ``tenant`` under key ``stream``, and writes it for every version.
    """

    def __init__(self, views: ViewStore, view: str) -> None:
        self._views, self._view = views, view

    async def get_many(self, group: str, sources: Sequence[str]) -> dict[str, int]:
        return {source: await self._version(source) for source in sources}

    async def put_many(self, group: str, versions: dict[str, int]) -> None:
        """Nothing: the row is the progress."""

    async def _version(self, source: str) -> int:
        tenant, _, name = source.partition("/")
        row = await self._views.get(self._view, tenant, name)
        return row.version if row else 0


class SeenVersions:
    """The highest version handled of each source stream of one partition, whose owner is the only writer.

    ``load`` before ``[]``: what is not in memory is read from the durable store, many at once.
    """

    def __init__(self, seen: Seen, group: str, limit: int = 20_000) -> None:
        self._seen, self._group, self._limit = seen, group, limit
        self.memory: dict[str, int] = {}
        self.dirty: dict[str, int] = {}

    async def load(self, keys: Iterable[str]) -> None:
        """Have ``keys`` in memory."""
        self._trim()
        missing = list({key for key in keys if key not in self.memory})
        if missing:
            found = await self._seen.get_many(self._group, missing)
            for key in missing:
                self.memory.setdefault(key, found.get(key, 0))

    def __getitem__(self, key: str) -> int:
        return self.memory[key]

    def advance(self, key: str, version: int) -> None:
        """``version`` of ``key`` has had its effect."""
        self.memory[key] = self.dirty[key] = version

    def advance_all(self, versions: Mapping[str, int]) -> None:
        self.memory.update(versions)
        self.dirty.update(versions)

    async def write(self, key: str) -> None:
        """Make the progress of ``key`` durable now."""
        await self._seen.put_many(self._group, {key: self.memory[key]})

    def take(self) -> dict[str, int]:
        """What is not durable yet; ``give_back`` it when it could not be written."""
        taken, self.dirty = self.dirty, {}
        return taken

    def give_back(self, versions: Mapping[str, int]) -> None:
        self.dirty = {**versions, **self.dirty}

    def _trim(self) -> None:
        # the older half, but never what only memory knows
        if len(self.memory) > self._limit:
            for key in list(self.memory)[: self._limit // 2]:
                if key not in self.dirty:
                    del self.memory[key]


class Offsets:
    """Which offset of a partition may be committed: everything below it has had its effect or stands laid aside."""

    def __init__(self) -> None:
        self._open: dict[int, None] = {}
        self._position: int | None = None
        self._saved: int | None = None

    def __len__(self) -> int:
        return len(self._open)

    def begin(self, offset: int) -> None:
        """A record is being handled; offsets begin in order."""
        self._open[offset] = None
        self._position = offset + 1
        if self._saved is None:
            self._saved = offset  # where the partition was taken up: nothing to tell the broker yet

    def done(self, offset: int) -> None:
        """Its effect stands; records may be done in any order."""
        self._open.pop(offset, None)

    def passed(self, offset: int) -> None:
        """Everything up to ``offset`` is done, save what has begun and is not done."""
        self._position = offset + 1

    @property
    def unsaved(self) -> int | None:
        """The next offset to read after a restart; ``None`` when already committed so."""
        lowest = next(iter(self._open), self._position)
        return None if lowest == self._saved else lowest

    def saved(self, offset: int) -> None:
        self._saved = offset
