"""Ports and folders of the local servers, from the environment once."""

import os
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def _port(variable: str, default: int) -> int:
    return int(os.environ.get(variable) or default)


@dataclass(frozen=True)
class Settings:
    """`build` holds everything that is downloaded or written; `java` names a Java 17 to take instead of pip's."""

    build: Path = field(default_factory=lambda: Path(os.environ.get("SWITCHLOG_BUILD") or ROOT / "build"))
    java: str | None = field(default_factory=lambda: os.environ.get("SWITCHLOG_JAVA") or None)
    kafka_port: int = field(default_factory=lambda: _port("KAFKA_PORT", 19092))
    kafka_controller_port: int = field(default_factory=lambda: _port("KAFKA_CONTROLLER_PORT", 19093))
    cassandra_port: int = field(default_factory=lambda: _port("CASSANDRA_PORT", 19042))
    cassandra_storage_port: int = field(default_factory=lambda: _port("CASSANDRA_STORAGE_PORT", 17000))

    @property
    def servers(self) -> Path:
        """Jars and class archives, shared by every instance."""
        return self.build / "servers"

    @property
    def data(self) -> Path:
        """One folder a STORE."""
        return self.build / "data"
