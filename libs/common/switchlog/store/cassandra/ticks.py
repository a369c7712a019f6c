"""Many small writes as one: whatever comes within a tick is flushed together (kernel rules 10 and 11)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")

TICK_S = 0.003


class Ticks(Generic[T]):
    """One flush at a time, at most one a tick; an item that finds it idle goes at once."""

    def __init__(self, flush: Callable[[Sequence[T]], Awaitable[None]], tick_s: float = TICK_S) -> None:
        self._flush, self._tick_s = flush, tick_s
        self._waiting: list[tuple[T, asyncio.Future[None]]] = []
        self._task: asyncio.Task[None] | None = None

    def post(self, item: T) -> asyncio.Future[None]:
        """Join the next flush; the future is done, or failed, as that flush is."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        future.add_done_callback(_look_at)
        self._waiting.append((item, future))
        if self._task is None:
            self._task = asyncio.create_task(self._run())
        return future

    async def close(self) -> None:
        """Wait for what was posted."""
        if self._task is not None:
            await self._task

    async def _run(self) -> None:
        while self._waiting:
            started = time.monotonic()
            joined, self._waiting = self._waiting, []
            await self._flush_one(joined)
            await asyncio.sleep(max(0.0, started + self._tick_s - time.monotonic()))
        self._task = None

    async def _flush_one(self, joined: list[tuple[T, asyncio.Future[None]]]) -> None:
        try:
            await self._flush([item for item, _ in joined])
        except Exception as error:
            for _, future in joined:
                if not future.done():
                    future.set_exception(error)
        else:
            for _, future in joined:
                if not future.done():
                    future.set_result(None)


def _look_at(future: asyncio.Future[None]) -> None:
    if not future.cancelled():
        future.exception()  # whoever posted without waiting does not want a warning about it
