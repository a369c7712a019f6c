"""Processes that are born and killed one after another, and the line on which their clients talk to the living one."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

from . import victim
from .points import Fuse
from .victim import Life, World

# a process is forked from one that has imported everything: it is born in milliseconds, and as itself
SPAWN = multiprocessing.get_context("forkserver")
SPAWN.set_forkserver_preload(["faults.victim", "switchlog.store.sqlite", "switchlog.store.cassandra"])
BORN_WITHIN_S = 20.0
NUMBERS = count(1)


class Died(Exception):
    """The process was gone before it answered."""


class Unexpected(Exception):
    """A process ended by itself: a bug, not a fault."""


class Line:
    """One connection; each question waits for its own answer. After ``lost`` is set nobody answers any more."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writer, self._ids = writer, count(1)
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self.lost = asyncio.Event()
        self._listening = asyncio.create_task(self._listen(reader))

    async def ask(self, question: dict[str, Any]) -> dict[str, Any]:
        """The reply; raises ``Died``."""
        if self.lost.is_set() or self._writer.is_closing():
            raise Died
        number = next(self._ids)
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        self._writer.write(json.dumps({"id": number, **question}).encode() + b"\n")
        return await answer

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        with suppress(ConnectionError):
            while line := await reader.readline():
                # a killed process may leave half a line: it has answered nothing by it
                if line.endswith(b"\n"):
                    reply = json.loads(line)
                    self._waiting.pop(reply["id"]).set_result(reply)
        self.lost.set()
        self._writer.close()
        for answer in self._waiting.values():
            answer.set_exception(Died())
            answer.exception()


class Being:
    """A living process of ``world``."""

    def __init__(self, process: Any, line: Line) -> None:
        self.process, self.line = process, line

    def kill(self) -> None:
        """``kill -9``."""
        with suppress(ProcessLookupError):
            os.kill(self.process.pid, signal.SIGKILL)

    async def gone(self, within_s: float) -> bool:
        """Whether it died by -9 in time; raises ``Unexpected`` when it ended in another way."""
        if not await _ended(self.process, within_s):
            return False
        if self.process.exitcode != -signal.SIGKILL:
            raise Unexpected(f"a process ended with {self.process.exitcode}, see victim.log")
        return True


async def born(world: World, fuse: Fuse | None = None, planted: str = "") -> Being:
    """A process that serves; raises ``Unexpected`` when it ends by itself, ``Died`` when it was killed before."""
    socket = f"{world.folder}/{next(NUMBERS)}"
    process = SPAWN.Process(target=victim.main, args=(Life(world, socket, fuse or Fuse(), planted),), daemon=True)
    process.start()
    async with asyncio.timeout(BORN_WITHIN_S):
        while True:
            # no file yet, or one of a process that listens no more: it may have been killed between the two
            with suppress(FileNotFoundError, ConnectionRefusedError):
                return Being(process, Line(*await asyncio.open_unix_connection(socket)))
            if process.exitcode is not None:
                raise Died if process.exitcode == -signal.SIGKILL else Unexpected(f"ended with {process.exitcode}")
            await asyncio.sleep(0.005)


async def _ended(process: Any, within_s: float) -> bool:
    with suppress(TimeoutError):
        async with asyncio.timeout(within_s):
            while process.exitcode is None:
                await asyncio.sleep(0.005)
    return process.exitcode is not None


class Address:
    """Where clients find a living process: one of ``beings``, or they wait for the next."""

    def __init__(self) -> None:
        self.beings: list[Being] = []
        self._news = asyncio.Event()

    def now(self, beings: Sequence[Being]) -> None:
        self.beings = list(beings)
        self._news.set()

    async def line(self, choice: int) -> Line:
        """The ``choice``-th of those that live, counted round."""
        while True:
            alive = [being.line for being in self.beings if not being.line.lost.is_set()]
            if alive:
                return alive[choice % len(alive)]
            self._news.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), 0.05)


def import_root() -> None:
    """Before the first birth: the process that is forked from imports this package by its name."""
    root = str(Path(__file__).parents[1])
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
    if root not in sys.path:
        sys.path.insert(0, root)
