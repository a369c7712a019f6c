"""Rows to put into a store, and the timers that they start."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable, Sequence

from switchlog.envelope import Row, StreamId
from switchlog.ids import new_id
from switchlog.store import Store, Timer, TimerChange, TimerCleared, TimerSet

Open = Callable[..., Awaitable[Store]]


def make_row(stream: StreamId, version: int, batch_id: str, kind: str = "noted", value: bytes = b"") -> Row:
    identity = uuid.uuid5(uuid.NAMESPACE_OID, f"{batch_id}|{version}").hex
    return Row(
        version=version,
        event_id=identity,
        batch_id=batch_id,
        command_id=f"c-{batch_id}",
        request_sha256="0" * 64,
        source="",
        type=kind,
        value=value or f"{stream.key}@{version}".encode(),
        headers=(("ce_id", identity.encode()), ("ce_type", kind.encode()), ("odd", b"\x00\xff\n")),
        recorded_at=1_750_000_000_000 + version,
    )


def make_batch(stream: StreamId, expected: int, n: int = 1, batch_id: str = "", **rest: object) -> list[Row]:
    name = batch_id or new_id()
    return [make_row(stream, expected + 1 + i, name, **rest) for i in range(n)]  # type: ignore[arg-type]


async def write(store: Store, stream: StreamId, expected: int, n: int = 1, **rest: object) -> list[Row]:
    rows = make_batch(stream, expected, n, **rest)
    assert await store.events.append(stream, expected, rows[0].batch_id, rows) == expected + n
    return rows


def timers_of(stream: StreamId, row: Row) -> Sequence[TimerChange]:
    """For rows of type ``set:<id>:<due>`` and ``clear:<id>``."""
    match row.type.split(":"):
        case ["set", name, due]:
            return [TimerSet(Timer(stream, name, "wake", int(due), row.value))]
        case ["clear", name]:
            return [TimerCleared(stream, name)]
    return ()
