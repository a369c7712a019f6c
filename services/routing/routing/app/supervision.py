"""Supervisors' orders: to the pool in which the contact waits or the queue is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from switchlog.auth.principal import Principal
from switchlog.envelope import Cause, StreamId
from switchlog.errors import NotFound, Rejected

from ..domain.commands import (
    MoveContact,
    PullContact,
    RaisePriority,
    RemoveQueue,
    RequestCallback,
    SetQueueOpen,
    Supervision,
    Teams,
)
from .catalogue import Catalogue
from .orders import Answered, Orders
from .ports import Queues


@dataclass(frozen=True, slots=True)
class Asker:
    """Who orders: ``teams`` are theirs, ``None``: all; ``reason`` is a configured id."""

    tenant: str
    cause: Cause
    teams: Teams
    reason: str = ""


def teams_of(caller: Principal) -> Teams:
    """Administrators and services order everywhere, supervisors where agents of their teams serve."""
    return None if caller.has("admin", "service") else tuple(sorted(caller.teams))


@dataclass(frozen=True)
class Supervisors:
    """Each method answers where the effect is, or raises as ``Orders.give`` does; ``NotFound`` for what is nowhere."""

    orders: Orders
    queues: Queues
    catalogue: Catalogue

    async def move(self, who: Asker, contact: str, to_queue: str) -> Answered:
        row = await self.queues.get(who.tenant, to_queue)
        if row is None:
            raise Rejected("UNKNOWN_QUEUE", to_queue, invalid=True)
        id, reason, teams = who.cause.command_id, who.reason, who.teams
        return await self._contact(who, MoveContact(contact, to_queue, row.pool, id, reason=reason, teams=teams))

    async def pull(self, who: Asker, contact: str, agent: str) -> Answered:
        order = PullContact(contact, agent, who.cause.command_id, reason=who.reason, teams=who.teams)
        return await self._contact(who, order)

    async def raise_priority(self, who: Asker, contact: str, priority: int, credit_ms: int) -> Answered:
        id, reason, teams = who.cause.command_id, who.reason, who.teams
        return await self._contact(who, RaisePriority(contact, priority, credit_ms, id, reason=reason, teams=teams))

    async def call_back(self, who: Asker, contact: str) -> Answered:
        order = RequestCallback(contact, who.cause.command_id, reason=who.reason, teams=who.teams)
        return await self._contact(who, order)

    async def set_open(self, who: Asker, queue: str, *, open: bool) -> Answered:
        id, reason, teams = who.cause.command_id, who.reason, who.teams
        return await self._queue(who, queue, SetQueueOpen(queue, open, id, reason=reason, teams=teams))

    async def remove(self, who: Asker, queue: str, to_pool: str) -> Answered:
        id, reason, teams = who.cause.command_id, who.reason, who.teams
        return await self._queue(who, queue, RemoveQueue(queue, to_pool, id, reason=reason, teams=teams))

    async def _contact(
        self, who: Asker, order: MoveContact | PullContact | RaisePriority | RequestCallback
    ) -> Answered:
        async def pool() -> str:
            for board, _ in await self.catalogue.of(who.tenant):
                if order.contact in board.contacts:
                    return board.pool
            raise NotFound(detail="contact")

        return await self._give(who, order, pool)

    async def _queue(self, who: Asker, queue: str, order: SetQueueOpen | RemoveQueue) -> Answered:
        async def pool() -> str:
            row = await self.queues.get(who.tenant, queue)
            if row is None:
                raise NotFound(detail="queue")
            return row.pool

        return await self._give(who, order, pool)

    async def _give(self, who: Asker, order: Supervision, pool: Callable[[], Awaitable[str]]) -> Answered:
        """What was answered before is answered again, though the contact may be elsewhere by now."""
        before = await self.orders.before(who.tenant, who.cause)
        if before is not None:
            return before
        return await self.orders.give(StreamId(who.tenant, f"pool-{await pool()}"), order, who.cause)
