"""A world in which every call may be late, lost or the last: real writers and relays, store and topic in memory.

Time is virtual and chance is seeded, so a schedule is a number and thousands of them run in seconds.
"""

from __future__ import annotations

import asyncio
import random
import selectors
from collections import defaultdict
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any

from switchlog.clock import Clock
from switchlog.envelope import Cause, Row, StreamId
from switchlog.errors import NotNow, OutcomeUnknown, Rejected, VersionConflict
from switchlog.relay import Relay, sweep, sweep_once
from switchlog.store import Pending
from switchlog.writer import Answer, Writer

from .tally import TALLY, Command, Count, SeatTaken, TakeSeat, codec


class Instant(selectors.SelectSelector):
    """Nobody ever sleeps: when all wait, the time moves to the next timer."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise RuntimeError("everybody waits for ever")
        self.now += max(timeout, 0.0)
        return []


class InstantLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._instant = Instant()
        super().__init__(self._instant)

    def time(self) -> float:
        return self._instant.now


def run(main: Coroutine[Any, Any, Any], loop: InstantLoop) -> Any:
    """``main`` in virtual time; whatever is still running afterwards is ended."""
    try:
        return loop.run_until_complete(main)
    finally:
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))


class LoopClock:
    def now(self) -> int:
        return 1_750_000_000_000 + int(asyncio.get_running_loop().time() * 1000)

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()


@dataclass
class Disk:
    """What survives: the log with its watermarks (kernel rule 9), and the topic."""

    rows: dict[StreamId, list[Row]] = field(default_factory=lambda: defaultdict(list))
    watermarks: dict[StreamId, int] = field(default_factory=lambda: defaultdict(int))
    topic: dict[bytes, list[Row]] = field(default_factory=lambda: defaultdict(list))
    marks: bool = True

    def append(self, stream: StreamId, expected: int, batch_id: str, rows: Sequence[Row]) -> int:
        log = self.rows[stream]
        if len(log) > expected and log[expected].batch_id == batch_id:
            return expected + len(rows)
        if len(log) != expected:
            raise VersionConflict(len(log))
        log.extend(rows)
        return len(log)


@dataclass
class Power:
    """A process's life: ``await power.pass_by()`` at each step; after the last one no call ever returns."""

    chance: random.Random
    steps_left: int = 1_000_000
    dead: asyncio.Event = field(default_factory=asyncio.Event)

    async def pass_by(self) -> None:
        self.steps_left -= 1
        if self.steps_left <= 0:
            self.dead.set()
        if self.dead.is_set():
            await asyncio.get_running_loop().create_future()
        await asyncio.sleep(self.chance.choice((0, 0, 0.001, 0.02)))


