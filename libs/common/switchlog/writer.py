"""The write side: one queue a stream, decided on the folded state and appended together (kernel rules 1-7)."""

from __future__ import annotations

import asyncio
import random
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final, Generic, TypeVar

from switchlog.clock import Clock
from switchlog.decider import Decider
from switchlog.envelope import MAX_BATCH_BYTES, MAX_BATCH_EVENTS, Cause, Codec, Row, StreamId, compose
from switchlog.errors import NotNow, OutcomeUnknown, Rejected, SwitchlogError, VersionConflict
from switchlog.folds import Fold, Folded, Memory, take_rows
from switchlog.ids import new_id
from switchlog.store import EventStore

C = TypeVar("C")
S = TypeVar("S")
E = TypeVar("E")

TRIES: Final = 5
PAGE: Final = 5000  # rows read at a time when a stream is opened

Publish = Callable[[StreamId, int, Sequence[Row]], None]

Begin = Callable[[StreamId], Awaitable[Fold[S] | None]]


def no_publish(stream: StreamId, head: int, rows: Sequence[Row]) -> None:
    """For tests of a rule book that need no bus."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A command is done: ``version`` of its last event, or the head when there was nothing to do."""

    stream: StreamId
    version: int
    repeated: bool = False


@dataclass(slots=True, eq=False)
class Waiting(Generic[C]):
    """Somebody in the queue; ``command`` None is a look at the state."""

    command: C | None
    cause: Cause
    expect: int | None
    deadline: float
    answer: asyncio.Future[Any]
    started: bool = False

    def give(self, outcome: object) -> None:
        """Answer once; a caller that left or ran out of time is past caring."""
        if self.answer.done():
            return
        if isinstance(outcome, BaseException):
            self.answer.set_exception(outcome)
        else:
            self.answer.set_result(outcome)

    def expire(self) -> None:
        """The caller's deadline, whatever the store is doing."""
        self.give(outcome_unknown() if self.started else NotNow("BUSY", "not begun, safe to retry"))


@dataclass(slots=True, eq=False)
class Desk(Generic[C, S]):
    """One open stream: its fold (None = not read yet), who waits, and the task that serves them."""

    stream: StreamId
    fold: Fold[S] | None = None
    behind: bool = False
    waiting: deque[Waiting[C]] = field(default_factory=deque)
    clerk: asyncio.Task[None] | None = None


@dataclass(slots=True, eq=False)
class Plan(Generic[S]):
    """What one append will do: everything is provisional until it is known, the answers too."""

    stream: StreamId
    expected: int
    state: S
    batch_id: str
    now: int
    rows: list[Row] = field(default_factory=list)
    size: int = 0
    memory: Memory = field(default_factory=Memory)
    outcomes: list[object] = field(default_factory=list)
    rests_on_state: bool = False

    @property
    def head(self) -> int:
        return self.expected + len(self.rows)


def outcome_unknown() -> OutcomeUnknown:
    """What is never called a failure (rule 5)."""
    return OutcomeUnknown("OUTCOME_UNKNOWN", "outcome unknown, safe to retry with the same key")


