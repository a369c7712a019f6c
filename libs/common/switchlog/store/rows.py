"""What every store checks and packs: the limits of one append (kernel rule 2) and a row's headers as bytes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec.msgpack

from switchlog.envelope import MAX_BATCH_BYTES, MAX_BATCH_EVENTS, MAX_EVENT_BYTES, Headers, Row, StreamId
from switchlog.errors import Rejected
from switchlog.store import TimerChange, TimersOf

COLUMNS = (
    "version",
    "event_id",
    "batch_id",
    "command_id",
    "request_sha256",
    "source",
    "type",
    "value",
    "headers",
    "recorded_at",
)


def check_batch(expected: int, batch_id: str, rows: Sequence[Row]) -> int:
    """The head that appending ``rows`` after ``expected`` gives.

    Raises ``Rejected("TOO_LARGE")`` beyond the limits and ``ValueError`` for rows that no composer makes.
    """
    if [row.version for row in rows] != list(range(expected + 1, expected + 1 + len(rows))) or not rows:
        raise ValueError(f"rows must be the versions after {expected}, one each, and at least one")
    if any(row.batch_id != batch_id for row in rows):
        raise ValueError("every row names the batch it is appended in")
    sizes = [row.size for row in rows]
    if len(rows) > MAX_BATCH_EVENTS:
        raise _too_large(f"a batch is at most {MAX_BATCH_EVENTS} events, this has {len(rows)}")
    if max(sizes) > MAX_EVENT_BYTES:
        raise _too_large(f"an event is at most {MAX_EVENT_BYTES} bytes, one has {max(sizes)}")
    if sum(sizes) > MAX_BATCH_BYTES:
        raise _too_large(f"a batch is at most {MAX_BATCH_BYTES} bytes, this is {sum(sizes)}")
    return expected + len(rows)


def same_batch(standing: Sequence[str], rows: Sequence[Row]) -> bool:
    """Whether the event ids ``standing`` under ``rows``' batch id are those of ``rows``.

    Raises ``ValueError`` if they differ: answering by the batch id alone would acknowledge a command that is stored
    nowhere (kernel rule 5).
    """
    if list(standing) != [row.event_id for row in rows]:
        raise ValueError(f"batch {rows[0].batch_id} stands with other rows: a batch id is for identical bytes only")
    return True


def _too_large(detail: str) -> Rejected:
    return Rejected("TOO_LARGE", detail, invalid=True)


_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(Headers).decode


def pack_headers(headers: Headers) -> bytes:
    """Headers as bytes that ``unpack_headers`` gives back exactly, order included."""
    return _pack(headers)


def unpack_headers(packed: bytes) -> Headers:
    return _unpack(packed)


def to_columns(row: Row) -> tuple[Any, ...]:
    """A row's values in the order of ``COLUMNS``."""
    return (
        row.version,
        row.event_id,
        row.batch_id,
        row.command_id,
        row.request_sha256,
        row.source,
        row.type,
        row.value,
        pack_headers(row.headers),
        row.recorded_at,
    )


def from_columns(values: Sequence[Any]) -> Row:
    """The row whose ``COLUMNS`` are ``values``; anything after them is ignored."""
    version, event_id, batch_id, command_id, sha, source, kind, value, headers, recorded_at = values[:10]
    return Row(version, event_id, batch_id, command_id, sha, source, kind, value, unpack_headers(headers), recorded_at)


def timer_changes(timers_of: TimersOf, stream: StreamId, rows: Sequence[Row]) -> list[tuple[int, TimerChange]]:
    """What ``rows`` do to timers, each with the version that does it."""
    return [(row.version, change) for row in rows for change in timers_of(stream, row)]


def prefix_range(tenant: str) -> tuple[str, str]:
    """The half-open range of stream keys that belong to ``tenant``."""
    return f"{tenant}/", f"{tenant}0"  # "0" is the character after "/"
