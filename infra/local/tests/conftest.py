"""Servers of the tests' own: free ports, a folder that goes afterwards, the shared jars."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from switchlog_local import Cassandra, Kafka, Server, free_ports

Launch = Callable[[], Server]


@pytest.fixture
def kafka(tmp_path: Path) -> Iterator[Server]:
    server = Kafka(tmp_path / "kafka", *free_ports(2))
    yield server
    server.wipe()


@pytest.fixture
def cassandra(tmp_path: Path) -> Iterator[Server]:
    server = Cassandra(tmp_path / "cassandra", *free_ports(2))
    yield server
    server.wipe()