@dataclass
class Reach:
    """One process's way to disk and topic. ``trouble`` is the share of calls that go wrong."""

    disk: Disk
    power: Power
    chance: random.Random
    trouble: float

    def _fate(self, *bad: str) -> str:
        return self.chance.choice(bad) if self.chance.random() < self.trouble else "fine"

    def _later(self, effect: Callable[[], object]) -> None:
        def land() -> None:
            try:
                effect()
            except VersionConflict:
                pass

        asyncio.get_running_loop().call_later(self.chance.choice((0.001, 0.03, 0.5, 6.0)), land)

    async def append(self, stream: StreamId, expected: int, batch_id: str, rows: Sequence[Row]) -> int:
        await self.power.pass_by()
        fate = self._fate("away", "lost request", "lost reply", "late")
        if fate == "away":
            raise NotNow("STORE_AWAY")
        if fate == "late":
            self._later(lambda: self.disk.append(stream, expected, batch_id, rows))
        if fate in ("lost request", "late"):
            raise OutcomeUnknown()
        head = self.disk.append(stream, expected, batch_id, rows)
        await self.power.pass_by()
        if fate == "lost reply":
            raise OutcomeUnknown()
        return head

    async def read(self, stream: StreamId, after: int = 0, limit: int | None = None) -> list[Row]:
        await self.power.pass_by()
        if self._fate("away") == "away":
            raise NotNow("STORE_AWAY")
        return self.disk.rows[stream][after:][:limit]

    async def read_serial(self, stream: StreamId, version: int) -> Row | None:
        await self.power.pass_by()
        if self._fate("away") == "away":
            raise NotNow("STORE_AWAY")
        return next(iter(self.disk.rows[stream][version - 1 : version]), None)

    async def head(self, stream: StreamId) -> int:
        await self.power.pass_by()
        return len(self.disk.rows[stream])

    async def watermark(self, stream: StreamId) -> int:
        await self.power.pass_by()
        return self.disk.watermarks[stream]

    async def published(self, stream: StreamId, version: int) -> None:
        await self.power.pass_by()
        if self._fate("away") == "away":
            raise NotNow("STORE_AWAY")
        self.disk.watermarks[stream] = max(version, self.disk.watermarks[stream])

    async def pending(self, limit: int = 1000) -> list[Pending]:
        await self.power.pass_by()
        if not self.disk.marks:
            return []
        return [Pending(s) for s, rows in self.disk.rows.items() if len(rows) > self.disk.watermarks[s]]

    async def settle(self, pending: Pending) -> None:
        await self.power.pass_by()

    async def publish(self, topic: str, key: bytes, rows: Sequence[Row]) -> int:
        await self.power.pass_by()
        batch = rows[: self.chance.randint(1, len(rows))]
        fate = self._fate("refused", "lost acknowledgement", "late")
        if fate == "late":
            self._later(lambda: self.disk.topic[key].extend(batch))
        if fate in ("refused", "late"):
            raise ConnectionError(fate)
        self.disk.topic[key].extend(batch)
        await self.power.pass_by()
        if fate == "lost acknowledgement":
            raise ConnectionError(fate)
        return len(batch)

    async def close(self) -> None:
        """Nothing to close."""


@dataclass(frozen=True)
class Kinds:
    """Which writer, relay and store a schedule runs with: the right ones unless a test says otherwise."""

    writer: type[Writer[Any, Any, Any]] = Writer
    relay: type[Relay] = Relay
    marks: bool = True


class Process:
    """A writer, a relay and its sweeper, as in one service."""

    def __init__(self, disk: Disk, kinds: Kinds, chance: random.Random, steps: int, trouble: float) -> None:
        clock: Clock = LoopClock()
        patience = chance.choice((0.04, 1.0)) if trouble else 1.0
        self.power = Power(chance, steps)
        self.reach = Reach(disk, self.power, chance, trouble)
        self.relay = kinds.relay(self.reach, self.reach, lambda _: "tally.events.v1", chance=chance)
        self.writer = kinds.writer(self.reach, TALLY, codec(), self.relay.notify, clock, patience, chance=chance)
        self.sweeper = asyncio.create_task(sweep(self.relay, self.reach, chance=chance))

    async def execute(self, stream: StreamId, command: Command, cause: Cause) -> Answer:
        """As a client sees it: an answer, a refusal, or the line goes dead."""
        call = asyncio.create_task(self.writer.execute(stream, command, cause))
        death = asyncio.create_task(self.power.dead.wait())
        await asyncio.wait((call, death), return_when=asyncio.FIRST_COMPLETED)
        death.cancel()
        if not call.done():
            call.add_done_callback(forget)
            raise NotNow("DIED")
        return call.result()


def forget(call: asyncio.Task[Answer]) -> None:
    """Nobody is left to hear how it ended."""
    if not call.cancelled():
        call.exception()


@dataclass
class Told:
    """What clients were told."""

    done: list[tuple[StreamId, Command, str, Answer]] = field(default_factory=list)
    refused: list[tuple[StreamId, str]] = field(default_factory=list)


