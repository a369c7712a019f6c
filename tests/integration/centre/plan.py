"""Which processes a centre consists of, and what each is told: free ports, data and keyspaces of its own."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

from switchlog_local import free_ports
from switchlog_local.demo.plan import SERVICES, Planned

HOST = "127.0.0.1"
ISSUER = "issuer"
BOOTSTRAP = os.environ.get("KAFKA_BOOTSTRAP", f"{HOST}:19092")


@dataclass(frozen=True)
class Plan:
    """Where everything of one centre is; ``ports`` and ``grpc_ports`` by service."""

    folder: Path
    otlp: str = ""
    store: str = field(default_factory=lambda: os.environ.get("STORE") or "sqlite")
    keyspaces: str = field(default_factory=lambda: f"it{uuid4().hex[:8]}_")
    ports: Mapping[str, int] = field(default_factory=lambda: _ports(ISSUER, *SERVICES))
    grpc_ports: Mapping[str, int] = field(default_factory=lambda: _ports(*SERVICES))

    def url(self, service: str, scheme: str = "http") -> str:
        """Where ``service`` answers."""
        return f"{scheme}://{HOST}:{self.ports[service]}"

    @property
    def data(self) -> Path:
        """What the services' stores keep."""
        return self.folder / "data"

    @property
    def objects(self) -> Path:
        """Attachments and transcripts."""
        return self.folder / "objects"

    @property
    def logs(self) -> Path:
        """One file a process."""
        return self.folder / "logs"

    @property
    def secrets(self) -> Path:
        """The issuer's keys and the services' tokens."""
        return self.folder / "secrets"

    def token_file(self, service: str) -> Path:
        """What ``service`` shows its peers."""
        return self.secrets / f"{service}.token"

    def issuer(self) -> Planned:
        """The token issuer, which all others ask for its keys."""
        return self._planned(ISSUER, [sys.executable, "-m", "switchlog_local.issuer"], "/jwks.json")

    def service(self, name: str, **more: str) -> Planned:
        """A service with all its roles in one process, told ``more`` beside what all are told."""
        return self._planned(name, [sys.executable, "-m", name, "run"], "/readyz", **more)

    def services(self) -> list[Planned]:
        return [self.service(name) for name in SERVICES]

    def _planned(self, name: str, command: list[str], ready: str, **more: str) -> Planned:
        environment = {**os.environ, **self._environment(name), **more}
        return Planned(name, command, environment, self.logs / f"{name}.log", self.url(name) + ready)

    def _environment(self, name: str) -> dict[str, str]:
        ports = {f"{service.upper()}_PORT": str(port) for service, port in self.ports.items()}
        ports |= {f"{service.upper()}_GRPC_PORT": str(port) for service, port in self.grpc_ports.items()}
        return {
            **ports,
            "SWITCHLOG_DEMO": "1",
            "STORE": self.store,
            "DATA_DIR": str(self.data),
            "KAFKA_BOOTSTRAP": BOOTSTRAP,
            "CASSANDRA_HOSTS": HOST,
            "CASSANDRA_KEYSPACE_PREFIX": self.keyspaces,
            "AUTH_ISSUER": self.url(ISSUER),
            "AUTH_JWKS_URL": f"{self.url(ISSUER)}/jwks.json",
            "SERVICE_TOKEN_FILE": str(self.token_file(name)),
            "ISSUER_DATA": str(self.secrets / ISSUER),
            "DEMO_TOKENS": str(self.secrets / "tokens.json"),
            "OBJECTS_URL": self.objects.as_uri(),
            "OTEL_EXPORTER_OTLP_ENDPOINT": self.otlp,
            "PYTHONUNBUFFERED": "1",
        }


def _ports(*names: str) -> Mapping[str, int]:
    return dict(zip(names, free_ports(len(names)), strict=True))
