"""SQLite behind asyncio: one thread that commits all waiting writes together, a few for reads that take their time."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from switchlog.errors import NotNow, OutcomeUnknown, SwitchlogError

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]

MAX_JOBS_A_COMMIT = 512
BUSY_TIMEOUT_S = 5.0
READERS = 2
# Rows that are read at a glance.
FEW = 100


@dataclass(slots=True)
class Job:
    """One piece of work and who waits for it; ``durable`` work is synced to disk before it is answered."""

    work: Work[Any]
    future: asyncio.Future[Any]
    durable: bool = True
    outcome: Any = None
    error: BaseException | None = None

    def run(self, connection: sqlite3.Connection) -> None:
        """Only a refusal, raised before anything is written, is this job's alone."""
        self.outcome, self.error = None, None
        try:
            self.outcome = self.work(connection)
        except SwitchlogError as refusal:
            self.error = refusal

    def fail(self, error: BaseException) -> None:
        self.outcome, self.error = None, error

    def settle(self) -> None:
        if self.future.done():  # the caller was cancelled
            return
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.outcome)


def connect(path: Path) -> sqlite3.Connection:
    """A connection as every one here is: write-ahead log, synced commits, erased bytes overwritten."""
    connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA secure_delete = ON")
    connection.execute("PRAGMA wal_autocheckpoint = 4000")
    return connection


class Writer:
    """The one writer of this process; another process is kept out by ``BEGIN IMMEDIATE``, one commit at a time."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._synced, self._closed = True, False
        self._thread = threading.Thread(target=self._run, name="sqlite-writer", daemon=True)
        self._thread.start()

    async def do(self, work: Work[T], *, durable: bool = True) -> T:
        """What ``work`` returns, once committed. It may raise ``SwitchlogError`` before its first write only."""
        if self._closed:
            raise NotNow("STORE_CLOSED")
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._jobs.put(Job(work, future, durable))
        return await future

    async def close(self) -> None:
        self._closed = True
        self._jobs.put(None)
        await asyncio.to_thread(self._thread.join)

    def _run(self) -> None:
        waiting: list[Job | None] = []
        while None not in waiting:
            waiting = _all_waiting(self._jobs)
            jobs = [job for job in waiting if job is not None]
            if jobs:
                self._finish(jobs)
        self._connection.close()

    def _finish(self, jobs: list[Job]) -> None:
        try:
            self._commit(jobs)
        except Exception as error:  # one job's bug must not fail its neighbours: each again, alone
            self._rollback()
            if len(jobs) == 1:
                jobs[0].fail(error)
            else:
                for job in jobs:
                    self._finish([job])
                return
        answer(jobs)

    def _commit(self, jobs: list[Job]) -> None:
        """Run ``jobs`` in one transaction; nobody learns anything before the commit (kernel rule 3)."""
        try:
            self._sync(any(job.durable for job in jobs))
            self._connection.execute("BEGIN IMMEDIATE")
            for job in jobs:
                job.run(self._connection)
        except sqlite3.OperationalError as error:  # locked, disk full: nothing is written
            self._rollback()
            _fail_all(jobs, NotNow, "STORE_UNAVAILABLE", str(error))
            return
        try:
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            self._rollback()
            _fail_all(jobs, OutcomeUnknown, "", str(error))

    def _sync(self, durable: bool) -> None:
        # watermarks may be lost with the power (published again, harmless); they must not cost each append a sync
        if durable != self._synced:
            self._connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            self._synced = durable

    def _rollback(self) -> None:
        with suppress(sqlite3.Error):  # the next BEGIN would say so, and refuse its jobs
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")


class Readers:
    """Reads on connections of their own; a write-ahead log lets them run beside the writer.

    The first connection is for a ``glance``, each other one has a thread.
    """

    def __init__(self, connections: Sequence[sqlite3.Connection]) -> None:
        self._own, *threaded = connections
        self._own.execute("PRAGMA busy_timeout = 0")
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._closed = False
        self._threads = [
            threading.Thread(target=self._run, args=(connection,), name="sqlite-reader", daemon=True)
            for connection in threaded
        ]
        for thread in self._threads:
            thread.start()

    async def glance(self, work: Work[T]) -> T:
        """A read of few rows, here and now: the way to a thread and back takes longer, more so in a busy process."""
        if self._closed:
            raise NotNow("STORE_CLOSED")
        try:
            return work(self._own)
        except sqlite3.OperationalError:  # locked for a moment, or a disk that fails: a thread has time to find out
            return await self.do(work)

    async def do(self, work: Work[T]) -> T:
        """What ``work`` reads; raises ``NotNow`` when the file cannot be read now."""
        if self._closed:
            raise NotNow("STORE_CLOSED")
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._jobs.put(Job(work, future))
        return await future

    async def close(self) -> None:
        self._closed = True
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            await asyncio.to_thread(thread.join)
        self._own.close()

    def _run(self, connection: sqlite3.Connection) -> None:
        while job := self._jobs.get():
            try:
                job.run(connection)
            except sqlite3.OperationalError as error:
                job.fail(NotNow("STORE_UNAVAILABLE", str(error)))
            except Exception as error:
                job.fail(error)
            answer([job])
        connection.close()


def _all_waiting(queue: SimpleQueue[Job | None]) -> list[Job | None]:
    found = [queue.get()]
    try:
        while len(found) < MAX_JOBS_A_COMMIT:
            found.append(queue.get_nowait())
    except Empty:
        pass
    return found


def _fail_all(jobs: list[Job], error: type[NotNow], reason: str, detail: str) -> None:
    for job in jobs:
        job.fail(error(reason, detail))  # one exception each: a traceback belongs to one waiter


def answer(jobs: list[Job]) -> None:
    """Wake every waiter, one call into each event loop."""
    by_loop: dict[asyncio.AbstractEventLoop, list[Job]] = {}
    for job in jobs:
        by_loop.setdefault(job.future.get_loop(), []).append(job)
    for loop, theirs in by_loop.items():
        try:
            loop.call_soon_threadsafe(_settle_all, theirs)
        except RuntimeError:  # that loop is closed: nobody waits any more
            continue


def _settle_all(jobs: list[Job]) -> None:
    for job in jobs:
        job.settle()
