"""Figures made anew from the topics alone, under another name beside the running service, and then used (AN-4)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from switchlog.decider import Rejected

from .ports import Where

TICK_S = 1.0
BEHIND = 20_000
"""Who is at most so many records behind is used: after a restart they are read in a moment."""

Spans = Mapping[Where, tuple[int, int]]
"""Of each source partition the first offset that is kept, and the end."""


class Positions(Protocol):
    """How far the rows of one name have come; empty where there are none."""

    async def positions(self) -> Mapping[str, int]: ...


@dataclass(frozen=True, slots=True)
class Done:
    """``read`` of ``total`` records are counted; ``aged_out`` are those of each topic that are not kept any more."""

    read: int
    total: int
    aged_out: Mapping[str, int]

    @property
    def behind(self) -> int:
        return self.total - self.read

    @property
    def whole(self) -> bool:
        return self.behind == 0


def done(spans: Spans, positions: Mapping[str, int]) -> Done:
    """What is beyond a span's end is not asked for; what is before its begin was never there to be read."""
    read = sum(max(0, min(positions.get(str(where), 0), end) - begin) for where, (begin, end) in spans.items())
    aged: dict[str, int] = {}
    for where, (begin, _) in spans.items():
        aged[where.topic] = aged.get(where.topic, 0) + begin
    return Done(read, sum(end - begin for begin, end in spans.values()), {name: n for name, n in aged.items() if n})


async def rebuilt(
    fold: Callable[[], Awaitable[None]], spans: Spans, rows: Positions, told: Callable[[Done], None]
) -> Done:
    """Let ``fold`` go on until all of ``spans`` is counted; ``told`` hears each second. Raises what ended ``fold``."""
    folding = asyncio.ensure_future(fold())
    try:
        while True:
            known = done(spans, await rows.positions())
            told(known)
            if known.whole:
                return known
            await asyncio.wait([folding], timeout=TICK_S)
            if folding.done():
                folding.result()
                raise RuntimeError("folding ended before the end of the topics")
    finally:
        folding.cancel()
        await asyncio.gather(folding, return_exceptions=True)


def checked_switch(name: str, positions: Mapping[str, int], known: Done) -> None:
    """Raises ``Rejected`` for rows that would be answered from before they tell as much as those in use."""
    if not positions and known.total:
        raise Rejected("NEVER_BUILT", f"there is nothing under {name}: rebuild {name} first", invalid=True)
    if known.behind > BEHIND:
        raise Rejected("BEHIND", f"{name} is {known.behind} records behind: rebuild {name} goes on", invalid=True)
