"""Queues as routing publishes them: a table in memory, read whole from the compacted topic at start."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from switchlog.decider import Rejected

from ..app.ports import QueueRow
from ..domain.commands import Place


class QueueTable:
    """``take`` rows in any order; a queue that moved to another pool is in the pool of the latest row seen."""

    def __init__(self, read: Callable[[bytes], QueueRow]) -> None:
        self._read = read
        self._rows: dict[tuple[str, str], QueueRow] = {}

    def take(self, value: bytes | None) -> None:
        """One record of the topic."""
        if not value:
            return
        row = self._read(value)
        known = self._rows.get((row.tenant, row.queue))
        if known is None or known.pool != row.pool or known.revision <= row.revision:
            self._rows[row.tenant, row.queue] = row

    def place(self, tenant: str, queue: str, priority: int = 0) -> Place:
        """Where a contact for ``queue`` waits."""
        row = self._rows.get((tenant, queue))
        if row is None:
            raise Rejected("QUEUE_UNKNOWN", queue, invalid=True)
        if not row.open:
            raise Rejected("QUEUE_CLOSED", queue)
        return Place(queue, row.pool, row.priority + priority, row.required_skills)

    @property
    def rows(self) -> Mapping[tuple[str, str], QueueRow]:
        return self._rows
