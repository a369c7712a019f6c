"""Load, decide, append beside the `eventsourcing` package, both on SQLite, alone and with 64 callers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from benchmarks.figures import Ceiling, Figure
from benchmarks.kernel.conversation import CODEC, CONVERSATION, cause, ready_rows, say, streams
from benchmarks.place import OPPONENTS, Place, bench_python
from benchmarks.sampling import Stopwatch, in_turns
from switchlog.clock import SystemClock
from switchlog.store import EventStore
from switchlog.store.sqlite import open_sqlite
from switchlog.writer import Writer, no_publish

ROUNDS = 5
STREAMS = 256  # a multiple of the callers: nobody shares a stream
HISTORY = 20  # events of each stream before the first command
COMMANDS = {1: 1000, 64: 3000}
GOALS = {1: "goal ≥ 1.5", 64: "goal ≥ 5"}


@dataclass(frozen=True)
class Mode:
    """Whether folds stay in memory here, and aggregates in the package's cache."""

    kept: bool
    cached: bool
    goal: bool = False

    @property
    def name(self) -> str:
        ours = "state kept" if self.kept else f"loading {HISTORY}+ events"
        return f"{ours} against {'cached' if self.cached else 'loading'}"


# as both come; then each with what the other one does
MODES = (Mode(kept=True, cached=False, goal=True), Mode(kept=False, cached=False), Mode(kept=True, cached=True))


async def run(place: Place) -> list[Figure]:
    async with _opponent(place) as opponent, _log(place) as log:
        subjects = {True: Subject(log, open_streams=2 * STREAMS), False: Subject(log, open_streams=1)}
        return [
            await _measure(place, subjects[mode.kept], opponent, callers, mode)
            for mode in MODES
            for callers in COMMANDS
        ]


async def _measure(place: Place, subject: Subject, opponent: Opponent, callers: int, mode: Mode) -> Figure:
    commands = place.scaled(COMMANDS[callers])
    await subject.rate(callers, STREAMS)
    samples = {
        "subject": lambda: subject.rate(callers, commands),
        "opponent": lambda: opponent.rate(callers, commands, mode.cached),
    }
    found = await in_turns(place.rounds(ROUNDS), samples)
    return Figure(
        f"load + decide + append, sqlite, {callers} caller{'s' * (callers > 1)}, {mode.name}",
        "1/s",
        found["subject"],
        Ceiling(f"eventsourcing {opponent.version}, {opponent.pragmas}", found["opponent"]),
        note=GOALS[callers] if mode.goal else "",
        versions={"eventsourcing": opponent.version},
    )


class Subject:
    """A writer without a bus: the package publishes nothing either."""

    def __init__(self, log: EventStore, open_streams: int) -> None:
        self._writer: Writer[Any, Any, Any] = Writer(
            log, CONVERSATION, CODEC, no_publish, SystemClock(), open_streams=open_streams
        )
        self._streams = streams(STREAMS, "bench")

    async def rate(self, callers: int, commands: int) -> float:
        watch = Stopwatch()
        await asyncio.gather(*(self._call(n, callers, commands) for n in range(callers)))
        return commands / watch()

    async def _call(self, first: int, callers: int, commands: int) -> None:
        for n in range(first, commands, callers):
            await self._writer.execute(self._streams[n % STREAMS], say(), cause())


@asynccontextmanager
async def _log(place: Place) -> AsyncIterator[EventStore]:
    store = await open_sqlite(place.root / "stores" / f"{place.fresh('load')}.db")
    try:
        for stream in streams(STREAMS, "bench"):
            rows = ready_rows(stream, 1, HISTORY)
            await store.events.append(stream, 0, rows[0].batch_id, rows)
        yield store.events
    finally:
        await store.close()


@dataclass
class Opponent:
    """The other process, which waits while it isn't asked."""

    process: asyncio.subprocess.Process
    pragmas: str
    version: str

    async def rate(self, callers: int, commands: int, cache: bool) -> float:
        assert self.process.stdin is not None
        self.process.stdin.write(
            json.dumps({"callers": callers, "commands": commands, "cache": cache}).encode() + b"\n"
        )
        return float((await _line(self.process))["per_s"])


async def _line(process: asyncio.subprocess.Process) -> dict[str, Any]:
    assert process.stdout is not None
    line = await process.stdout.readline()
    if not line:
        raise RuntimeError("the opponent ended; its error stands above")
    found: dict[str, Any] = json.loads(line)
    return found


@asynccontextmanager
async def _opponent(place: Place) -> AsyncIterator[Opponent]:
    python = await asyncio.to_thread(bench_python)
    script, file = OPPONENTS / "eventsourcing_conversation.py", place.root / place.fresh("eventsourcing")
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        python, script, str(file), str(STREAMS), str(HISTORY), stdin=pipe, stdout=pipe
    )
    try:
        found = await _line(process)
        pragmas = f"journal {found['journal_mode']}, synchronous {found['synchronous']}"
        yield Opponent(process, pragmas, found["version"])
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
