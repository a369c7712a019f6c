"""The event log in Cassandra: conditional batches into buckets of a stream (kernel, Cassandra)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from switchlog.envelope import MAX_BATCH_EVENTS, Row, StreamId
from switchlog.errors import NotNow, OutcomeUnknown, VersionConflict
from switchlog.store.cassandra.session import PLAIN, SCAN, SERIAL, Operation, Session
from switchlog.store.rows import from_columns, same_batch, to_columns

BUCKET_EVENTS = 5000
MAX_HINTS = 50_000


class Log:
    """One service's log. A batch goes whole to bucket ``expected // bucket_events``, so it may run over."""

    def __init__(self, session: Session, bucket_events: int = BUCKET_EVENTS) -> None:
        if bucket_events < MAX_BATCH_EVENTS:
            raise ValueError(f"a bucket of fewer than {MAX_BATCH_EVENTS} events could be run over by one batch")
        self._session, self._size = session, bucket_events
        self._hints: OrderedDict[StreamId, int] = OrderedDict()

    async def append(self, stream: StreamId, expected: int, rows: Sequence[Row], send_before: float) -> int:
        """As ``EventStore.append``; sent no later than ``send_before`` (monotonic seconds)."""
        bucket = expected // self._size
        answer = await self._send("move_head" if expected else "open_bucket", stream, expected, rows, send_before)
        absent = expected and not answer["[applied]"] and answer.get("head") is None
        if absent and await self._stands_at(stream, expected):
            answer = await self._send("open_bucket", stream, expected, rows, send_before)
            await self._tell(stream, bucket)  # opened, by this batch or by another just now
        if answer["[applied]"]:
            self._remember(stream, bucket)
            return expected + len(rows)
        return await self._repeated(stream, expected, rows, answer.get("head"))

    async def _send(
        self, how: str, stream: StreamId, expected: int, rows: Sequence[Row], send_before: float
    ) -> dict[str, object]:
        place = (stream.tenant, stream.name, expected // self._size)
        batch_id, head = rows[0].batch_id, expected + len(rows)
        condition = (batch_id,) if how == "open_bucket" else (expected, batch_id)
        operations: list[Operation] = [(how, (head, batch_id, *place, *condition))]
        operations += [("insert_row", (*place, *to_columns(row))) for row in rows]
        return await self._session.condition_all(operations, send_before)

    async def _stands_at(self, stream: StreamId, expected: int) -> bool:
        """Whether a bucket may be opened: all before it are closed and the head is where the batch begins."""
        return await self.head(stream) == expected

    async def _repeated(self, stream: StreamId, expected: int, rows: Sequence[Row], head: object) -> int:
        """The head this very batch gave, whoever appended since; raises ``VersionConflict`` when it is not there.

        A refusal that cannot be told from an own success of before is an unknown outcome, never a conflict.
        """
        try:
            first = await self.read_serial(stream, expected + 1)
            if first is not None and first.batch_id == rows[0].batch_id:
                standing = await self.read(stream, expected, len(rows))
                same_batch([row.event_id for row in standing], rows)
                return expected + len(rows)
            true_head = head if isinstance(head, int) and head < self._closing(expected) else await self.head(stream)
        except NotNow as error:
            raise OutcomeUnknown(detail=error.detail) from error
        raise VersionConflict(true_head)

    def _closing(self, expected: int) -> int:
        return (expected // self._size + 1) * self._size

    async def read(self, stream: StreamId, after: int, limit: int | None) -> list[Row]:
        rows: list[Row] = []
        bucket = max(0, after // self._size - 1)
        while limit is None or len(rows) < limit:
            rows += await self._read_bucket(stream, bucket, after, None if limit is None else limit - len(rows))
            last = rows[-1].version if rows else after
            if bucket >= last // self._size:  # still open, or the stream ends in the bucket before
                break
            bucket += 1
        return rows

    async def _read_bucket(self, stream: StreamId, bucket: int, after: int, limit: int | None) -> list[Row]:
        place = (stream.tenant, stream.name, bucket, after)
        if limit is None:
            found = await self._session.read("read_rows", *place)
        else:
            found = await self._session.read("read_some_rows", *place, limit)
        return [from_columns(row) for row in found]

    async def read_serial(self, stream: StreamId, version: int) -> Row | None:
        """A row stands in the bucket of its batch's ``expected``: that of its predecessor, or the one before."""
        return await self.read_row(stream, version, SERIAL)

    async def read_row(self, stream: StreamId, version: int, profile: str = PLAIN) -> Row | None:
        """The same, maybe without what is being written just now."""
        newest = (version - 1) // self._size
        for bucket in range(newest, max(0, newest - 1) - 1, -1):
            found = await self._session.read("read_row", stream.tenant, stream.name, bucket, version, profile=profile)
            if found:
                return from_columns(found[0])
        return None

    async def head(self, stream: StreamId) -> int:
        bucket, head = await self._first_look(stream), 0
        while (found := await self._bucket_head(stream, bucket)) is not None:
            self._remember(stream, bucket)
            head = found
            if head < (bucket + 1) * self._size:
                break
            bucket = head // self._size
        return head

    async def _bucket_head(self, stream: StreamId, bucket: int) -> int | None:
        found = await self._session.read("read_head", stream.tenant, stream.name, bucket, profile=SERIAL)
        return found[0][0] if found else None

    async def _first_look(self, stream: StreamId) -> int:
        """Where to begin looking for the head; it may lag, never lead."""
        if stream in self._hints:
            self._hints.move_to_end(stream)
            return self._hints[stream]
        found = await self._session.read("read_hint", stream.tenant, stream.name)
        return int(found[0][0]) if found else 0

    def _remember(self, stream: StreamId, bucket: int) -> None:
        self._hints[stream] = max(bucket, self._hints.get(stream, 0))
        if len(self._hints) > MAX_HINTS:
            self._hints.popitem(last=False)

    async def _tell(self, stream: StreamId, bucket: int) -> None:
        try:
            await self._session.write("write_hint", stream.tenant, stream.name, bucket, bucket)
        except NotNow:  # it lags: the next reader walks one bucket more
            return

    async def streams(self, tenant: str | None, after: str, limit: int) -> list[StreamId]:
        found = await self._session.read("streams", profile=SCAN)
        names = {StreamId(owner, name) for owner, name, _ in found if tenant in (None, owner)}
        return sorted((name for name in names if name.key > after), key=lambda name: name.key)[:limit]
