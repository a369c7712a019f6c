"""A real node: what was acknowledged survives a kill, and readiness means that a client can connect."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile
from cassandra.policies import WhiteListRoundRobinPolicy

from switchlog_local import PortTaken, Server

pytestmark = pytest.mark.cassandra
KEYSPACE = "CREATE KEYSPACE k WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}"


def test_acknowledged_rows_survive_a_kill_and_a_stop(cassandra: Server):
    cassandra.start()
    with session(cassandra) as node:
        node.execute(KEYSPACE)
        node.execute("CREATE TABLE k.t (id int PRIMARY KEY, head int)")
        assert node.execute("INSERT INTO k.t (id, head) VALUES (1, 7) IF NOT EXISTS").one().applied
    cassandra.kill()
    assert not cassandra.ready()
    cassandra.start()
    with session(cassandra) as node:
        assert not node.execute("UPDATE k.t SET head = 9 WHERE id = 1 IF head = 8").one().applied
        assert node.execute("UPDATE k.t SET head = 8 WHERE id = 1 IF head = 7").one().applied
    cassandra.stop()
    cassandra.start()
    with session(cassandra) as node:
        assert node.execute("SELECT head FROM k.t WHERE id = 1").one().head == 8


def test_a_frozen_node_runs_without_serving_until_it_thaws(cassandra: Server):
    cassandra.start()
    cassandra.freeze()
    assert cassandra.pid is not None
    assert not cassandra.ready()
    cassandra.thaw()
    assert cassandra.ready()


def test_a_taken_storage_port_is_named_with_the_variable_to_change(cassandra: Server, tmp_path):
    from switchlog_local import Cassandra, free_ports

    cassandra.start()
    other = Cassandra(tmp_path / "other", free_ports(1)[0], cassandra.ports["CASSANDRA_STORAGE_PORT"])
    with pytest.raises(PortTaken, match="CASSANDRA_STORAGE_PORT"):
        other.start()


@contextmanager
def session(server: Server) -> Iterator[Any]:
    profile = ExecutionProfile(load_balancing_policy=WhiteListRoundRobinPolicy(["127.0.0.1"]), request_timeout=20)
    cluster = Cluster(["127.0.0.1"], port=server.port, execution_profiles={EXEC_PROFILE_DEFAULT: profile})
    try:
        yield cluster.connect()
    finally:
        cluster.shutdown()