class Story:
    """A seeded schedule: clients that insist, processes that die, and what must be true in the end."""

    def __init__(self, seed: int, kinds: Kinds) -> None:
        self.chance = random.Random(seed)
        self.kinds = kinds
        self.disk = Disk(marks=kinds.marks)
        self.told = Told()
        self.processes: list[Process] = []

    async def play(self) -> None:
        streams = [StreamId("acme", f"tally-{n}") for n in range(self.chance.randint(1, 2))]
        number = 0
        for _ in range(self.chance.randint(1, 3)):
            self._start(self.chance.randint(1, 2), trouble=0.15)
            numbers = range(number, number + self.chance.randint(2, 6))
            clients = [asyncio.create_task(self._client(self.chance.choice(streams), n)) for n in numbers]
            number = numbers.stop
            await asyncio.wait(clients, timeout=self.chance.choice((0.05, 0.5, 5.0)))
            for process in self.processes:
                process.power.dead.set()
        self._start(1, trouble=0.0)
        await asyncio.sleep(10)  # clients finish, late writes land, the sweeper looks several times
        await sweep_once(self.processes[0].relay, self.processes[0].reach)

    def _start(self, count: int, trouble: float) -> None:
        steps = [self.chance.randint(5, 80) if trouble else 1_000_000 for _ in range(count)]
        self.processes = [Process(self.disk, self.kinds, self.chance, n, trouble) for n in steps]

    async def _client(self, stream: StreamId, number: int) -> None:
        command, command_id = self._command(number), f"c{number}"
        while True:
            process = self.chance.choice(self.processes)
            try:
                answer = await process.execute(stream, command, Cause(command_id, "digest", "client"))
            except (NotNow, VersionConflict):
                await asyncio.sleep(0.05)
            except Rejected as refusal:
                self.told.refused.append((stream, refusal.detail))
                return
            else:
                self.told.done.append((stream, command, command_id, answer))
                return

    def _command(self, number: int) -> Command:
        kind = self.chance.randrange(3)
        return TakeSeat(f"p{number % 2}") if kind == 0 else Count(f"c{number}", times=kind)

    def check(self) -> None:
        for stream, rows in self.disk.rows.items():
            check_log(rows)
            check_topic(rows, self.disk.topic[stream.key.encode()])
        for stream, command, command_id, answer in self.told.done:
            check_effect(self.disk.rows[stream], command, command_id, answer)
        for stream, holder in self.told.refused:
            assert SeatTaken(holder) in codec().events(self.disk.rows[stream]), "refused because of what never happened"


def check_log(rows: Sequence[Row]) -> None:
    assert [row.version for row in rows] == list(range(1, len(rows) + 1)), "versions"
    effects: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        effects[row.command_id].add(row.batch_id)
    assert all(len(batches) == 1 for batches in effects.values()), "one command, two effects"
    assert [row.recorded_at for row in rows] == sorted(row.recorded_at for row in rows), "recorded_at decreases"


def check_topic(rows: Sequence[Row], topic: Sequence[Row]) -> None:
    """P1, P2 and P5: first occurrences are 1..head in order, repeats are identical."""
    first = list({row.version: row for row in topic}.values())
    seen = list(dict.fromkeys(row.version for row in topic))
    assert seen == list(range(1, len(rows) + 1)), f"stored 1..{len(rows)}, published in the order {seen}"
    assert first == list(rows), "published bytes differ from stored ones"


def check_effect(rows: Sequence[Row], command: Command, command_id: str, answer: Answer) -> None:
    own = [row.version for row in rows if row.command_id == command_id]
    match command:
        case Count(_, times):
            assert len(own) == times, "an acknowledged command is lost"
            assert answer.version == own[-1], "the answer is not stable"
        case TakeSeat(by):
            assert SeatTaken(by) in codec().events(rows[: answer.version]), "already true, but it was not"


def tell(seed: int, kinds: Kinds, loop: InstantLoop) -> None:
    """Play and check schedule ``seed``; raises ``AssertionError`` when a promise is broken."""

    async def whole() -> None:
        story = Story(seed, kinds)
        await story.play()
        story.check()

    run(whole(), loop)
