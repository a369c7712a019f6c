"""What became of each order: one row a command, kept a day at least, written by the pool's owner (kernel rule 23)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec

from switchlog.clock import Clock
from switchlog.envelope import Row, StreamId
from switchlog.store import ViewStore

from ..app.ports import Answer

VIEW = "answers"
DAY_MS = 24 * 3600 * 1000
ANSWERING = frozenset(
    {
        *("OfferAccepted", "OfferDeclined", "CommandRefused"),
        *("QueueDefined", "PolicyChosen", "HoursDefined", "WorkflowDefined"),
        *("ContactOverflowed", "ContactPulled", "PriorityRaised"),
    }
)


@dataclass(frozen=True)
class Answers:
    """``refusal_of`` reads (command id, reason, what is wrong in words) in a stored ``CommandRefused``."""

    views: ViewStore
    clock: Clock
    refusal_of: Callable[[Row], tuple[str, str, str]]

    async def fold(self, stream: StreamId, rows: Sequence[Row]) -> None:
        """Put the answers among ``rows``; repeating it changes nothing."""
        puts = [
            (_partition(stream.tenant, row.recorded_at), id, msgspec.json.encode(answer), answer.version)
            for row in rows
            if (found := self.answer_in(stream, row))
            for id, answer in [found]
        ]
        if puts:
            await self.views.put_many(VIEW, puts)

    def answer_in(self, stream: StreamId, row: Row) -> tuple[str, Answer] | None:
        """The command that ``row`` answers, and how."""
        kind = row.type.rpartition(".")[2]
        if kind not in ANSWERING:
            return None
        id, reason, detail = self.refusal_of(row) if kind == "CommandRefused" else (row.command_id, "", "")
        return id, Answer(stream.name, row.version, reason, row.request_sha256, detail)

    async def get(self, tenant: str, command_id: str) -> Answer | None:
        """The answer, if given today or yesterday (UTC)."""
        now = self.clock.now()
        days = (_partition(tenant, at) for at in (now, now - DAY_MS))
        found = await asyncio.gather(*(self.views.get(VIEW, day, command_id) for day in days))
        return next((msgspec.json.decode(row.value, type=Answer) for row in found if row), None)

    async def forget(self, tenant: str) -> None:
        """Drop the answers of the days before yesterday that a daily call may still find."""
        for days in range(2, 9):
            partition = _partition(tenant, self.clock.now() - days * DAY_MS)
            while rows := await self.views.scan(VIEW, partition):
                for row in rows:
                    await self.views.delete(VIEW, partition, row.key, row.version)


def _partition(tenant: str, at: int) -> str:
    return f"{tenant}/{at // DAY_MS}"
