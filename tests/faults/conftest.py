"""The store of this run, and a world to kill in."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from switchlog.store.settings import StoreSettings

from .servers import drop_keyspaces

BOOTSTRAP = os.environ.get("KAFKA_BOOTSTRAP", "127.0.0.1:19092")
WITH_CASSANDRA = os.environ.get("STORE") == "cassandra"


@pytest.fixture
def bootstrap() -> str:
    return BOOTSTRAP


@pytest.fixture
def store_settings(tmp_path: Path) -> Iterator[StoreSettings]:
    """What ``STORE`` says; in Cassandra a keyspace of this test's own."""
    if not WITH_CASSANDRA:
        yield StoreSettings("sqlite", str(tmp_path))
        return
    port = int(os.environ.get("CASSANDRA_PORT", "19042"))
    settings = StoreSettings("cassandra", cassandra_port=port, keyspace_prefix=f"f{uuid.uuid4().hex[:10]}_")
    yield settings
    drop_keyspaces(settings)
