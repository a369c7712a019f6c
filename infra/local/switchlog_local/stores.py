"""Which servers a STORE needs, where its data lie, and which STORE was used last."""

import shutil
from enum import StrEnum
from pathlib import Path

from switchlog_local.errors import LocalError
from switchlog_local.servers import Cassandra, Kafka, Server
from switchlog_local.settings import Settings


class Store(StrEnum):
    """Where the services keep their events; each has a data root of its own with its own Kafka log."""

    SQLITE = "sqlite"
    CASSANDRA = "cassandra"


def data_root(store: Store, settings: Settings) -> Path:
    """Everything that this STORE keeps: servers' data, and the services' own files beside them."""
    return settings.data / store


def servers(store: Store, settings: Settings) -> list[Server]:
    """Kafka always; Cassandra when the events live in it."""
    root = data_root(store, settings)
    kafka = Kafka(root / "kafka", settings.kafka_port, settings.kafka_controller_port, settings=settings)
    if store is Store.SQLITE:
        return [kafka]
    node = Cassandra(root / "cassandra", settings.cassandra_port, settings.cassandra_storage_port, settings=settings)
    return [kafka, node]


def last_used(settings: Settings) -> Store:
    """The STORE of the last `up`; SQLite before the first."""
    try:
        return Store(_note(settings).read_text().strip())
    except (OSError, ValueError):
        return Store.SQLITE


def remember(store: Store, settings: Settings) -> None:
    """What a later command without STORE means."""
    _note(settings).parent.mkdir(parents=True, exist_ok=True)
    _note(settings).write_text(store)


def refuse_two(store: Store, settings: Settings) -> None:
    """Two STOREs share their ports, so one at a time; raises LocalError while another one's servers run."""
    for other in Store:
        if other is not store and any(server.pid for server in servers(other, settings)):
            raise LocalError(f"the servers of STORE={other} are running on the same ports; stop them first: make down")


def wipe(store: Store, settings: Settings) -> None:
    """Stop its servers and throw away all it keeps."""
    for server in servers(store, settings):
        server.wipe()
    shutil.rmtree(data_root(store, settings), ignore_errors=True)


def _note(settings: Settings) -> Path:
    return settings.data / "store"
