"""Ledgers of shifts onto their compacted topic: live while they change, final once the local day is over (AG-6).

A row is a local day in the zone of the agent's pool, made of the stored UTC days that it overlaps; as for service
levels, what is published is what is stored.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from switchlog.clock import Clock
from switchlog.errors import NotNow
from switchlog.log import get_logger
from switchlog.outlet import Record

from ..domain.counters import SPAN, Contribution, Day, DayKey, Span
from ..domain.intervals import interval
from ..domain.ledger import Clerk, between, standing
from ..domain.ledger import spans as stand_through
from ..domain.levels import DAY_MS, Sums, add, add_all
from .ports import Published
from .publishing import AGAIN_FINAL_S, AGAIN_OPEN_S

log = get_logger(__name__)

Local = tuple[str, str, int]
"""(tenant, agent, first instant of the local day)."""


@dataclass(frozen=True, slots=True)
class Shift:
    """An agent's local day from ``begin`` to ``end`` at ``now``; ``running`` is the span that goes on."""

    tenant: str
    agent: str
    tz: ZoneInfo
    begin: int
    end: int
    team: str
    pool: str
    spans: Sequence[Span]
    running: Span | None
    sums: Sums
    revision: int
    final: bool
    freshness_ms: int
    now: int


Write = Callable[[Shift], Record]
Send = Callable[[Sequence[Record]], Awaitable[None]]


@dataclass
class AgentTime:
    """``tick`` once a second; ``zone_of`` a pool, by tenant and name; ``done`` hears of UTC days that need no more."""

    rows: Published
    clock: Clock
    write: Write
    send: Send
    zone_of: Callable[[str, str], Awaitable[ZoneInfo]]
    done: Callable[[DayKey], None]
    changed: set[DayKey] = field(default_factory=set)
    open: dict[Local, int] = field(default_factory=dict)
    later: dict[Local, float] = field(default_factory=dict)
    closed: set[Local] = field(default_factory=set)

    def assigned(self, keys: Iterable[DayKey]) -> None:
        """Days taken over: published now, and again when a former owner can't be writing any more."""
        for tenant, agent, start in keys:
            self.changed.add((tenant, agent, start))
            # the middle of a UTC day is in the local day that most of it is in
            self.later[tenant, agent, start + DAY_MS // 2] = self.clock.monotonic() + AGAIN_OPEN_S

    def revoked(self, keys: Iterable[DayKey]) -> None:
        """Days that another process publishes from now on."""
        gone = {(tenant, agent) for tenant, agent, _ in keys}
        self.changed = {key for key in self.changed if key[:2] not in gone}
        for known in (self.open, self.later):
            for key in [key for key in known if key[:2] in gone]:
                del known[key]
        self.closed = {key for key in self.closed if key[:2] not in gone}

    async def tick(self) -> int:
        """Publish what changed, is due again, or whose day is over; the number of rows."""
        changed, self.changed = {key for key in self.changed if key[1]}, set()  # calls of nobody are no agent's
        due = {key for key, at in self.later.items() if at <= self.clock.monotonic()}
        over = {key for key, end in self.open.items() if end <= self.clock.now()}
        try:
            days = {one for key in changed for one in await self._local_days(key)}
            shifts = [await self._shift(key) for key in sorted(days | due | over)]
            records = [self.write(shift) for shift in shifts if shift is not None]
            if records:
                await self.send(records)
        except NotNow as error:
            self.changed |= changed
            log.warning("agent_time_later", reason=error.reason, rows=len(changed) + len(due) + len(over))
            return 0
        for key in due:
            self._said_again(key)
        for shift in shifts:
            if shift is not None:
                self._remember(shift)
        return len(records)

    async def _local_days(self, key: DayKey) -> set[Local]:
        """The local days that a UTC day overlaps."""
        tenant, agent, start = key
        tz = await self._zone(tenant, agent)
        return {(tenant, agent, interval(at, "1d", tz)[0]) for at in (start, start + DAY_MS - 1)}

    async def _zone(self, tenant: str, agent: str) -> ZoneInfo:
        clerk = await self.rows.clerk(tenant, agent)
        return await self.zone_of(tenant, clerk.pool if clerk else "")

    async def _shift(self, key: Local) -> Shift | None:
        """``None`` of a day in which the agent was not signed in and did nothing."""
        tenant, agent, at = key
        clerk, now = await self.rows.clerk(tenant, agent) or Clerk(agent), self.clock.now()
        tz = await self.zone_of(tenant, clerk.pool)
        begin, end = interval(at, "1d", tz)
        parts = [day for _, day in await self.rows.days_of(tenant, agent, begin, end)]
        known = Day(tenant, agent, begin)
        if clerk.clock >= end:
            _stood(known, clerk, begin, end)
        spans = between((span for day in [*parts, known] for span in day.spans), begin, end)
        running = None if clerk.clock >= end else _running(clerk, begin)
        sums = _sums([*parts, known], begin, end)
        if not spans and not sums and running is None:
            return None
        last = running or (spans[-1] if spans else None)
        over = now >= end and (clerk.presence == 0 or clerk.clock >= end)
        final = over and all(work.since >= end for work in clerk.works.values())
        return Shift(
            tenant, agent, tz, begin, end, last[6] if last else clerk.team, last[7] if last else clerk.pool, spans,
            running, sums, 2 * (sum(day.version for day in parts) + clerk.version) + final, final,
            await self.rows.freshness_ms(tenant, clerk.pool, now), now,
        )  # fmt: skip

    def _remember(self, shift: Shift) -> None:
        key = shift.tenant, shift.agent, shift.begin
        if not shift.final:
            self.open[key] = shift.end if shift.now < shift.end else shift.now + 60_000
            self.closed.discard(key)
        else:
            self.open.pop(key, None)
            if key not in self.closed:
                self.closed.add(key)
                self.later[key] = self.clock.monotonic() + AGAIN_FINAL_S

    def _said_again(self, key: Local) -> None:
        del self.later[key]
        if key in self.closed:
            self.closed.discard(key)
            tenant, agent, begin = key
            for start in range(begin - begin % DAY_MS, begin + DAY_MS, DAY_MS):
                self.done((tenant, agent, start))


def _running(clerk: Clerk, begin: int) -> Span | None:
    """Where the agent stands, since some time of the day that began at ``begin`` or since before it."""
    if clerk.presence == 0 or clerk.since < 0 or clerk.clock < begin:
        return None
    since = max(clerk.since, begin)
    return (since, since, *standing(clerk))


def _stood(known: Day, clerk: Clerk, begin: int, end: int) -> None:
    """The agent was heard of after this day: whatever goes on since then is over as far as the day is concerned."""
    if clerk.presence == 0 or not 0 <= clerk.since < end:
        return
    out: list[Contribution] = []
    stand_through(clerk.agent, out, standing(clerk), clerk.slots, max(clerk.since, begin), end)
    for kind, _, start, what, name, amount in out:
        if kind == SPAN:
            known.spans.append(what)
        else:
            add(known.quarters.setdefault(start, {}).setdefault(what, {}), name, amount)


def _sums(parts: Iterable[Day], begin: int, end: int) -> Sums:
    total: Sums = {}
    for day in parts:
        for start, teams in day.quarters.items():
            if begin <= start < end:
                for sums in teams.values():
                    add_all(total, sums)
    return total
