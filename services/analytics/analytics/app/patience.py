"""Later: the same work again, in place, so that nothing overtakes it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from switchlog.bus.patience import pauses
from switchlog.errors import NotNow
from switchlog.log import get_logger

log = get_logger(__name__)
T = TypeVar("T")


async def patient(attempt: Callable[[], Awaitable[T]]) -> T:
    """``attempt`` until it no longer says ``NotNow``."""
    for n, pause in enumerate(pauses()):
        try:
            return await attempt()
        except NotNow as error:
            if n % 10 == 0:
                log.warning("batch_later", reason=error.reason, detail=error.detail[:300], tries=n + 1)
            await asyncio.sleep(pause)
    raise AssertionError("pauses are endless")
