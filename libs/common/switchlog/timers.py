"""Fires what is due, within a second, also after a restart: timers are rows and firing is an idempotent command."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from itertools import groupby

from switchlog.clock import Clock
from switchlog.envelope import Row, StreamId
from switchlog.errors import NotFound, NotNow, Poison, Rejected, VersionConflict
from switchlog.ids import derived
from switchlog.log import get_logger
from switchlog.store import Timer, TimerChange, TimerSet, TimersOf, TimerStore, no_timers
from switchlog.telemetry import SpanKind, meter, span

log = get_logger(__name__)

Fire = Callable[[Timer], Awaitable[None]]

# Another process may set a timer without our hearing of it, so nobody sleeps longer than this.
LONGEST_SLEEP_S = 0.5
PAUSE_AFTER_FAILURE_S = 0.2
BATCH = 1_000
AT_ONCE = 64

_fired = meter("switchlog").create_counter(
    "switchlog.timers", "{timer}", "Timers by outcome: fired, refused, later, broken."
)
_late = meter("switchlog").create_histogram(
    "switchlog.timers.lateness", "s", "How long after its instant a timer fired."
)


def timer_command_id(timer: Timer) -> str:
    """The id of the command that firing gives: the same however often and by whomever it is fired."""
    return derived(timer.stream.key, "timer", timer.id, timer.due_at)


class TimerRunner:
    """``run`` until cancelled. ``nudge`` when a timer has been set, so that it does not wait for the next look.

    ``fire`` gives the command and returns when it stands; ``Rejected`` and ``NotFound`` mean that the timer has become
    pointless, ``NotNow`` and ``VersionConflict`` that it fires again soon, ``Poison`` that it is set aside until a
    restart. Timers of one stream fire in order, those of ``AT_ONCE`` streams side by side.
    """

    def __init__(
        self, timers: TimerStore, clock: Clock, fire: Fire, *, longest_sleep_s: float = LONGEST_SLEEP_S
    ) -> None:
        self._timers, self._clock, self._fire = timers, clock, fire
        self._longest_sleep_s = longest_sleep_s
        self._nudged = asyncio.Event()
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._broken: set[Timer] = set()

    def nudge(self) -> None:
        """A timer may be due earlier than what we sleep for."""
        self._nudged.set()

    async def run(self) -> None:
        """Fire what falls due; raises what ``fire`` raises by mistake."""
        while True:
            self._nudged.clear()
            await self._sleep(await self._look())

    async def _look(self) -> float:
        """Fire what is due now; seconds until the next look."""
        try:
            due = await self._timers.due(self._clock.now(), BATCH + len(self._broken))
            ripe = [timer for timer in due if timer not in self._broken]
            if ripe:
                return 0.0 if await self._fire_all(ripe) else PAUSE_AFTER_FAILURE_S
            return self._until(await self._timers.next_due())
        except NotNow as error:
            log.warning("timers_unreadable", reason=error.reason)
            return PAUSE_AFTER_FAILURE_S

    def _until(self, next_due: int | None) -> float:
        if next_due is None:
            return self._longest_sleep_s
        wait = (next_due - self._clock.now()) / 1000
        # due but set aside: not an instant to wake up for
        return min(wait, self._longest_sleep_s) if wait > 0 else self._longest_sleep_s

    async def _sleep(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._nudged.wait()
        except TimeoutError:
            return

    async def _fire_all(self, due: Sequence[Timer]) -> bool:
        by_stream = sorted(due, key=lambda timer: (timer.stream, timer.due_at, timer.id))
        try:
            async with asyncio.TaskGroup() as tasks:
                fired = [
                    tasks.create_task(self._in_order(list(timers)))
                    for _, timers in groupby(by_stream, key=lambda timer: timer.stream)
                ]
        except ExceptionGroup as group:
            raise group.exceptions[0] from group
        return all(task.result() for task in fired)

    async def _in_order(self, timers: Sequence[Timer]) -> bool:
        """False when one has to wait; the later ones of its stream wait with it."""
        async with self._slots:
            for timer in timers:
                if not await self._one(timer):
                    return False
        return True

    async def _one(self, timer: Timer) -> bool:
        try:
            with span(f"timer {timer.kind}", SpanKind.INTERNAL, root=True):
                await self._fire(timer)
        except (Rejected, NotFound) as error:
            log.info("timer_refused", stream=timer.stream.key, kind=timer.kind, reason=error.reason)
            self._count(timer, "refused")
        except (NotNow, VersionConflict) as error:
            log.warning("timer_later", stream=timer.stream.key, kind=timer.kind, reason=error.reason)
            self._count(timer, "later")
            return False
        except Poison as error:
            log.error("timer_broken", stream=timer.stream.key, kind=timer.kind, reason=error.reason)
            self._broken.add(timer)
            self._count(timer, "broken")
            return True
        else:
            _late.record(max(0, self._clock.now() - timer.due_at) / 1000, {"kind": timer.kind})
            self._count(timer, "fired")
        # a crash before this fires it again, to no effect
        await self._timers.done(timer)
        return True

    def _count(self, timer: Timer, outcome: str) -> None:
        _fired.add(1, {"kind": timer.kind, "outcome": outcome})


class Nudges:
    """Wakes this process's runners when one of its events has set a timer.

    ``heard`` stands between a store and the service's ``timers_of``; ``written(stream)`` is called after each call by
    which a store may have written timers of ``stream``.
    """

    def __init__(self) -> None:
        self.runners: list[TimerRunner] = []
        self._set: set[StreamId] = set()

    def heard(self, timers_of: TimersOf) -> TimersOf:
        """``timers_of``, overheard."""
        if timers_of is no_timers:  # stores know it by name
            return timers_of

        def overheard(stream: StreamId, row: Row) -> Sequence[TimerChange]:
            changes = timers_of(stream, row)
            if any(isinstance(change, TimerSet) for change in changes):
                self._set.add(stream)
            return changes

        return overheard

    def written(self, stream: StreamId) -> None:
        """The timers of ``stream`` are durable."""
        if stream in self._set:
            self._set.discard(stream)
            for runner in self.runners:
                runner.nudge()
