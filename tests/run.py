"""`make test`: starts what the tests need on ports of its own, runs them, stops it, and tells where the time went."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from switchlog_local import Cassandra, Kafka, LocalError, Server, free_ports
from switchlog_local.servers import start_all, stop_all

ROOT = Path(__file__).resolve().parents[1]
NO_SERVERS = "not kafka and not cassandra"
PARTS = {
    "common": "libs/common/tests",
    "proto": "proto/tests",
    "local": "infra/local/tests",
    "verification": "tests/verification",
    "integration": "tests/integration",
    "faults": "tests/faults",
}
# Whole centres run in these: consumer groups have one name each, so no two may share a broker.
ALONE = ("verification", "integration", "faults")
# What depends on where events are kept; everything else `make test` has proved once.
OVER_THE_STORE = (
    "libs/common/tests/store",
    "libs/common/tests/write/test_kernel_end_to_end.py",
    "infra/local/tests/test_cassandra.py",
)


def suites() -> dict[str, Path]:
    """What `ONLY=` may name, with the folder of its tests."""
    found = {name: ROOT / path for name, path in PARTS.items()}
    found |= {path.parent.name: path for path in sorted(ROOT.glob("services/*/tests"))}
    return {name: path for name, path in found.items() if path.is_dir()}


def main() -> int:
    """0 when everything passed."""
    store, only, more = os.environ.get("STORE") or "sqlite", os.environ.get("ONLY", ""), sys.argv[1:]
    if store not in ("sqlite", "cassandra"):
        return _wrong(f"STORE={store}: sqlite or cassandra")
    if only and only not in suites():
        return _wrong(f"ONLY={only}: one of {' '.join(suites())}")
    if only:
        return _pytest([suites()[only]], f"{NO_SERVERS} and not slow", {"STORE": store}, more)
    markers = "kafka or cassandra" if store == "cassandra" else "not cassandra"
    return max([_with_servers(store, paths, markers, more) for paths in _rounds(store)])


def _rounds(store: str) -> list[list[Path]]:
    """The tests that may share servers, round by round."""
    found = suites()
    services = [path for name, path in found.items() if name not in PARTS]
    parts = [path for name, path in found.items() if name in PARTS and name not in ALONE]
    shared = [ROOT / path for path in OVER_THE_STORE] if store == "cassandra" else parts
    return [[*shared, *services], *([found[name]] for name in ALONE if name in found)]


def _with_servers(store: str, paths: list[Path], markers: str, more: list[str]) -> int:
    with _servers(store) as address:
        return _pytest(paths, markers, address, more)


@contextmanager
def _servers(store: str) -> Iterator[dict[str, str]]:
    """Kafka, and Cassandra where the events live there; yields the environment that leads to them."""
    root = ROOT / "build" / "test" / str(os.getpid())
    kafka_port, controller_port, cassandra_port, storage_port = free_ports(4)
    servers: list[Server] = [Kafka(root / "kafka", kafka_port, controller_port)]
    if store == "cassandra":
        servers.append(Cassandra(root / "cassandra", cassandra_port, storage_port))
    began = time.monotonic()
    try:
        start_all(servers)
        _make_topics(servers[0].address)
        names = " and ".join(server.name for server in servers)
        print(f"test: {names} started, topics made, in {time.monotonic() - began:.1f} s", flush=True)
        yield {
            "STORE": store,
            "KAFKA_BOOTSTRAP": servers[0].address,
            "KAFKA_PORT": str(kafka_port),
            "CASSANDRA_PORT": str(cassandra_port),
        }
    finally:
        stop_all(servers)
        shutil.rmtree(root, ignore_errors=True)


def _make_topics(bootstrap: str) -> None:
    command = [sys.executable, "-m", "contactcenter.topics", "--local", "--bootstrap", bootstrap]
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)


def _pytest(paths: list[Path], markers: str, environment: dict[str, str], more: list[str]) -> int:
    began = time.monotonic()
    places = [str(path.relative_to(ROOT)) for path in paths]
    command = [sys.executable, "-m", "pytest", "-q", "--durations=15", "-m", markers, *places, *more]
    code = subprocess.run(command, cwd=ROOT, env={**os.environ, **environment}, check=False).returncode
    print(f"test: {' '.join(places)} over {environment['STORE']}: {time.monotonic() - began:.1f} s", flush=True)
    return code


def _wrong(sentence: str) -> int:
    print(f"test: {sentence}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    try:
        sys.exit(main())
    except LocalError as error:
        sys.exit(f"test: {error}")
