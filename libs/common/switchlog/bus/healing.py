"""A hole in a stream is filled from its owner's log before anything later is applied (kernel rule 15)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from switchlog.bus.record import Received, from_row
from switchlog.envelope import Row, StreamId
from switchlog.errors import NotFound, Poison


class Healer(Protocol):
    """Reads stored rows from a stream's owner; ``EventLogHealer`` does it by gRPC."""

    async def read(self, service: str, stream: StreamId, after: int, upto: int) -> Sequence[Row]:
        """Rows with ``after < version <= upto``, in order.

        Raises ``NotFound`` for a stream that ``service`` does not have, ``NotNow`` while it is away, and
        ``Poison("UNKNOWN_OWNER")`` when there is no such service.
        """
        ...


async def missing(healer: Healer, received: Received, seen: int) -> list[Received]:
    """What the owner holds between ``seen`` and ``received``, in order.

    Raises ``Poison("NOT_IN_OWNERS_LOG")`` when the owner does not hold these very bytes at this version: it is forged.
    """
    rows = await _rows(healer, received, seen)
    if not _contiguous(rows, seen, received.version):
        raise Poison("NOT_IN_OWNERS_LOG", f"{received.key} has no version {received.version} at {received.service}")
    last = rows[-1]
    if (last.event_id, last.value) != (received.event_id, received.value):
        raise Poison("NOT_IN_OWNERS_LOG", f"{received.key} v{received.version} is another event at {received.service}")
    return [from_row(row, received) for row in rows[:-1]]


def _contiguous(rows: Sequence[Row], after: int, upto: int) -> bool:
    # the length first: a forged version may be astronomic
    return len(rows) == upto - after and all(row.version == after + n for n, row in enumerate(rows, 1))


async def _rows(healer: Healer, received: Received, seen: int) -> Sequence[Row]:
    try:
        return await healer.read(received.service, received.stream, seen, received.version)
    except NotFound as error:
        raise Poison("NOT_IN_OWNERS_LOG", f"{received.service} does not know {received.key}") from error
