"""A body of any size as lines with their numbers, never more of it in memory than one batch, and at a limited pace."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from switchlog.errors import Poison

from .feedlines import MOST_BYTES

BATCH = 4_000
WAIT_S = 1.0
SILENCE_S = 60.0

Numbered = Sequence[tuple[int, bytes]]


@dataclass
class Splitter:
    """``split(chunk)`` gives the lines that are complete; of one that is too long only enough is kept to see that."""

    number: int = 0
    tail: bytes = b""

    def split(self, chunk: bytes) -> list[tuple[int, bytes]]:
        *lines, tail = (self.tail + chunk).split(b"\n")
        self.tail = tail[: MOST_BYTES + 1]
        return self._numbered(lines)

    def rest(self) -> list[tuple[int, bytes]]:
        """The last line, which nothing ends."""
        lines, self.tail = [self.tail], b""
        return self._numbered(lines)

    def _numbered(self, lines: Sequence[bytes]) -> list[tuple[int, bytes]]:
        first = self.number + 1
        self.number += len(lines)
        found = ((first + place, line.removeprefix(_BOM).strip()) for place, line in enumerate(lines))
        return [(number, line) for number, line in found if line]


_BOM = b"\xef\xbb\xbf"


@dataclass
class Pace:
    """``bytes_per_s`` a tenant, over all its feeds here: whoever sends faster is read more slowly."""

    bytes_per_s: float
    monotonic: Callable[[], float] = field(default=lambda: asyncio.get_running_loop().time())
    free_at: dict[str, float] = field(default_factory=dict)

    async def spend(self, tenant: str, size: int) -> None:
        """Returns when there is room for what was sent before; a second's worth goes through at once."""
        now = self.monotonic()
        self.free_at[tenant] = max(now, self.free_at.get(tenant, now)) + size / self.bytes_per_s
        if (wait := self.free_at[tenant] - now - 1.0) > 0:
            await asyncio.sleep(wait)


async def batches(body: AsyncIterator[bytes], spend: Callable[[int], Awaitable[None]]) -> AsyncIterator[Numbered]:
    """``body``'s lines in batches of about ``BATCH``, or what a second brought; ``spend(bytes)`` is awaited first.

    Raises ``Poison`` when nothing comes for a minute.
    """
    splitter, found, began = Splitter(), list[tuple[int, bytes]](), asyncio.get_running_loop().time()
    async for chunk in _in_time(body):
        await spend(len(chunk))
        found += splitter.split(chunk)
        now = asyncio.get_running_loop().time()
        if found and (len(found) >= BATCH or now - began > WAIT_S):
            yield found
            found, began = [], now
    found += splitter.rest()
    if found:
        yield found


async def _in_time(body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    while True:
        try:
            async with asyncio.timeout(SILENCE_S):
                chunk = await anext(body, None)
        except TimeoutError:
            raise Poison("BODY_TOO_SLOW", f"nothing came for {SILENCE_S:g} s") from None
        if chunk is None:
            return
        yield chunk
