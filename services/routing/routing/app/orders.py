"""Orders to pools: put in the inbox, answered by the fact they cause (kernel rule 23)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from switchlog.clock import Clock
from switchlog.envelope import Cause, Row, StreamId
from switchlog.errors import NotNow, Rejected
from switchlog.outlet import Record

from ..domain.commands import Order
from .ports import Answer, Answers

BUS_WITHIN_S = 0.8
ANSWER_WITHIN_S = 5.0
LOOK_EVERY_S = 0.1
INVALID = frozenset({"UNKNOWN_POLICY", "UNKNOWN_QUEUE", "UNKNOWN_HOURS", "UNKNOWN_WORKFLOW", "BAD_EXPRESSION"})

Send = Callable[[str, Sequence[Record]], Awaitable[None]]
Write = Callable[[StreamId, Order, Cause, int], Record]


@dataclass(frozen=True, slots=True)
class Answered:
    """Where the effect of an order is."""

    stream: StreamId
    version: int
    repeated: bool = False


class Orders:
    """``give`` waits for the answer; ``told`` is to hear of every row that this process appends or sees published."""

    def __init__(
        self, answers: Answers, send: Send, write: Write, inbox: str, clock: Clock, bus_up: Callable[[], bool]
    ) -> None:
        self._answers, self._send, self._write, self._inbox = answers, send, write, inbox
        self._clock, self._bus_up = clock, bus_up
        self._waiting: dict[str, set[asyncio.Future[Answer]]] = {}

    def told(self, stream: StreamId, head: int, rows: Sequence[Row]) -> None:
        if self._waiting:
            for row in rows:
                found = self._answers.answer_in(stream, row)
                if found:
                    self.heard(*found)

    def heard(self, command_id: str, answer: Answer) -> None:
        """The order is answered."""
        for waiting in self._waiting.get(command_id, ()):
            if not waiting.done() and answer.reason != "EXPIRED":
                waiting.set_result(answer)

    async def give(self, pool: StreamId, order: Order, cause: Cause) -> Answered:
        """Raises ``Rejected`` by the pool, ``NotNow`` when the bus is away or no answer came: ask again, same key."""
        known = await self._known(pool.tenant, cause)
        if known:
            return _outcome(pool, known, cause, repeated=True)
        waiting: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(cause.command_id, set()).add(waiting)
        try:
            await self._put(pool, order, cause)
            return _outcome(pool, await self._answer(pool.tenant, cause, waiting), cause)
        finally:
            self._waiting[cause.command_id].discard(waiting)
            if not self._waiting[cause.command_id]:
                del self._waiting[cause.command_id]

    async def before(self, tenant: str, cause: Cause) -> Answered | None:
        """What the same command was answered, if it was given before; raises as ``give`` does."""
        known = await self._known(tenant, cause)
        return _outcome(StreamId(tenant, known.stream), known, cause, repeated=True) if known else None

    async def _known(self, tenant: str, cause: Cause) -> Answer | None:
        answer = await self._answers.get(tenant, cause.command_id)
        return None if answer is None or answer.reason == "EXPIRED" else answer

    async def _put(self, pool: StreamId, order: Order, cause: Cause) -> None:
        if not self._bus_up():
            raise NotNow("BUS_AWAY", "pools take no orders while the bus is away")
        expires_at = self._clock.now() + int(ANSWER_WITHIN_S * 1000)
        try:
            async with asyncio.timeout(BUS_WITHIN_S):
                await self._send(self._inbox, [self._write(pool, order, cause, expires_at)])
        except TimeoutError:
            raise NotNow("BUS_AWAY", "not known to be taken, safe to retry with the same key") from None

    async def _answer(self, tenant: str, cause: Cause, waiting: asyncio.Future[Answer]) -> Answer:
        deadline = asyncio.get_running_loop().time() + ANSWER_WITHIN_S
        while asyncio.get_running_loop().time() < deadline:
            done, _ = await asyncio.wait([waiting], timeout=LOOK_EVERY_S)
            if done:
                return waiting.result()
            if answer := await self._known(tenant, cause):
                return answer
        raise NotNow("NO_ANSWER", "outcome unknown, safe to retry with the same key")


def _outcome(pool: StreamId, answer: Answer, cause: Cause, *, repeated: bool = False) -> Answered:
    if answer.digest and answer.digest != cause.digest:
        raise Rejected("IDEMPOTENCY_KEY_REUSED", "the same key was used with another body", invalid=True)
    if answer.reason:
        raise Rejected(answer.reason, answer.detail, invalid=answer.reason in INVALID)
    return Answered(StreamId(pool.tenant, answer.stream), answer.version, repeated)
