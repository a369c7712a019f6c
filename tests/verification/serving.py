"""Analytics of its own beside any broker: an issuer of tokens and workers on free ports, in a folder of theirs."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

from switchlog_local import free_ports
from switchlog_local.demo.plan import Planned
from switchlog_local.demo.supervisor import Supervisor
from switchlog_local.issuer import Issuer

HOST = "127.0.0.1"


@dataclass
class Serving:
    """Workers share a consumer group; whoever was planned first answers at ``url``."""

    bootstrap: str
    folder: Path
    issuer: Issuer
    issuer_port: int
    supervisor: Supervisor
    state: str = field(default_factory=lambda: f"v{uuid4().hex[:8]}")
    more: Mapping[str, str] = field(default_factory=dict)
    ports: dict[str, int] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://{HOST}:{next(iter(self.ports.values()))}"

    def token(self, tenant: str) -> str:
        """An analyst's of ``tenant``."""
        return self.issuer.issue("verification", ["analyst"], tenant=tenant)

    def worker(self, name: str, role: str = "run") -> Planned:
        """A process with all roles or one; the same name is the same static member of the group."""
        port, grpc_port = free_ports(2)
        port = self.ports.setdefault(name, port)
        environment = self._environment() | {"ANALYTICS_PORT": str(port), "ANALYTICS_GRPC_PORT": str(grpc_port)}
        environment |= {"ANALYTICS_REPLICA": name, **self.more}
        command = [sys.executable, "-m", "analytics", role]
        return Planned(name, command, environment, self.folder / f"{name}.log", f"http://{HOST}:{port}/readyz")

    def issuing(self) -> Planned:
        command = [sys.executable, "-m", "switchlog_local.issuer"]
        ready = f"http://{HOST}:{self.issuer_port}/jwks.json"
        return Planned("issuer", command, self._environment(), self.folder / "issuer.log", ready)

    def _environment(self) -> dict[str, str]:
        told = {
            "SWITCHLOG_DEMO": "1",
            "STORE": os.environ.get("STORE") or "sqlite",
            "DATA_DIR": str(self.folder / "data"),
            "KAFKA_BOOTSTRAP": self.bootstrap,
            "CASSANDRA_HOSTS": HOST,
            "CASSANDRA_KEYSPACE_PREFIX": f"{self.state}_",
            "ISSUER_PORT": str(self.issuer_port),
            "AUTH_ISSUER": f"http://{HOST}:{self.issuer_port}",
            "AUTH_JWKS_URL": f"http://{HOST}:{self.issuer_port}/jwks.json",
            "SERVICE_TOKEN_FILE": str(self.folder / "secrets" / "analytics.token"),
            "ISSUER_DATA": str(self.folder / "secrets" / "issuer"),
            "DEMO_TOKENS": str(self.folder / "secrets" / "tokens.json"),
            "ANALYTICS_STATE": self.state,
            "PYTHONUNBUFFERED": "1",
        }
        return {**os.environ, **told}


@asynccontextmanager
async def serving(
    bootstrap: str, folder: Path, workers: int = 1, *, apart: bool = False, **more: str
) -> AsyncIterator[Serving]:
    """``workers`` processes of analytics, ready; stopped at the end. ``more`` is told to them as environment.

    Who answers is the first of them, or a process of its own where it is to stand ``apart`` from those that die.
    """
    (port,) = free_ports(1)
    issuer = Issuer.in_folder(folder / "secrets" / "issuer", f"http://{HOST}:{port}")
    issuer.write_service_token("analytics", folder / "secrets" / "analytics.token")
    supervisor = Supervisor(print)
    one = Serving(bootstrap, folder, issuer, port, supervisor, more=more)
    try:
        await supervisor.start([one.issuing()])
        readers = [one.worker("api", "api")] if apart else []
        await supervisor.start([*readers, *(one.worker(f"worker-{n + 1}") for n in range(workers))])
        yield one
    finally:
        await supervisor.stop()
