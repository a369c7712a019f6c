"""Views, seen versions, effects and subject keys in Cassandra."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from itertools import groupby
from zlib import crc32

from switchlog.errors import NotFound
from switchlog.store import ViewRow
from switchlog.store.cassandra.session import SERIAL, Operation, Session

SHARDS = 4
BATCH_ROWS = 100
BATCH_BYTES = 256 * 1024
SEEN_A_BATCH = 10


class CassandraViews:
    """Read models (see ``ViewStore``); the version is the timestamp, so an older write never wins (kernel rule 17)."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def put(self, view: str, partition: str, key: str, value: bytes, version: int) -> None:
        await self._session.write("put_view", view, partition, key, version, value, version)

    async def put_many(self, view: str, rows: Sequence[tuple[str, str, bytes, int]]) -> None:
        await asyncio.gather(*(self._session.write_all(batch) for batch in _batches(view, rows)))

    async def get(self, view: str, partition: str, key: str) -> ViewRow | None:
        found = await self._session.read("get_view", view, partition, key)
        return ViewRow(*found[0]) if found else None

    async def scan(self, view: str, partition: str, after: str = "", limit: int = 1000) -> list[ViewRow]:
        return [ViewRow(*row) for row in await self._session.read("scan_view", view, partition, after, limit)]

    async def delete(self, view: str, partition: str, key: str, version: int) -> None:
        # a plain delete would carry the time of day and bury every later write
        await self._session.write("delete_view", version, view, partition, key)


def _batches(view: str, rows: Sequence[tuple[str, str, bytes, int]]) -> Iterator[list[Operation]]:
    """Batches of one partition each, of bounded size."""
    for _, group in groupby(sorted(rows, key=lambda row: row[0]), key=lambda row: row[0]):
        batch: list[Operation] = []
        size = 0
        for partition, key, value, version in group:
            batch.append(("put_view", (view, partition, key, version, value, version)))
            size += len(value)
            if len(batch) == BATCH_ROWS or size >= BATCH_BYTES:
                yield batch
                batch, size = [], 0
        if batch:
            yield batch


class CassandraSeen:
    """How far each group has read (see ``SeenStore``); rows live 40 days."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def get(self, group: str, source: str) -> int:
        found = await self._session.read("get_seen", group, source)
        return int(found[0][0]) if found else 0

    async def get_many(self, group: str, sources: Sequence[str]) -> dict[str, int]:
        versions = await asyncio.gather(*(self.get(group, source) for source in sources))
        return {source: version for source, version in zip(sources, versions, strict=True) if version}

    async def put(self, group: str, source: str, version: int) -> None:
        await self.put_many(group, {source: version})

    async def put_many(self, group: str, versions: dict[str, int]) -> None:
        rows: list[Operation] = [("put_seen", (group, source, v, v)) for source, v in versions.items()]
        pieces = [rows[i : i + SEEN_A_BATCH] for i in range(0, len(rows), SEEN_A_BATCH)]
        await asyncio.gather(*(self._session.write_all(piece) for piece in pieces))


class CassandraEffects:
    """Claimed calls to the outside (see ``EffectStore``); all writes of a row are conditional, none is plain."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def claim(self, effect_id: str, request: bytes) -> bool:
        # listed first: a crash after the claim must leave something to ask the provider about
        await self._session.write("open_effect", _shard(effect_id), effect_id, request)
        answer = await self._session.condition("claim_effect", effect_id, request)
        if not answer["[applied]"] and answer["result"] is not None:
            await self._session.write("close_effect", _shard(effect_id), effect_id)
        return bool(answer["[applied]"])

    async def finish(self, effect_id: str, result: bytes) -> None:
        await self._session.condition("finish_effect", result, effect_id)
        await self._session.write("close_effect", _shard(effect_id), effect_id)

    async def result(self, effect_id: str) -> bytes | None:
        found = await self._session.read("read_effect", effect_id, profile=SERIAL)
        return found[0][1] if found else None

    async def unfinished(self, limit: int = 100) -> list[tuple[str, bytes]]:
        reads = (self._session.read("read_open_effects", shard, limit) for shard in range(SHARDS))
        names = [name for rows in await asyncio.gather(*reads) for (name,) in rows]
        effects = await asyncio.gather(*(self._session.read("read_effect", n, profile=SERIAL) for n in names))
        claimed = [(name, rows[0][0]) for name, rows in zip(names, effects, strict=True) if rows and rows[0][1] is None]
        return claimed[:limit]


def _shard(text: str) -> int:
    return crc32(text.encode()) % SHARDS


class CassandraKeys:
    """Wrapped subject keys (see ``KeyStore``).

    What an erased key overwrote leaves the disk with the next compaction of ``subject_keys``: operators force one
    (``nodetool compact <keyspace> subject_keys``) within the time they promise.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    async def create(self, tenant: str, subject: str, wrapped: bytes) -> bytes | None:
        answer = await self._session.condition("create_key", tenant, subject, wrapped)
        if answer["[applied]"]:
            return wrapped
        return None if answer["erased"] else answer["wrapped"]

    async def get(self, tenant: str, subject: str) -> bytes | None:
        found = await self._session.read("read_key", tenant, subject)
        if found and found[0][1]:
            raise NotFound("ERASED")
        return found[0][0] if found else None

    async def erase(self, tenant: str, subject: str) -> None:
        await self._session.condition("erase_key", tenant, subject)
