"""Questions about decisions: where they stand in the log, decided again from their day's chapter (RT-10)."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass

from switchlog.envelope import StreamId
from switchlog.errors import NotFound

from ..domain.events import CommandRefused, ContactOffered, ContactWaiting, Event, TimerElapsed
from ..domain.members import Contact, Phase
from ..domain.state import Board
from .again import Again, Decision
from .candidates import Candidate, candidates
from .history import Day, History
from .ports import Queues

Wanted = Callable[[Event], bool]


@dataclass(frozen=True, slots=True)
class Standing:
    """A queue at an instant: who waits, in the order of the policy, each with the agents there are."""

    pool: StreamId
    queue: str
    at: int
    version: int
    policy: str
    waiting: tuple[tuple[Contact, tuple[Candidate, ...]], ...]
    decisions: tuple[Decision, ...]


@dataclass(frozen=True)
class Why:
    """Each question costs a look through the log and the fold of the days it is about. ``tenant`` empty: all."""

    history: History
    queues: Queues

    async def contact(self, contact: str, tenant: str = "") -> list[Decision]:
        """Every decision about ``contact``, of all pools that saw it, by time. Raises ``NotFound``."""
        found: list[Decision] = []
        for pool in await self._pools_of(contact, tenant):
            for day, versions in await self._days_with(pool, contact):
                found += (await self._again(pool, day, versions, contact)).decisions
        return _known(found, f"contact {contact}")

    async def agent(self, agent: str, last: int, tenant: str = "") -> list[Decision]:
        """The last ``last`` decisions that name ``agent``. Raises ``NotFound``."""
        found: list[Decision] = []
        for pool in await self._pools(tenant):
            for day, versions in await self._last_days(pool, agent, last):
                found += (await self._again(pool, day, versions)).decisions
        return _known(found, f"agent {agent}")[-last:]

    async def queue(self, queue: str, at: int, last: int = 3, tenant: str = "") -> Standing:
        """How ``queue`` stood at ``at`` (epoch milliseconds), and its last offers by then. Raises ``NotFound``."""
        for pool in await self._pools_with(queue, tenant):
            day = await self._day_at(pool, at)
            if day is not None:
                return await self._standing(pool, day, queue, at, last)
        raise NotFound(detail=f"queue {queue} at that time")

    # -- where it stands in the log ------------------------------------------------------------------------------------

    async def _pools(self, tenant: str) -> list[StreamId]:
        return [pool for pool in await self.history.pools.all() if tenant in ("", pool.tenant)]

    async def _pools_of(self, contact: str, tenant: str) -> list[StreamId]:
        """Those that noted having seen it (kernel rule 22); notes are kept for 40 days, later all are looked at."""
        pools = await self._pools(tenant)
        seen = [pool for pool in pools if await self.history.seen.get(pool.key, f"{pool.tenant}/contact-{contact}")]
        return seen or pools

    async def _pools_with(self, queue: str, tenant: str) -> list[StreamId]:
        pools = await self._pools(tenant)
        rows = {one: await self.queues.get(one, queue) for one in {pool.tenant for pool in pools}}
        homes = {StreamId(tenant, f"pool-{row.pool}") for tenant, row in rows.items() if row}
        return [pool for pool in pools if pool in homes]

    async def _days_with(self, pool: StreamId, contact: str) -> list[tuple[Day, list[int]]]:
        """From the last day back until the contact's beginning; given from the first on."""
        found: deque[tuple[Day, list[int]]] = deque()
        for day in reversed(await self.history.days_of(pool)):
            facts = [one async for one in self._naming(pool, day, contact, _about(contact))]
            if facts:
                found.appendleft((day, [version for _, version in facts]))
            if any(isinstance(event, ContactWaiting) and event.leg == 1 for event, _ in facts):
                break
        return list(found)

    async def _last_days(self, pool: StreamId, agent: str, last: int) -> list[tuple[Day, list[int]]]:
        found: deque[tuple[Day, list[int]]] = deque()
        for day in reversed(await self.history.days_of(pool)):
            if last <= 0:
                break
            versions = deque([version async for _, version in self._naming(pool, day, agent, _names(agent))], last)
            if versions:
                found.appendleft((day, list(versions)))
            last -= len(versions)
        return list(found)

    async def _naming(
        self, pool: StreamId, day: Day, name: str, wanted: Wanted, until: int | None = None
    ) -> AsyncIterator[tuple[Event, int]]:
        """The wanted facts of ``day``; only rows whose bytes contain ``name`` are worth understanding."""
        history, needle, after = self.history, name.encode(), day.first - 1
        while rows := await history.events.read(pool, after, history.page):
            for row in rows:
                if not day.holds(row.version) or (until is not None and row.recorded_at > until):
                    return
                event = history.codec.read(history.codec.parse(row.value)) if needle in row.value else None
                if event is not None and wanted(event):
                    yield event, row.version
            after = rows[-1].version

    async def _day_at(self, pool: StreamId, at: int) -> Day | None:
        for day in reversed(await self.history.days_of(pool)):
            (first,) = await self.history.events.read(pool, day.first - 1, 1)
            if first.recorded_at <= at:
                return day
        return None

    # -- decided again -------------------------------------------------------------------------------------------------

    async def _again(self, pool: StreamId, day: Day, versions: Sequence[int], watched: str = "") -> Again:
        opened = await self.history.opened_soundly(pool, day)
        again = Again(pool, opened.board, frozenset(versions), watched)
        async for turn in self.history.turns(pool, opened.head, versions[-1]):
            again.take(turn)
        return again

    async def _standing(self, pool: StreamId, day: Day, queue: str, at: int, last: int) -> Standing:
        facts = self._naming(pool, day, queue, _offer_in(queue), at)
        versions = deque([version async for _, version in facts], last)
        opened = await self.history.opened_soundly(pool, day)
        again, head = Again(pool, opened.board, frozenset(versions)), opened.head
        async for turn in self.history.turns(pool, opened.head):
            if turn.at > at:
                break
            again.take(turn)
            head = turn.versions[-1]
        board = again.board
        waiting = tuple((one, candidates(board, one, at)) for one in _waiting_in(board, queue))
        return Standing(pool, queue, at, head, board.policy_name, waiting, tuple(again.decisions))


def _waiting_in(board: Board, queue: str) -> list[Contact]:
    waiting = (one for one in board.contacts.values() if one.queue == queue and one.phase is Phase.WAITING)
    return sorted(waiting, key=lambda one: (board.policy_for(one).order(one), one.id))


def _about(contact: str) -> Wanted:
    return lambda event: getattr(event, "contact", "") == contact and not isinstance(event, TimerElapsed)


def _names(agent: str) -> Wanted:
    return lambda event: getattr(event, "agent", "") == agent and not isinstance(event, CommandRefused)


def _offer_in(queue: str) -> Wanted:
    return lambda event: isinstance(event, ContactOffered) and event.queue == queue


def _known(found: list[Decision], what: str) -> list[Decision]:
    if not found:
        raise NotFound(detail=what)
    return sorted(found, key=lambda one: (one.at, one.pool, one.version))
