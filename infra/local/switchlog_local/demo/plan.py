"""Which processes the demo consists of, and what each is told."""

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from switchlog_local.settings import Settings

HOST = "127.0.0.1"
TENANT = "demo"
SERVICES = (
    "customers",
    "routing",
    "agent_state",
    "ingress_chat",
    "ingress_voice",
    "ticketing",
    "recording",
    "analytics",
)
PORTS: Mapping[str, int] = {
    "issuer": 8100,
    "ingress_chat": 8101,
    "ingress_voice": 8102,
    "routing": 8103,
    "agent_state": 8104,
    "ticketing": 8105,
    "recording": 8106,
    "analytics": 8107,
    "customers": 8108,
}


@dataclass(frozen=True)
class Options:
    """`rate` contacts a minute, `seconds` 0 = until Ctrl-C; `contact_seconds` is the mean length of a conversation.

    `picture` is where the last page is drawn (SVG).
    """

    store: str = "sqlite"
    seconds: float = 0
    rate: float = 20
    agents: int = 12
    contact_seconds: float = 20
    picture: Path | None = None
    settings: Settings = field(default_factory=Settings)

    @property
    def folder(self) -> Path:
        """Logs, tokens and the summary."""
        return self.settings.build / "demo"

    @property
    def data(self) -> Path:
        return self.settings.data / self.store


@dataclass(frozen=True)
class Planned:
    """One process: how to start it, with its whole environment, and how to know that it is there."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    log: Path
    ready_url: str


def port(service: str) -> int:
    """The port of a service, movable by `<SERVICE>_PORT`."""
    return int(os.environ.get(f"{service.upper()}_PORT") or PORTS[service])


def url(service: str) -> str:
    """Where a service answers."""
    return f"http://{HOST}:{port(service)}"


def issuer(options: Options) -> Planned:
    """The token issuer, which all others ask for its keys."""
    return _planned("issuer", [sys.executable, "-m", "switchlog_local.issuer"], options, "/jwks.json")


def services(options: Options) -> list[Planned]:
    """Every service with all its roles in one process."""
    return [_planned(name, [sys.executable, "-m", name, "run"], options, "/readyz") for name in SERVICES]


def _planned(name: str, command: Sequence[str], options: Options, ready: str) -> Planned:
    log = options.folder / "logs" / f"{name}.log"
    return Planned(name, command, environment(name, options), log, url(name) + ready)


def environment(name: str, options: Options) -> dict[str, str]:
    """What a process of the demo is told: the caller's own environment wins, except for what makes it one demo."""
    fixed = {"SWITCHLOG_DEMO": "1", "STORE": options.store, "DATA_DIR": str(options.data / "services")}
    return {**_defaults(name, options), **os.environ, **fixed}


def _defaults(name: str, options: Options) -> dict[str, str]:
    settings = options.settings
    secrets = options.data / "secrets"
    return {
        "KAFKA_BOOTSTRAP": f"{HOST}:{settings.kafka_port}",
        "CASSANDRA_HOSTS": HOST,
        "CASSANDRA_PORT": str(settings.cassandra_port),
        "AUTH_ISSUER": url("issuer"),
        "AUTH_JWKS_URL": url("issuer") + "/jwks.json",
        "SERVICE_TOKEN_FILE": str(secrets / "tokens" / f"{name}.token"),
        "ISSUER_DATA": str(secrets / "issuer"),
        "DEMO_TOKENS": str(options.folder / "tokens.json"),
        "OBJECTS_URL": (options.data / "objects").as_uri(),
        "PYTHONUNBUFFERED": "1",
    }
