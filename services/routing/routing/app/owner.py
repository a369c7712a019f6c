"""One pool as this process owns it: inputs in, decisions appended, everything else after (kernel rules 19-24)."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from zoneinfo import ZoneInfo

from switchlog.clock import Clock
from switchlog.envelope import Cause, Codec, Row, StreamId
from switchlog.errors import VersionConflict
from switchlog.ids import derived, new_id
from switchlog.log import get_logger
from switchlog.store import EventStore, SeenStore

from ..domain.commands import Order, StartDay, TakePool
from ..domain.decide import decide_one
from ..domain.events import Event, Observed, PoolDayStarted, PoolTaken, TimerElapsed, TimerKind
from ..domain.expressions import NO_EXPRESSIONS, Expressions
from ..domain.state import Board
from . import log as pool_log
from .deadlines import Deadlines
from .log import append_surely, catch_up, open_board, patiently
from .ports import Answers, Arrived, Bus, Days, Fenced, Told
from .turns import Turn, parts, rows_of, too_big

SERVICE = "routing"
AT_ONCE = 200
SEEN_KEPT = 50_000
CARRIED_AT_ONCE = 6

log = get_logger(__name__)


@dataclass(frozen=True)
class Tools:
    """What every owner in this process shares; ``told`` hears of rows at once (relay, those who wait for an answer)."""

    events: EventStore
    seen: SeenStore
    answers: Answers
    days: Days
    codec: Codec[Event]
    clock: Clock
    bus: Bus
    told: Sequence[Told]
    zone: ZoneInfo
    name: str
    expressions: Expressions = NO_EXPRESSIONS


class Owner:
    """``put`` inputs, ``await run()`` until fenced or cancelled; ``done(offset)`` once an input has had its effect."""

    def __init__(self, stream: StreamId, tools: Tools, done: Callable[[int], None]) -> None:
        self.stream, self._tools, self._done = stream, tools, done
        self._inbox: deque[Arrived] = deque()
        self._awake = asyncio.Event()
        self._stopping = False
        self._deadlines = Deadlines(zone=tools.zone)
        self._seen: dict[str, int] = {}
        self._board = Board(stream.tenant, pool_log.pool_id(stream))
        self._head = self._recorded_at = 0

    @property
    def waiting(self) -> int:
        """Inputs not decided yet."""
        return len(self._inbox)

    def put(self, arrived: Arrived) -> None:
        self._inbox.append(arrived)
        self._awake.set()

    def successor(self) -> Owner:
        """A fresh look at the same pool, with the inputs that wait."""
        heir = Owner(self.stream, self._tools, self._done)
        heir._inbox, heir._stopping = self._inbox, self._stopping
        return heir

    def stop(self) -> None:
        """Finish the batch in hand, then return from ``run``."""
        self._stopping = True
        self._awake.set()

    async def run(self) -> None:
        """Take the pool, then decide what comes and what is due. Raises ``Fenced`` when another owner has taken it."""
        await self.take()
        while not self._stopping:
            await self._something_to_do()
            await self._tools.bus.wait_up()
            await self._timers()
            if self._inbox and not self._stopping:
                await self.tell([self._inbox[n] for n in range(min(len(self._inbox), AT_ONCE))])

    # -- taking over ---------------------------------------------------------------------------------------------------

    async def take(self) -> None:
        """Fold the log, append ``PoolTaken``: whatever a former owner has in flight loses from here on (rule 20)."""
        chapter = await patiently(partial(self._tools.days.latest, self.stream))
        opened = await patiently(partial(open_board, self._tools.events, self._tools.codec, self.stream, chapter))
        opened.board.use(self._tools.expressions)
        for attempt in range(100):
            self._board, self._head, self._recorded_at = opened.board, opened.head, opened.recorded_at
            mine = opened.board.generation + 1
            taking = Turn(_own_cause(self.stream, "take", new_id()), [PoolTaken(self._tools.name, mine)])
            try:
                await self._append([taking], self._now(), check=False)
                break
            except VersionConflict:
                await asyncio.sleep(0.002 * attempt)
                await patiently(partial(catch_up, self._tools.events, self._tools.codec, self.stream, opened))
        else:
            raise Fenced
        decide_one(TakePool(self._tools.name, mine), self._board, self._recorded_at)
        await self._remember(opened.observed)
        await patiently(partial(self._tools.answers.fold, self.stream, [row for _, row in opened.recent]))
        await self._tools.bus.wait_up()  # an outage is as long as it is only when it is over
        self._deadlines.start(self._board, self._now(), self._tools.bus.time(), self._tools.bus.lost_since)
        log.info("pool_taken", pool=self.stream.key, generation=mine, head=self._head)

    # -- deciding ------------------------------------------------------------------------------------------------------

    async def tell(self, batch: Sequence[Arrived]) -> None:
        """Decide ``batch`` (the head of the inbox, or timers) and append it; all its inputs share one now."""
        news = await self._news(batch)
        now = self._now()
        await self._new_day(now)
        decided = [(one, decide_one(one.item, self._board, now)) for one in news]
        turns = [Turn(one.cause, events) for one, events in decided if events]
        rows: list[Row] = []
        for part in parts(turns):
            rows += await self._append(part, now)
        self._deadlines.follow((e for turn in turns for e in turn.events), self._board, now, self._tools.bus.time())
        await self._after(news, rows)
        for one in batch:
            if one.offset >= 0:
                self._inbox.popleft()
                self._done(one.offset)

    async def _append(self, turns: Sequence[Turn], now: int, *, check: bool = True) -> list[Row]:
        batch_id = new_id()
        rows = rows_of(self.stream, self._head, turns, self._tools.codec, batch_id, now)
        if too_big(rows) and len(turns) > 1:
            half = len(turns) // 2
            return await self._append(turns[:half], now) + await self._append(turns[half:], now)
        try:
            await append_surely(self._tools.events, self.stream, self._head, batch_id, rows)
        except VersionConflict:
            if check:
                log.info("pool_lost", pool=self.stream.key, generation=self._board.generation)
                raise Fenced from None
            raise
        self._head, self._recorded_at = rows[-1].version, now
        for told in self._tools.told:
            told(self.stream, self._head, rows)
        return rows

    async def _news(self, batch: Sequence[Arrived]) -> list[Arrived]:
        """Rule 22: the board knows the streams that are on it, the durable table the others, the answers old orders."""
        await self._load([one.item.source for one in batch if isinstance(one.item, Observed)])
        fresh: list[Arrived] = []
        for one in batch:
            if isinstance(one.item, Observed):
                seen = self._seen.get(one.item.source, 0)
                if not self._board.is_news(one.item.source, one.item.version, seen):
                    continue
                self._seen[one.item.source] = one.item.version
            elif isinstance(one.item, Order) and await self._answered(one.item):
                continue
            fresh.append(one)
        return fresh

    async def _load(self, sources: Sequence[str]) -> None:
        missing = [source for source in dict.fromkeys(sources) if source not in self._seen]
        if len(self._seen) > SEEN_KEPT:
            self._seen = dict(list(self._seen.items())[SEEN_KEPT // 2 :])
        unknown = [source for source in missing if self._board.version_of(source) is None]
        if unknown:
            found = await patiently(partial(self._tools.seen.get_many, self.stream.key, unknown))
            self._seen |= {source: found.get(source, 0) for source in unknown}

    async def _answered(self, order: Order) -> bool:
        if order.command_id in self._board.commands:
            return True
        answer = await patiently(partial(self._tools.answers.get, self.stream.tenant, order.command_id))
        return answer is not None and answer.reason != "EXPIRED"

    async def _after(self, news: Sequence[Arrived], rows: Sequence[Row]) -> None:
        """Written after the append and before the commit."""
        observed = {one.item.source: one.item.version for one in news if isinstance(one.item, Observed)}
        answers = patiently(partial(self._tools.answers.fold, self.stream, rows))
        await asyncio.gather(self._remember(observed), answers)  # together they are one commit

    async def _remember(self, observed: dict[str, int]) -> None:
        if observed:
            await patiently(partial(self._tools.seen.put_many, self.stream.key, observed))

    # -- time ----------------------------------------------------------------------------------------------------------

    def _now(self) -> int:
        return max(self._tools.clock.now(), self._recorded_at)

    async def _something_to_do(self) -> None:
        if self._inbox or self._stopping:
            return
        self._awake.clear()
        due = self._deadlines.next()
        wait = None if due is None else max(0.0, due - self._tools.bus.time())
        try:
            await asyncio.wait_for(self._awake.wait(), wait)
        except TimeoutError:
            return

    async def _timers(self) -> None:
        """Nothing elapses on a bus that may be away: it is asked before, and deadlines move by an outage."""
        if self._deadlines.due(self._tools.bus.time()) and await self._tools.bus.alive():
            elapsed = self._deadlines.due(self._tools.bus.time())[:AT_ONCE]
            await self.tell([Arrived(self.stream, timer, self._timer_cause(timer)) for timer in elapsed])
            self._deadlines.told(elapsed, self._board, self._now(), self._tools.bus.time())

    def _timer_cause(self, timer: TimerElapsed) -> Cause:
        match timer.kind:
            case TimerKind.OFFER:
                what = timer.offer_id
            case TimerKind.FINALITY:
                what = f"{timer.queue}@{timer.interval_end}"
            case TimerKind.HOURS:
                what = f"hours:{timer.queue}:{timer.open}:{timer.threshold_ms}"
            case _:
                what = f"{timer.contact}#{timer.leg}:{timer.step}"
        return _own_cause(self.stream, "timer", f"{what}@{timer.due_at}")

    async def _new_day(self, now: int) -> None:
        """A chapter at local midnight (rule 19), in as many appends as needed while the inputs wait."""
        date = datetime.fromtimestamp(now / 1000, UTC).astimezone(self._tools.zone).date().isoformat()
        if date == self._board.date:
            return
        first, carry_id = self._head + 1, new_id()
        events = decide_one(StartDay(date, carry_id, str(self._tools.zone)), self._board, now)
        assert isinstance(events[0], PoolDayStarted)
        for n in range(0, len(events), CARRIED_AT_ONCE):
            cause = _own_cause(self.stream, carry_id, str(n))
            await self._append([Turn(cause, events[n : n + CARRIED_AT_ONCE])], now)
        await patiently(partial(self._tools.days.put, self.stream, date, first))


def _own_cause(stream: StreamId, *what: str) -> Cause:
    return Cause(derived(stream.key, *what), "", SERVICE, correlation_id=stream.name)
