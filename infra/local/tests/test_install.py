"""What is fetched is what the lock names, what is missing is said, and the STOREs keep apart. No server is started."""

import hashlib
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from jgo.maven import MavenContext

from switchlog_local import BadJar, NoJava, NoNetwork, Server, free_ports, jars, process, stores
from switchlog_local.java import find_java
from switchlog_local.servers import CONF
from switchlog_local.settings import Settings
from switchlog_local.sockets import cassandra_answers, kafka_answers, taken
from switchlog_local.stores import Store

GENUINE = b"the real jar"
LOCK = f"{hashlib.sha256(GENUINE).hexdigest()}  org.example:thing:1.0\n"


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    path = tmp_path / "thing.sha256"
    path.write_text(LOCK)
    return path


def registry(monkeypatch: pytest.MonkeyPatch, content: bytes | OSError) -> list[str]:
    """A registry that serves this for every jar; returns what was asked of it."""
    asked: list[str] = []

    def resolve(artifact):
        asked.append(artifact.cached_filename)
        if isinstance(content, OSError):
            raise content
        artifact.cached_path.parent.mkdir(parents=True, exist_ok=True)
        artifact.cached_path.write_bytes(content)
        return artifact.cached_path

    monkeypatch.setattr("jgo.maven.Artifact.resolve", resolve)
    return asked


def class_path(lock: Path, home: Path) -> str:
    return jars.class_path("thing", lock, home, lambda line: None)


def test_a_jar_is_fetched_once(monkeypatch, lock, tmp_path):
    asked = registry(monkeypatch, GENUINE)
    first = class_path(lock, tmp_path / "home")
    assert Path(first).read_bytes() == GENUINE
    assert class_path(lock, tmp_path / "home") == first
    assert asked == ["thing-1.0.jar"]


def test_a_jar_with_another_sum_is_thrown_away(monkeypatch, lock, tmp_path):
    registry(monkeypatch, b"something else")
    with pytest.raises(BadJar, match=r"org\.example:thing:1\.0"):
        class_path(lock, tmp_path / "home")
    assert not list((tmp_path / "home").rglob("*.jar"))


def test_half_a_jar_from_an_interrupted_fetch_is_fetched_again(monkeypatch, lock, tmp_path):
    half = tmp_path / "home" / "jars" / "org" / "example" / "thing" / "1.0" / "thing-1.0.jar"
    half.parent.mkdir(parents=True)
    half.write_bytes(GENUINE[:4])
    registry(monkeypatch, GENUINE)
    assert Path(class_path(lock, tmp_path / "home")).read_bytes() == GENUINE


def test_without_network_the_missing_jars_are_the_error(monkeypatch, lock, tmp_path):
    registry(monkeypatch, ConnectionRefusedError())
    with pytest.raises(NoNetwork, match="can't be reached"):
        class_path(lock, tmp_path / "home")


@pytest.mark.parametrize("name", ["kafka", "cassandra"])
def test_the_committed_locks_pin_every_jar_by_sum(name: str, tmp_path):
    found = jars.read_lock(CONF / f"{name}.sha256")
    assert len(found) > 40
    assert all(len(jar.sum) == 64 and jar.version[0].isdigit() for jar in found)
    context = MavenContext(repo_cache=tmp_path)
    assert len({jars._place(jar, context) for jar in found}) == len(found)


def test_a_java_of_another_version_is_refused(tmp_path):
    fake = tmp_path / "java"
    fake.write_text("#!/bin/sh\necho 'openjdk version \"21.0.2\" 2024-01-16' >&2\n")
    fake.chmod(0o755)
    with pytest.raises(NoJava, match="not a Java 17"):
        find_java(str(fake))


def test_without_a_wheel_the_java_on_the_path_serves(monkeypatch, tmp_path):
    fake = tmp_path / "java"
    fake.write_text("#!/bin/sh\necho 'openjdk version \"17.0.9\" 2023-10-17' >&2\n")
    fake.chmod(0o755)
    monkeypatch.setattr("switchlog_local.java._bundled", lambda: None)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert find_java(None) == fake


def test_without_any_java_the_error_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setattr("switchlog_local.java._bundled", lambda: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NoJava, match="install a Java 17"):
        find_java(None)


def test_an_open_port_alone_is_not_readiness():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert taken(port)
        assert not kafka_answers(port)
        assert not cassandra_answers(port)
    assert not taken(port)


def test_free_ports_differ():
    assert len(set(free_ports(8))) == 8


def test_a_dead_process_is_noticed_though_nobody_waited_for_it(tmp_path):
    pid = process.spawn(["sleep", "60"], tmp_path / "pid", tmp_path / "log", {})
    assert process.find(tmp_path / "pid") == pid
    os.kill(pid, signal.SIGKILL)
    assert process.wait_gone(tmp_path / "pid", 5)


def test_a_pid_that_is_in_use_again_is_not_ours(tmp_path):
    (tmp_path / "pid").write_text(f"{os.getpid()} 12345.00")
    assert process.find(tmp_path / "pid") is None


def test_each_store_has_a_root_of_its_own_and_the_last_one_is_remembered(tmp_path):
    settings = Settings(build=tmp_path)
    assert stores.last_used(settings) is Store.SQLITE
    stores.remember(Store.CASSANDRA, settings)
    assert stores.last_used(settings) is Store.CASSANDRA
    assert names(stores.servers(Store.SQLITE, settings)) == ["kafka"]
    assert names(stores.servers(Store.CASSANDRA, settings)) == ["kafka", "cassandra"]
    roots = {server.root for store in Store for server in stores.servers(store, settings)}
    assert roots == {tmp_path / "data" / place for place in ("sqlite/kafka", "cassandra/kafka", "cassandra/cassandra")}


def test_wiping_a_store_leaves_the_other_one(tmp_path):
    settings = Settings(build=tmp_path)
    for store in Store:
        stores.data_root(store, settings).mkdir(parents=True)
        (stores.data_root(store, settings) / "routing.db").touch()
    stores.wipe(Store.SQLITE, settings)
    assert not stores.data_root(Store.SQLITE, settings).exists()
    assert (stores.data_root(Store.CASSANDRA, settings) / "routing.db").exists()


def test_the_command_line_says_an_error_in_one_line(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
        environment = {**os.environ, "SWITCHLOG_BUILD": str(tmp_path), "KAFKA_PORT": port}
        command = [sys.executable, "-m", "switchlog_local", "up", "--only", "kafka"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.strip() == (
        f"switchlog_local: kafka: port {port} is in use by another program; set KAFKA_PORT to a free one"
    )


def names(servers: list[Server]) -> list[str]:
    return [server.name for server in servers]
