"""A log of facts as a scene or a day on paper leaves it, to be asked like a stored one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

from routing.app.history import History
from routing.app.ports import QueueRow
from routing.app.why import Why
from routing.domain.events import Event, QueueDefined
from routing.domain.replay import Recorded
from switchlog.envelope import Row, StreamId

POOL = StreamId("t1", "pool-p1")


@dataclass
class Listed:
    """The log as an event store, and the codec, days, pools, queues and notes that go with it."""

    log: Sequence[Recorded]
    pool: StreamId = POOL

    async def read(self, stream: StreamId, after: int = 0, limit: int | None = None) -> list[Row]:
        end = len(self.log) if limit is None else after + limit
        return [self._row(version) for version in range(after + 1, min(end, len(self.log)) + 1)]

    async def head(self, stream: StreamId) -> int:
        return len(self.log)

    def _row(self, version: int) -> Row:
        event, at = self.log[version - 1]
        return Row(version, "", "", "", "", "", type(event).__name__, f"{version}|{event!r}".encode(), (), at)

    def parse(self, value: bytes) -> Any:
        return int(value.partition(b"|")[0])

    def read_event(self, version: int) -> Event:
        return self.log[version - 1][0]

    async def of(self, pool: StreamId) -> list[tuple[str, int]]:
        return []

    async def all(self) -> list[StreamId]:
        return [self.pool]

    async def get(self, group: str, name: str) -> Any:
        """What is noted as seen: nothing; or a queue's row."""
        if group != self.pool.tenant:
            return 0
        known = any(isinstance(event, QueueDefined) and event.queue.id == name for event, _ in self.log)
        return QueueRow(name, self.pool.name.removeprefix("pool-"), 1, b"") if known else None


class _Codec:
    def __init__(self, listed: Listed) -> None:
        self.parse, self.read = listed.parse, listed.read_event


def history_of(log: Sequence[Recorded], pool: StreamId = POOL, **options: Any) -> History:
    listed = Listed(log, pool)
    return History(listed, listed, listed, listed, _Codec(listed), **options)  # type: ignore[arg-type]


def why_about(log: Sequence[Recorded]) -> Why:
    return Why(history_of(log), Listed(log))  # type: ignore[arg-type]


async def facts(history: History, pool: StreamId, kind: type) -> AsyncIterator[Any]:
    """All facts of one kind."""
    async for turn in history.turns(pool, 0):
        for event in turn.events:
            if isinstance(event, kind):
                yield event
