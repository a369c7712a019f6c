"""Commands of this service run in a process of their own, on the same store."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from switchlog.store.settings import StoreSettings

Progress = Callable[[int, int], None]


def environment(store: StoreSettings, zone: str) -> dict[str, str]:
    """What a command is told of where this service keeps its log."""
    return {
        "STORE": store.kind,
        "DATA_DIR": store.path,
        "CASSANDRA_HOSTS": ",".join(store.cassandra_hosts),
        "CASSANDRA_PORT": str(store.cassandra_port),
        "CASSANDRA_KEYSPACE_PREFIX": store.keyspace_prefix,
        "ROUTING_TIME_ZONE": zone,
        "PYTHONUTF8": "1",
    }


@dataclass(frozen=True)
class OwnProcess:
    """``python -m routing <arguments> --json``, its progress read as it goes; ended when nobody waits any more."""

    env: Mapping[str, str]

    async def __call__(self, arguments: Sequence[str], progress: Progress) -> tuple[int, dict[str, Any], str]:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "routing", *arguments, "--json", "--progress", "json"),
            env=dict(self.env),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            assert process.stdout is not None and process.stderr is not None
            out, wrong = await asyncio.gather(process.stdout.read(), _said(process.stderr, progress))
            code = await process.wait()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        return code, orjson.loads(out) if out else {}, wrong


async def _said(stderr: asyncio.StreamReader, progress: Progress) -> str:
    """All lines but those of progress."""
    said: list[str] = []
    async for line in stderr:
        text = line.decode(errors="replace").strip()
        if text.startswith('{"done":'):
            told = orjson.loads(text)
            progress(told["done"], told["of"])
        elif text:
            said.append(text)
    return "\n".join(said[-20:])