class Writer(Generic[C, S, E]):
    """Executes commands of one rule book. ``decider.evolve`` must return a new state and leave the old one alone.

    ``publish(stream, head, rows)`` is called after each append with the rows just stored. ``open_streams`` folds are
    kept in memory, idle ones are forgotten first; ``max_waiting`` commands a stream may queue, others get ``NotNow``.
    ``begin(stream)`` gives the fold of a stream's first versions from a snapshot, so that only the rest is read; it
    knows no commands, so it is for rule books that find repeats by their state.
    """

    def __init__(
        self,
        events: EventStore,
        decider: Decider[C, S, E],
        codec: Codec[E],
        publish: Publish,
        clock: Clock,
        deadline_s: float = 5.0,
        *,
        open_streams: int = 10_000,
        max_waiting: int = 10_000,
        chance: random.Random | None = None,
        begin: Begin[S] | None = None,
    ) -> None:
        self._events = events
        self._decider = decider
        self._codec = codec
        self._publish = publish
        self._clock = clock
        self._deadline_s = deadline_s
        self._open_streams = open_streams
        self._max_waiting = max_waiting
        self._chance = chance or random.Random()
        self._begin = begin
        self._desks: OrderedDict[StreamId, Desk[C, S]] = OrderedDict()
        self._closed = False

    @property
    def service(self) -> str:
        """Whose rule book this is."""
        return self._codec.service

    async def execute(self, stream: StreamId, command: C, cause: Cause, *, expect: int | None = None) -> Answer:
        """Decide ``command`` on the stream's state and append what happened; ``expect`` is the version of an If-Match.

        Raises ``Rejected`` by the rule book, ``VersionConflict``, or ``NotNow`` (``OutcomeUnknown``: may stand or not).
        """
        answer = await self._queue(stream, command, cause, expect)
        assert isinstance(answer, Answer)
        return answer

    async def state(self, stream: StreamId, *, fresh: bool = False) -> Folded[S]:
        """The stream's state; may lag behind other processes unless ``fresh``."""
        desk = self._desks.get(stream)
        if desk is not None and desk.fold is not None and not fresh:
            return Folded(desk.fold.state, desk.fold.head, desk.fold.recorded_at)
        answer: Folded[S] = await self._queue(stream, None, _LOOK, None)
        return answer

    async def close(self) -> None:
        """Take no more commands and finish those that wait."""
        self._closed = True
        clerks = [desk.clerk for desk in self._desks.values() if desk.clerk is not None]
        if clerks:
            await asyncio.wait(clerks, timeout=2 * self._deadline_s)

    async def _queue(self, stream: StreamId, command: C | None, cause: Cause, expect: int | None) -> Any:
        if self._closed:
            raise NotNow("STOPPING")
        desk = self._desk(stream)
        if len(desk.waiting) >= self._max_waiting:
            raise NotNow("BUSY", f"{self._max_waiting} commands wait for {stream.name}")
        loop = asyncio.get_running_loop()
        waiting = Waiting(command, cause, expect, loop.time() + self._deadline_s, loop.create_future())
        desk.waiting.append(waiting)
        if desk.clerk is None:
            desk.clerk = loop.create_task(self._work(desk))
        alarm = loop.call_at(waiting.deadline, waiting.expire)
        try:
            return await waiting.answer
        finally:
            alarm.cancel()

    def _desk(self, stream: StreamId) -> Desk[C, S]:
        desk = self._desks.get(stream)
        if desk is None:
            desk = self._desks[stream] = Desk(stream)
            self._forget_idle()
        self._desks.move_to_end(stream)
        return desk

    def _forget_idle(self) -> None:
        surplus = len(self._desks) - self._open_streams
        if surplus > 0:
            idle = (stream for stream, desk in self._desks.items() if desk.clerk is None and desk.fold is not None)
            for stream in list(islice(idle, surplus)):
                del self._desks[stream]

    async def _work(self, desk: Desk[C, S]) -> None:
        while desk.waiting:
            taken = [one for one in desk.waiting if not one.answer.done()]
            desk.waiting.clear()
            if taken:
                desk.waiting.extendleft(reversed(await self._served(desk, taken)))
        desk.clerk = None

    async def _served(self, desk: Desk[C, S], taken: Sequence[Waiting[C]]) -> Sequence[Waiting[C]]:
        """Answer ``taken``, except those returned, which did not fit the append."""
        try:
            async with asyncio.timeout_at(taken[-1].deadline):
                return await self._serve(desk, taken)
        except TimeoutError:
            self._fail(desk, taken, outcome_unknown())
        except Exception as error:
            self._fail(desk, taken, error)
        return ()

    def _fail(self, desk: Desk[C, S], taken: Sequence[Waiting[C]], error: Exception) -> None:
        """Unless the store said that nothing is written, the fold is no longer trusted."""
        if not isinstance(error, SwitchlogError) or isinstance(error, OutcomeUnknown):
            desk.fold = None
        for waiting in taken:
            waiting.give(error)

    async def _serve(self, desk: Desk[C, S], taken: Sequence[Waiting[C]]) -> Sequence[Waiting[C]]:
        """Answer the first of ``taken``, as many as fit one append, when it is known; returns the others."""
        head = -1
        for attempt in range(TRIES):
            if attempt:
                await asyncio.sleep(self._chance.uniform(0, 0.010 * attempt))
            fold, just_read = await self._refreshed(desk)
            plan = self._plan(desk.stream, fold, taken)
            try:
                await self._commit(fold, plan, just_read)
            except VersionConflict as conflict:
                desk.behind, head = True, conflict.head
                continue
            for waiting, outcome in zip(taken, plan.outcomes, strict=False):
                waiting.give(outcome)
            return taken[len(plan.outcomes) :]
        raise VersionConflict(head, f"lost the race {TRIES} times")

    async def _refreshed(self, desk: Desk[C, S]) -> tuple[Fold[S], bool]:
        """The fold up to the stored head, and whether it was read just now (nobody in this batch asked before)."""
        fold, stale = desk.fold, desk.behind
        if fold is not None and not stale:
            return fold, False
        fold = fold or await self._begun(desk.stream)
        desk.fold = None  # a read that fails half way leaves nothing half folded behind
        while rows := await self._events.read(desk.stream, fold.head, PAGE):
            take_rows(fold, rows, self._decider, self._codec)
            if len(rows) < PAGE:
                break
        desk.fold, desk.behind = fold, False
        return fold, True

    async def _begun(self, stream: StreamId) -> Fold[S]:
        snapshot = await self._begin(stream) if self._begin else None
        return snapshot or Fold(self._decider.initial)

    # -- deciding: pure but for the clock and the batch's id ---------------------------------------------------------

    def _plan(self, stream: StreamId, fold: Fold[S], taken: Sequence[Waiting[C]]) -> Plan[S]:
        now = max(self._clock.now(), fold.recorded_at)
        plan = Plan(stream, fold.head, fold.state, self._batch_id(taken), now)
        for waiting in taken:
            outcome = self._outcome(plan, fold, waiting)
            if outcome is _DOES_NOT_FIT:
                break
            waiting.started = True
            plan.outcomes.append(outcome)
        return plan

    def _batch_id(self, taken: Sequence[Waiting[C]]) -> str:
        return new_id()

    def _outcome(self, plan: Plan[S], fold: Fold[S], waiting: Waiting[C]) -> object:
        earlier = self._earlier(plan, fold.memory, waiting.cause)
        if earlier is not None:
            return earlier
        plan.rests_on_state = True
        if waiting.command is None:
            return Folded(plan.state, plan.head, plan.now if plan.rows else fold.recorded_at)
        if waiting.expect is not None and waiting.expect != plan.head:
            return VersionConflict(plan.head)
        try:
            return self._decided(plan, waiting.command, waiting.cause)
        except Exception as error:  # a refusal or a bug of this command alone
            return error

    def _earlier(self, plan: Plan[S], memory: Memory, cause: Cause) -> object | None:
        done = plan.memory.commands.get(cause.command_id) or memory.commands.get(cause.command_id)
        if plan.memory.has_reacted(cause.source) or memory.has_reacted(cause.source):
            return Answer(plan.stream, done.version if done else plan.head, repeated=True)
        if done is None:
            return None
        if done.digest != cause.digest:
            return Rejected("IDEMPOTENCY_KEY_REUSED", "the same key was used with another body", invalid=True)
        return Answer(plan.stream, done.version, repeated=True)

    def _decided(self, plan: Plan[S], command: C, cause: Cause) -> object:
        events = self._decider.decide(command, plan.state, plan.now)
        if not events:
            return Answer(plan.stream, plan.head)
        rows = compose(plan.stream, plan.head, [(cause, events)], self._codec, plan.batch_id, plan.now)
        size = sum(row.size for row in rows)
        if len(rows) > MAX_BATCH_EVENTS or size > MAX_BATCH_BYTES:
            raise Rejected("TOO_LARGE", f"a command appends at most {MAX_BATCH_EVENTS} events and 1 MiB", invalid=True)
        if len(plan.rows) + len(rows) > MAX_BATCH_EVENTS or plan.size + size > MAX_BATCH_BYTES:
            return _DOES_NOT_FIT
        plan.state = self._decider.fold(events, plan.state)
        plan.rows += rows
        plan.size += size
        plan.memory.learn(cause.command_id, cause.digest, plan.head, cause.source)
        return Answer(plan.stream, plan.head)

    # -- appending ---------------------------------------------------------------------------------------------------

    async def _commit(self, fold: Fold[S], plan: Plan[S], just_read: bool) -> None:
        """Make the plan true, or at least sure; raises ``VersionConflict`` when the fold it rests on is behind."""
        if plan.rows:
            await self._append(plan)
            fold.state, fold.head, fold.recorded_at = plan.state, plan.head, plan.now
            self._publish(plan.stream, plan.head, plan.rows)
        elif plan.rests_on_state and not just_read:
            head = await self._events.head(plan.stream)
            if head != fold.head:
                raise VersionConflict(head)
        fold.memory.add(plan.memory)

    async def _append(self, plan: Plan[S]) -> None:
        try:
            await self._events.append(plan.stream, plan.expected, plan.batch_id, plan.rows)
        except OutcomeUnknown:
            await self._find_out(plan)

    async def _find_out(self, plan: Plan[S]) -> None:
        """Rule 5, until the callers' deadline: read the row this batch would begin with, send it again if absent."""
        pause = 0.005
        while True:
            try:
                row = await self._events.read_serial(plan.stream, plan.expected + 1)
                if row is None:
                    await self._events.append(plan.stream, plan.expected, plan.batch_id, plan.rows)
                    return
            except NotNow:  # still nothing known: the first send may stand even where this one was refused
                await asyncio.sleep(pause)
                pause = min(2 * pause, 0.25)
                continue
            if row.batch_id != plan.batch_id:
                raise VersionConflict(row.version)
            return


_LOOK: Final = Cause(command_id="", digest="", actor="")
_DOES_NOT_FIT: Final = object()
