"""Questions as of an instant: asked of what had been recorded by then, and at that time (kernel rule 28)."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace

from switchlog.decider import Rejected
from switchlog.errors import NotNow

from ..domain.asking import checked
from .questions import Answer, Figures, FiguresAsked, Now, Questions, Stored

KEPT = 4
"""So many instants are kept as they were folded: a board at 12:10 is asked for queue by queue."""
FRESH_FOR_MS = 60_000
"""Facts of the last minute may still be on their way to the topics: such an instant is folded anew each time."""
PATIENCE_S = 55.0
"""Folding waits for whatever is away; nobody waits for an answer for ever."""

Replay = Callable[[str, int], Awaitable[Stored]]
"""(tenant, instant) -> the rows as they would stand had nothing been recorded since."""


@dataclass(frozen=True, slots=True)
class Then:
    """A clock that stands."""

    at: int

    def now(self) -> int:
        return self.at

    def monotonic(self) -> float:
        return self.at / 1000


@dataclass(frozen=True)
class Past:
    """``questions`` as of now or, where ``replay`` is given, of any instant before; one is folded at a time."""

    questions: Questions
    replay: Replay | None = None
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    kept: OrderedDict[tuple[str, int], Stored] = field(default_factory=OrderedDict)

    async def at(self, tenant: str, as_of: int | None) -> Questions:
        """Raises ``Rejected`` (bad input) for an instant to come, or one that cannot be folded; ``NotNow``."""
        if as_of is None:
            return self.questions
        if not 0 <= as_of <= self.questions.clock.now():
            raise Rejected("BAD_AS_OF", "as_of lies in the past, after 1970", invalid=True)
        return replace(self.questions, stored=await self._stored(tenant, as_of), clock=Then(as_of), rollups=None)

    async def now(self, tenant: str, queue: str, as_of: int | None = None) -> Now:
        return await (await self.at(tenant, as_of)).now(tenant, queue)

    async def ask(self, tenant: str, given: FiguresAsked, as_of: int | None = None) -> Answer:
        checked(given)
        return await (await self.at(tenant, as_of)).ask(tenant, given)

    async def figures(self, tenant: str, given: FiguresAsked, as_of: int | None = None) -> Figures:
        checked(given)
        return await (await self.at(tenant, as_of)).figures(tenant, given)

    async def _stored(self, tenant: str, at: int) -> Stored:
        if self.replay is None:
            raise Rejected("NO_AS_OF", "no topics are read here", invalid=True)
        async with self.turn:
            if (found := self.kept.get((tenant, at))) is None:
                found = await self._replayed(self.replay, tenant, at)
                if at + FRESH_FOR_MS < self.questions.clock.now():
                    self._keep((tenant, at), found)
            return found

    async def _replayed(self, replay: Replay, tenant: str, at: int) -> Stored:
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await replay(tenant, at)
        except TimeoutError:
            raise NotNow("AS_OF_SLOW", f"not folded within {PATIENCE_S:.0f} s") from None

    def _keep(self, key: tuple[str, int], found: Stored) -> None:
        self.kept[key] = found
        while len(self.kept) > KEPT:
            self.kept.popitem(last=False)
