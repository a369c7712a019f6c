"""Where benchmarks run: Kafka and Cassandra of their own, on free ports, with folders that are thrown away."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from benchmarks.figures import Figure
from switchlog.bus.clients import ensure_topic
from switchlog.config import KernelSettings
from switchlog.store.settings import Kind, StoreSettings
from switchlog_local import Cassandra, Kafka, Server, free_ports
from switchlog_local.servers import start_all, stop_all

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build"
OPPONENTS = ROOT / "tests" / "benchmarks" / "opponents"


@dataclass(frozen=True)
class Place:
    """``stores`` are those asked for; ``quick`` makes every run short, for work on the benchmarks themselves."""

    root: Path
    kafka: Server
    cassandra: Server
    stores: Sequence[Kind]
    quick: bool

    def rounds(self, wanted: int) -> int:
        return 2 if self.quick else wanted

    def scaled(self, count: float) -> int:
        return max(1, int(count / 8 if self.quick else count))

    def fresh(self, word: str) -> str:
        """A name that nobody has used: a topic, a group, a file."""
        return f"bench_{word}_{uuid4().hex[:8]}"

    def settings(self, kind: Kind, service: str) -> KernelSettings:
        store = StoreSettings(kind, str(self.root / "stores"), ("127.0.0.1",), self.cassandra.port, "")
        return KernelSettings(service, store, http_port=0, grpc_port=0, kafka_bootstrap=self.kafka.address)

    async def topic(self, word: str, partitions: int = 6) -> str:
        name = self.fresh(word)
        await ensure_topic(self.kafka.address, name, partitions, {"message.timestamp.type": "LogAppendTime"})
        return name


Benchmark = Callable[[Place], Awaitable[list[Figure]]]


@asynccontextmanager
async def place(stores: Sequence[Kind], quick: bool, servers: bool = True) -> AsyncIterator[Place]:
    """Servers started unless nothing needs them; stopped and their data gone at the end."""
    root = BUILD / "bench-data" / str(os.getpid())
    ports = free_ports(4)
    kafka = Kafka(root / "kafka", *ports[:2])
    cassandra = Cassandra(root / "cassandra", *ports[2:])
    started: list[Server] = [kafka, *([cassandra] if "cassandra" in stores else [])] if servers else []
    root.mkdir(parents=True, exist_ok=True)
    try:
        await asyncio.to_thread(start_all, started)
        yield Place(root, kafka, cassandra, stores, quick)
    finally:
        await asyncio.to_thread(stop_all, started)
        shutil.rmtree(root, ignore_errors=True)


def bench_python() -> Path:
    """The interpreter of the opponents' own environment, made from their lock on first use."""
    venv, lock = BUILD / "bench-venv", ROOT / "tests" / "benchmarks" / "requirements.lock"
    python, stamp = venv / "bin" / "python", venv / "lock"
    if not (stamp.exists() and stamp.read_bytes() == lock.read_bytes()):
        uv = Path(sys.executable).parent / "uv"
        subprocess.run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, venv], check=True)
        subprocess.run([uv, "pip", "sync", "--quiet", "--python", python, lock], check=True)
        stamp.write_bytes(lock.read_bytes())
    return python
