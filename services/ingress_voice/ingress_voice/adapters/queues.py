"""Queues as routing publishes them: a table in memory, read whole from the compacted topic at start."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from switchlog.decider import Rejected
from switchlog.errors import NotNow, Poison
from switchlog.log import get_logger

from ..app.ports import QueueRow
from ..domain.commands import Place

log = get_logger(__name__)


class QueueTable:
    """``take`` rows in any order; a queue that moved to another pool is in the pool of the latest row seen.

    Until ``complete()`` a queue that is not in it may only not have been read yet.
    """

    def __init__(self, read: Callable[[bytes], QueueRow], complete: Callable[[], bool]) -> None:
        self._read = read
        self.complete = complete
        self._rows: dict[tuple[str, str], QueueRow] = {}

    def take(self, value: bytes | None) -> None:
        """One record of the topic."""
        if not value:
            return
        try:
            row = self._read(value)
        except Poison as error:
            log.warning("queue_row_unreadable", reason=error.reason)
            return
        known = self._rows.get((row.tenant, row.queue))
        if known is None or known.pool != row.pool or known.revision <= row.revision:
            self._rows[row.tenant, row.queue] = row

    def place(self, tenant: str, queue: str, priority: int = 0) -> Place:
        """Where a call for ``queue`` waits."""
        row = self._row(tenant, queue)
        if row is None:
            raise Rejected("QUEUE_UNKNOWN", queue, invalid=True)
        if not row.open:
            raise Rejected("QUEUE_CLOSED", queue)
        if not row.takes_channel:
            raise Rejected("CHANNEL_NOT_TAKEN", queue)
        return Place(queue, row.pool, row.priority + priority, row.required_skills)

    def moved_to(self, tenant: str, queue: str, pool: str, priority: int = 0) -> Place:
        """Where routing moved a call: it knows the queue, whatever has been read here."""
        row = self._row(tenant, queue)
        if row is None:
            return Place(queue, pool, priority)
        return Place(queue, row.pool, row.priority + priority, row.required_skills)

    def _row(self, tenant: str, queue: str) -> QueueRow | None:
        if not self.complete():
            raise NotNow("QUEUES_NOT_READ_YET")
        return self._rows.get((tenant, queue))

    @property
    def rows(self) -> Mapping[tuple[str, str], QueueRow]:
        return self._rows
