"""The keyspaces of a centre: read as bytes, and dropped when it ends."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile
from cassandra.policies import WhiteListRoundRobinPolicy

from .plan import HOST, Plan


def drop(plan: Plan) -> None:
    """Whatever this centre made; nothing to do on other stores."""
    if plan.store != "cassandra":
        return
    with _session() as session:
        for keyspace in _keyspaces(session, plan):
            session.execute(f"DROP KEYSPACE {keyspace}", timeout=60)


def contents(plan: Plan) -> Iterator[tuple[str, bytes]]:
    """Each row of each table as text and bytes, beside the name of its table."""
    with _session() as session:
        for keyspace in _keyspaces(session, plan):
            tables = session.execute(
                "SELECT table_name FROM system_schema.tables WHERE keyspace_name = %s", [keyspace]
            ).all()
            for (table,) in tables:
                for row in session.execute(f"SELECT * FROM {keyspace}.{table}"):
                    yield f"{keyspace}.{table}", b"\0".join(_bytes(value) for value in row)


def _keyspaces(session: Any, plan: Plan) -> list[str]:
    names = session.execute("SELECT keyspace_name FROM system_schema.keyspaces").all()
    return [name for (name,) in names if name.startswith(plan.keyspaces)]


def _bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


@contextmanager
def _session() -> Iterator[Any]:
    profile = ExecutionProfile(
        load_balancing_policy=WhiteListRoundRobinPolicy([HOST]), request_timeout=30, row_factory=_tuple
    )
    port = int(os.environ.get("CASSANDRA_PORT", "19042"))
    cluster = Cluster([HOST], port=port, execution_profiles={EXEC_PROFILE_DEFAULT: profile})
    try:
        yield cluster.connect()
    finally:
        cluster.shutdown()


def _tuple(_: object, rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return rows
