"""The process that is killed: command, store, relay, Kafka, reaction on a second stream, view; the real kernel."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from typing import Any

from switchlog import kernel as kernels
from switchlog.bus import clients
from switchlog.bus.progress import RowVersions
from switchlog.bus.reaction import reaction
from switchlog.bus.record import Received
from switchlog.config import KernelSettings
from switchlog.envelope import Cause, StreamId
from switchlog.errors import NotNow, OutcomeUnknown, SwitchlogError, VersionConflict
from switchlog.ids import command_id
from switchlog.kernel import Kernel, open_kernel
from switchlog.log import configure_logging
from switchlog.store.settings import StoreSettings
from switchlog.writer import Writer

from .patience import patiently
from .points import Around, Fuse, FusedStore, fused_outlet
from .rules import RULES, Command, codec

TENANT = "acme"
VIEW = "counts"
LONGEST_LIFE_S = 180


@dataclass(frozen=True)
class World:
    """Where the processes of one run live."""

    bootstrap: str
    store: StoreSettings
    prefix: str
    folder: str

    @property
    def counts(self) -> str:
        return f"{self.prefix}.counts.v1"

    @property
    def mirrors(self) -> str:
        return f"{self.prefix}.mirrors.v1"


@dataclass(frozen=True)
class Life:
    """One process from birth to death. ``planted`` names a classic mistake that the bench must catch."""

    world: World
    socket: str
    fuse: Fuse = field(default_factory=Fuse)
    planted: str = ""


def main(life: Life) -> None:
    """Live until killed; an error ends the process with a code that is not a signal's."""
    signal.alarm(LONGEST_LIFE_S)  # nothing of a bench survives it
    log = open(f"{life.world.folder}/victim.log", "a", buffering=1)  # noqa: SIM115  # as long as the process
    os.dup2(log.fileno(), sys.stderr.fileno())
    configure_logging("faults", "WARNING", log)
    asyncio.run(live(life))


async def live(life: Life) -> None:
    _light(life.fuse)
    world = life.world
    settings = KernelSettings("faults", world.store, 0, 0, kafka_bootstrap=world.bootstrap, log_level="ERROR")
    async with open_kernel(settings, topics={"count": world.counts, "mirror": world.mirrors}) as kernel:
        if life.planted in PLANTED:
            PLANTED[life.planted](kernel)
        counts = kernel.writer(RULES, codec(world.counts))
        async with asyncio.TaskGroup() as tasks:
            for name, run in _tasks(kernel, life):
                tasks.create_task(run(), name=name)
            server = await asyncio.start_unix_server(partial(_talk, counts, life), life.socket)
            tasks.create_task(server.serve_forever())


def _light(fuse: Fuse) -> None:
    """The kernel puts itself together from these two names."""
    real = kernels.open_store

    async def opened(*arguments: Any) -> Any:
        return FusedStore(await patiently(lambda: real(*arguments)), fuse)

    kernels.open_store = opened
    kernels.KafkaOutlet = fused_outlet(fuse)  # type: ignore[misc, assignment]


def _tasks(kernel: Kernel, life: Life) -> list[tuple[str, Callable[[], Awaitable[None]]]]:
    connect = partial(_client, life)
    mirrors = kernel.writer(RULES, codec(life.world.mirrors))
    views, healer = kernel.store.views, OwnLog(kernel)
    react = partial(_when_counted, mirrors, life)
    versions = RowVersions(views, VIEW)
    group = f"{life.world.prefix}-react"
    reacting = kernel.consumer(group, [life.world.counts], react, healer=healer, connect=partial(connect, group))
    group = f"{life.world.prefix}-project"
    projecting = kernel.consumer(
        group, [life.world.counts], partial(_project, views), seen=versions, healer=healer,
        connect=partial(connect, group), bootstrap="full",
    )  # fmt: skip
    found = [("react", reacting.run), ("project", projecting.run)]
    return found if life.planted == "no-sweeper" else [*found, ("relay", kernel.sweeper(every_s=0.25))]


class OwnLog:
    """Gaps are healed from the owner's log; here we are the owner."""

    def __init__(self, kernel: Kernel) -> None:
        self._events = kernel.store.events

    async def read(self, service: str, stream: StreamId, after: int, upto: int) -> Any:
        return [row for row in await self._events.read(stream, after) if row.version <= upto]


