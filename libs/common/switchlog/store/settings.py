"""Where a service keeps its truth: which store, and how to reach it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["sqlite", "cassandra", "memory"]


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """``path`` is SQLite's folder (one file a service); the keyspace is ``keyspace_prefix`` + the service's name."""

    kind: Kind = "sqlite"
    path: str = "data"
    cassandra_hosts: tuple[str, ...] = ("127.0.0.1",)
    cassandra_port: int = 9042
    keyspace_prefix: str = ""
