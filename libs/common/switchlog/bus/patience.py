"""Later: the same work again, in place, after a jittered back-off, so that nothing overtakes it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator

from switchlog.bus.tally import Tally
from switchlog.errors import NotNow, VersionConflict
from switchlog.log import get_logger

log = get_logger(__name__)

FIRST_S = 0.05
LONGEST_S = 2.0


class Leaving(Exception):
    """The partition is being given up; what was not done stays uncommitted."""


def pauses(first_s: float = FIRST_S, longest_s: float = LONGEST_S) -> Iterator[float]:
    """Seconds to wait before each further try: doubling, jittered between a half and the whole, without end."""
    pause = first_s
    while True:
        yield pause * random.uniform(0.5, 1.0)
        pause = min(longest_s, pause * 2)


async def patiently(attempt: Callable[[], Awaitable[None]], closing: asyncio.Event, tally: Tally) -> None:
    """``attempt`` until it raises neither ``NotNow`` nor ``VersionConflict``; ``Leaving`` once ``closing`` is set."""
    for n, pause in enumerate(pauses()):
        try:
            return await attempt()
        except (NotNow, VersionConflict) as error:
            tally.add("later")
            if n % 10 == 0:
                log.warning("record_later", reason=error.reason, detail=error.detail[:300], tries=n + 1)
        await _wait(closing, pause)


async def _wait(closing: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(closing.wait(), seconds)
    except TimeoutError:
        return
    raise Leaving
