"""Where a process may be made to die: named points around the store, the outlet and the consumer's client."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from switchlog.outlet import KafkaOutlet

# name of a point -> on which of its passes at the latest a process is made to die there
APPEND = {"append.before": 25, "append.after": 25, "answer.before": 25, "answer.after": 25}
RELAY = {
    "publish.before": 25, "publish.sent": 25, "publish.after": 25, "watermark.before": 15, "watermark.after": 15,
    "sweep.after": 4, "settle.before": 2, "settle.after": 2,
}  # fmt: skip
CONSUME = {
    "handle.before": 25, "handle.after": 25, "seen.before": 3, "seen.after": 3, "offsets.before": 3,
    "offsets.after": 3, "view.before": 25, "view.after": 25,
}  # fmt: skip
INSIDE = {
    "sqlite": {"commit.before": 40, "commit.after": 40},
    "cassandra": {
        "mark.before": 15, "mark.after": 15, "append.sent": 25, "clear.before": 6, "clear.after": 6,
    },
}  # fmt: skip


def points(store: str) -> dict[str, int]:
    """Every point that a process on ``store`` passes."""
    return APPEND | INSIDE[store] | RELAY | CONSUME


@dataclass
class Fuse:
    """Kills its own process, as ``kill -9`` does, on the ``nth`` pass of ``point``; an empty one never."""

    point: str = ""
    nth: int = 1
    passed: int = field(default=0, repr=False)

    def burns(self, point: str) -> bool:
        """Whether this pass is the one."""
        if point != self.point:
            return False
        self.passed += 1
        return self.passed == self.nth

    def __call__(self, point: str) -> None:
        if self.burns(point):
            die()

    async def midway(self, point: str, call: Callable[[], Awaitable[Any]]) -> Any:
        """``call()``; or let it begin, and die before anybody here can know how it ended."""
        if self.burns(point):
            self.begun = asyncio.ensure_future(call())
            await asyncio.sleep(random.uniform(0, 0.004))
            die()
        return await call()


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class Around:
    """``real`` with a point before and after each method in ``named``."""

    def __init__(self, real: Any, fuse: Fuse, named: Mapping[str, str]) -> None:
        self._real, self._fuse, self._named = real, fuse, named

    def __getattr__(self, method: str) -> Any:
        found = getattr(self._real, method)
        point = self._named.get(method)
        return found if point is None else _between(found, point, self._fuse)


def _between(call: Callable[..., Awaitable[Any]], point: str, fuse: Fuse) -> Callable[..., Awaitable[Any]]:
    async def wrapped(*arguments: Any, **named: Any) -> Any:
        fuse(f"{point}.before")
        result = await call(*arguments, **named)
        fuse(f"{point}.after")
        return result

    return wrapped


class FusedStore:
    """A real store whose log, seen versions and views have points around them, and one inside its appends."""

    def __init__(self, real: Any, fuse: Fuse) -> None:
        self._real = real
        log = {"append": "append", "published": "watermark", "pending": "sweep", "settle": "settle"}
        self.events = Around(real.events, fuse, log)
        self.seen = Around(real.seen, fuse, {"put_many": "seen"})
        self.views = Around(real.views, fuse, {"put": "view"})
        if hasattr(real, "_session"):
            _inside_cassandra(real._session, fuse)
        else:
            real._writer._connection = FusedConnection(real._writer._connection, fuse)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


class FusedConnection:
    """SQLite's writing connection: rows are written, and not or just committed."""

    def __init__(self, real: Any, fuse: Fuse) -> None:
        self._real, self._fuse = real, fuse

    def execute(self, sql: str, *rest: Any) -> Any:
        if sql != "COMMIT":
            return self._real.execute(sql, *rest)
        self._fuse("commit.before")
        result = self._real.execute(sql)
        self._fuse("commit.after")
        return result

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


def _inside_cassandra(session: Any, fuse: Fuse) -> None:
    condition_all, write = session.condition_all, session.write
    named = {"write_mark": "mark", "write_clear": "clear"}

    async def conditionally(*arguments: Any) -> Any:
        return await fuse.midway("append.sent", lambda: condition_all(*arguments))

    async def plainly(name: str, *arguments: Any) -> None:
        await _between(write, named.get(name, name), fuse)(name, *arguments)

    session.condition_all, session.write = conditionally, plainly


def fused_outlet(fuse: Fuse) -> Callable[..., KafkaOutlet]:
    """Makes outlets that die before a publication, before its acknowledgement, or after it."""

    class FusedOutlet(KafkaOutlet):
        async def publish(self, *arguments: Any) -> int:
            fuse("publish.before")
            sent: int = await fuse.midway("publish.sent", lambda: KafkaOutlet.publish(self, *arguments))
            fuse("publish.after")
            return sent

    return FusedOutlet
