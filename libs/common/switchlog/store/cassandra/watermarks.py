"""How far each stream is published: a max register by timestamp, one request a tick (kernel rules 11 and 13)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from switchlog.envelope import StreamId
from switchlog.store.cassandra.session import Operation, Session
from switchlog.store.cassandra.ticks import Ticks

ROWS_A_BATCH = 10


class Watermarks:
    """``version`` is written USING TIMESTAMP version, so it only rises; ``lowered`` overrides it until it is passed."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._ticks: Ticks[tuple[StreamId, int]] = Ticks(self._flush)
        self._lowered: dict[StreamId, int] = {}

    async def get(self, stream: StreamId) -> int:
        rows = await self._session.read("read_watermark", stream.tenant, stream.name)
        version, lowered = rows[0] if rows else (0, None)
        if lowered is None:
            self._lowered.pop(stream, None)
            return version or 0
        self._lowered[stream] = version or 0
        return int(lowered)

    async def rise(self, stream: StreamId, version: int) -> None:
        await self._ticks.post((stream, version))
        if stream in self._lowered:
            await self._rise_again(stream, version)

    async def lower(self, stream: StreamId, version: int) -> None:
        if version < await self.get(stream):
            await self._session.write("lower_watermark", version, stream.tenant, stream.name)
            await self.get(stream)

    async def close(self) -> None:
        await self._ticks.close()

    async def _rise_again(self, stream: StreamId, version: int) -> None:
        """The register stands above; the second passage is kept beside it until it is there as well."""
        if version < self._lowered[stream]:
            await self._session.write("lower_watermark", version, stream.tenant, stream.name)
        else:
            await self._session.write("forget_lowered", stream.tenant, stream.name)
            self._lowered.pop(stream, None)

    async def _flush(self, risen: Sequence[tuple[StreamId, int]]) -> None:
        highest: dict[StreamId, int] = {}
        for stream, version in risen:
            highest[stream] = max(version, highest.get(stream, 0))
        operations: list[Operation] = [
            ("raise_watermark", (stream.tenant, stream.name, version, version)) for stream, version in highest.items()
        ]
        pieces = [operations[i : i + ROWS_A_BATCH] for i in range(0, len(operations), ROWS_A_BATCH)]
        await asyncio.gather(*(self._session.write_all(piece) for piece in pieces))
