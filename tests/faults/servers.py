"""Servers of the bench's own, which it may stop and kill."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from switchlog.store.settings import StoreSettings
from switchlog_local import Cassandra, Kafka, Server, free_ports
from switchlog_local.servers import start_all, stop_all


@dataclass(frozen=True)
class Servers:
    """A broker, and a node where the events live in Cassandra."""

    kafka: Server
    cassandra: Server | None
    root: Path

    @property
    def bootstrap(self) -> str:
        return self.kafka.address

    def environment(self) -> dict[str, str]:
        """What leads processes to these servers."""
        told = {"KAFKA_BOOTSTRAP": self.bootstrap, "STORE": "sqlite"}
        if self.cassandra is not None:
            told |= {"STORE": "cassandra", "CASSANDRA_PORT": str(self.cassandra.port)}
        return told

    def store(self) -> StoreSettings:
        """A place that nobody else uses."""
        name = uuid.uuid4().hex[:10]
        if self.cassandra is None:
            return StoreSettings("sqlite", str(self.root / f"store-{name}"))
        return StoreSettings("cassandra", cassandra_port=self.cassandra.port, keyspace_prefix=f"f{name}_")


@contextmanager
def servers(store: str, root: Path) -> Iterator[Servers]:
    """Started on free ports with data under ``root``; stopped and wiped at the end."""
    kafka_port, controller_port, cassandra_port, storage_port = free_ports(4)
    kafka = Kafka(root / "kafka", kafka_port, controller_port)
    node = Cassandra(root / "cassandra", cassandra_port, storage_port) if store == "cassandra" else None
    both = [server for server in (kafka, node) if server is not None]
    try:
        start_all(both)
        yield Servers(kafka, node, root)
    finally:
        stop_all(both)
        shutil.rmtree(root, ignore_errors=True)


def drop_keyspaces(settings: StoreSettings) -> None:
    """Everything under the prefix of ``settings``."""
    from cassandra.cluster import Cluster

    cluster = Cluster(settings.cassandra_hosts, port=settings.cassandra_port, protocol_version=5)
    session = cluster.connect()
    for keyspace in [name for name in cluster.metadata.keyspaces if name.startswith(settings.keyspace_prefix)]:
        session.execute(f"DROP KEYSPACE IF EXISTS {keyspace}", timeout=60)
    cluster.shutdown()
