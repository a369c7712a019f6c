"""Commands from people: to the pool they are about, found by queue or offer."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

from switchlog.envelope import Cause, StreamId
from switchlog.errors import NotFound, NotNow, Rejected
from switchlog.ids import checked_id, derived

from ..domain.commands import AcceptOffer, ChoosePolicy, DeclineOffer, DefineHours, DefineQueue, DefineWorkflow
from ..domain.definitions import Hours, Queue, Workflow
from ..domain.state import Board
from .boards import Boards
from .orders import Answered, Orders
from .ports import OfferRow, Offers, QueueRow, Queues, Reading

MAX_DEFINITION_BYTES = 64 * 1024
OFFER_WITHIN_S = 1.2  # a model that keeps up says what it has read twice a second


def pool_stream(tenant: str, pool: str) -> StreamId:
    return StreamId(tenant, f"pool-{checked_id(pool, 'pool')}")


@dataclass(frozen=True)
class Desk:
    """Each method answers where the effect is, or raises as ``Orders.give`` does."""

    orders: Orders
    offers: Offers
    queues: Queues
    reading: Reading
    boards: Boards

    async def define_queue(self, tenant: str, pool: str, queue: Queue, cause: Cause) -> Answered:
        """A queue stays in its pool: moving it would tear what waits in it from its agents."""
        if len(queue.definition) > MAX_DEFINITION_BYTES:
            raise Rejected("TOO_LARGE", "a queue's definition is at most 64 KiB", invalid=True)
        standing = await self.queues.get(tenant, checked_id(queue.id, "queue"))
        if standing and standing.pool != pool:
            raise Rejected("QUEUE_IN_ANOTHER_POOL", standing.pool)
        await self._check_named(pool_stream(tenant, pool), queue)
        order = DefineQueue(queue, cause.command_id)
        return await self.orders.give(pool_stream(tenant, pool), order, cause)

    async def _check_named(self, pool: StreamId, queue: Queue) -> None:
        """What a queue names must stand in its pool. It cannot be taken out again while a queue names it."""
        if not (queue.hours or queue.workflow):
            return
        try:
            board = (await self.boards.now(pool)).board
        except NotFound:
            board = Board(pool.tenant, pool.name)
        if queue.hours and queue.hours not in board.hours:
            raise Rejected("UNKNOWN_HOURS", f"no opening hours {queue.hours} in {pool.name}", invalid=True)
        if queue.workflow and queue.workflow not in board.workflows:
            raise Rejected("UNKNOWN_WORKFLOW", f"no workflow {queue.workflow} in {pool.name}", invalid=True)

    async def define_hours(
        self, tenant: str, pools: Sequence[str], hours: Hours, cause: Cause, *, removed: bool = False
    ) -> Answered:
        """Opening hours in each of ``pools``; the answer is the last one's."""
        for pool in pools:
            # answers are found by command: each pool's order has its own
            own = replace(cause, command_id=derived(cause.command_id, pool))
            order = DefineHours(hours, own.command_id, removed=removed)
            done = await self.orders.give(pool_stream(tenant, pool), order, own)
        return done

    async def define_workflow(
        self, tenant: str, pool: str, workflow: Workflow, cause: Cause, *, removed: bool = False
    ) -> Answered:
        order = DefineWorkflow(workflow, cause.command_id, removed=removed)
        return await self.orders.give(pool_stream(tenant, pool), order, cause)

    async def choose_policy(self, tenant: str, pool: str, order: ChoosePolicy, cause: Cause) -> Answered:
        return await self.orders.give(pool_stream(tenant, pool), order, cause)

    async def accept(self, tenant: str, offer_id: str, agent: str, cause: Cause) -> Answered:
        offer = await self.offer(tenant, offer_id)
        return await self.orders.give(_pool(tenant, offer), AcceptOffer(offer_id, agent, cause.command_id), cause)

    async def decline(self, tenant: str, offer_id: str, agent: str, reason: str, cause: Cause) -> Answered:
        offer = await self.offer(tenant, offer_id)
        order = DeclineOffer(offer_id, agent, cause.command_id, reason=reason)
        return await self.orders.give(_pool(tenant, offer), order, cause)

    async def offer(self, tenant: str, offer_id: str) -> OfferRow:
        """An agent may hear of an offer before our own read model does: only one that has read all may say no."""
        if row := await self.offers.get(tenant, offer_id):
            return row
        deadline, mark = asyncio.get_running_loop().time() + OFFER_WITHIN_S, await self.reading.mark()
        while asyncio.get_running_loop().time() < deadline:
            knows_all = await self.reading.has_read(mark)
            if row := await self.offers.get(tenant, offer_id):
                return row
            if knows_all:
                raise NotFound(detail="offer")
            await asyncio.sleep(0.05)
        raise NotNow("OFFERS_BEHIND", "not known yet whether there is such an offer, safe to retry with the same key")

    async def queue(self, tenant: str, queue: str) -> QueueRow:
        row = await self.queues.get(tenant, queue)
        if row is None:
            raise NotFound(detail="queue")
        return row


def _pool(tenant: str, offer: OfferRow) -> StreamId:
    return StreamId(tenant, f"pool-{offer.pool}")