def _client(life: Life, group: str, listener: Any) -> Any:
    """A killed member is given up after a second, so that one may kill often."""
    world = life.world
    real = clients.consumer(world.bootstrap, group, [world.counts], listener, session_timeout_ms=1_000)
    return EarlyCommits(real) if life.planted == "commit-early" else Around(real, life.fuse, {"commit": "offsets"})


class EarlyCommits:
    """Planted: offsets are committed before the effect."""

    def __init__(self, real: Any) -> None:
        self._real = real

    async def getmany(self, **limits: Any) -> Any:
        found = await self._real.getmany(**limits)
        if found:
            await self._real.commit({where: records[-1].offset + 1 for where, records in found.items()})
        return found

    async def commit(self, offsets: Any) -> None:
        return None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


async def _when_counted(mirrors: Writer[Any, Any, Any], life: Life, received: Received) -> None:
    life.fuse("handle.before")
    event = codec(life.world.counts).events([received])[0]  # type: ignore[list-item]  # has a value, as a row has
    target = StreamId(received.stream.tenant, received.stream.name.replace("count", "mirror", 1))
    command = Command("count", f"{received.version}:{event.by}")
    if life.planted == "forgetful-reaction":
        await mirrors.execute(target, command, Cause(uuid.uuid4().hex, "", "faults"))
    else:
        await reaction(mirrors, target, command, received, "when_counted")
    life.fuse("handle.after")


async def _project(views: Any, received: Received) -> None:
    """The view counts by what it holds: a repeat or a hole would show for ever."""
    row = await views.get(VIEW, received.stream.tenant, received.stream.name)
    if row is None or row.version < received.version:
        count = int(row.value) + 1 if row else 1
        await views.put(VIEW, received.stream.tenant, received.stream.name, str(count).encode(), received.version)


def _raise_watermark_early(kernel: Kernel) -> None:
    """Planted: called published before it is."""
    notify = kernel.relay.notify

    hurried: set[Any] = set()

    def hasty(stream: StreamId, head: int, rows: Any = ()) -> None:
        hurried.add(asyncio.ensure_future(kernel.store.events.published(stream, head)))
        asyncio.get_running_loop().call_later(0.02, notify, stream, head, rows)

    kernel.relay.notify = hasty  # type: ignore[method-assign]


def _append_late(kernel: Kernel) -> None:
    """Planted: called stored before it is."""
    append = kernel.store.events.append

    async def hasty(stream: StreamId, expected: int, batch_id: str, rows: Any) -> int:
        asyncio.get_running_loop().call_later(
            0.003, lambda: asyncio.ensure_future(append(stream, expected, batch_id, rows))
        )
        return expected + len(rows)

    kernel.store.events.append = hasty  # type: ignore[method-assign]


PLANTED = {"watermark-early": _raise_watermark_early, "append-late": _append_late}


# -- its clients: one JSON line a command, one a reply -----------------------------------------------------------------


async def _talk(
    counts: Writer[Any, Any, Any], life: Life, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    asked: set[asyncio.Task[None]] = set()
    while line := await reader.readline():
        task = asyncio.create_task(_answer(counts, life, json.loads(line), writer))
        asked.add(task)
        task.add_done_callback(asked.discard)


async def _answer(
    counts: Writer[Any, Any, Any], life: Life, asked: dict[str, Any], writer: asyncio.StreamWriter
) -> None:
    stream, command = StreamId(TENANT, asked["stream"]), Command(asked["do"], asked["by"])
    digest = sha256(f"{command.do} {command.by}".encode()).hexdigest()
    cause = Cause(command_id(TENANT, "client", "POST /v1/counts/{id}", asked["key"]), digest, "client")
    reply = await _done(counts, stream, command, cause)
    life.fuse("answer.before")
    writer.write(json.dumps({"id": asked["id"], **reply}).encode() + b"\n")
    life.fuse("answer.after")


async def _done(counts: Writer[Any, Any, Any], stream: StreamId, command: Command, cause: Cause) -> dict[str, Any]:
    try:
        answer = await counts.execute(stream, command, cause)
        return {"version": answer.version, "repeated": answer.repeated}
    except OutcomeUnknown as error:
        return {"later": error.reason, "unknown": True}
    except (NotNow, VersionConflict) as error:
        return {"later": error.reason, "unknown": False}
    except SwitchlogError as error:
        return {"refused": error.reason}
