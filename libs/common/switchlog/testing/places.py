"""Where a test's own process lives: a port nobody has, and a store of its own that is gone afterwards."""

from __future__ import annotations

import os
import socket
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from switchlog.store.settings import StoreSettings


def free_port() -> int:
    """A loopback port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def own_store(service: str, folder: Path) -> Iterator[StoreSettings]:
    """SQLite in ``folder``, or with STORE=cassandra a keyspace of its own on CASSANDRA_PORT, dropped at the end."""
    if os.environ.get("STORE") != "cassandra":
        yield StoreSettings("sqlite", str(folder))
        return
    port = int(os.environ.get("CASSANDRA_PORT", "19042"))
    settings = StoreSettings("cassandra", cassandra_port=port, keyspace_prefix=f"t{uuid.uuid4().hex[:10]}_")
    try:
        yield settings
    finally:
        drop_keyspace(settings, service)


def drop_keyspace(settings: StoreSettings, service: str) -> None:
    """What ``service`` kept in Cassandra under ``settings`` is gone."""
    from cassandra.cluster import Cluster

    cluster = Cluster(list(settings.cassandra_hosts), port=settings.cassandra_port, protocol_version=5)
    cluster.connect().execute(f"DROP KEYSPACE IF EXISTS {settings.keyspace_prefix}{service}", timeout=60)
    cluster.shutdown()
