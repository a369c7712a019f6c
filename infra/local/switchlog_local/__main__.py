"""`python -m switchlog_local`: the servers of one STORE on this machine, up, down, wiped, or looked at."""

import sys
import time
from pathlib import Path
from typing import Literal

from cyclopts import App

from switchlog_local import jars, stores
from switchlog_local.errors import LocalError
from switchlog_local.servers import CONF, Server, start_all, stop_all
from switchlog_local.settings import Settings
from switchlog_local.stores import Store

COORDINATES = {
    "kafka": ["org.apache.kafka:kafka_2.13:4.3.1", "org.slf4j:slf4j-simple:1.7.36"],
    "cassandra": ["org.apache.cassandra:cassandra-all:5.0.9"],
}
Name = Literal["kafka", "cassandra"]
app = App(
    name="switchlog_local",
    help="Apache Kafka and Apache Cassandra on this machine, from pip alone. Data lie under build/data/<store>.",
)


@app.command
def up(*, store: Store | None = None, only: Name | None = None) -> None:
    """Start the servers of a STORE and wait until they serve.

    Parameters
    ----------
    store
        sqlite (Kafka alone) or cassandra (Kafka and Cassandra); the one used last when left out.
    only
        One of the servers alone.
    """
    settings = Settings()
    chosen = store or stores.last_used(settings)
    stores.refuse_two(chosen, settings)
    began = time.monotonic()
    wanted = _only(stores.servers(chosen, settings), only)
    start_all(wanted)
    stores.remember(chosen, settings)
    _print(wanted)
    print(f"up: STORE={chosen}, {time.monotonic() - began:.1f} s")


@app.command
def down(*, store: Store | None = None, only: Name | None = None) -> None:
    """Stop the servers of a STORE, or of every STORE when none is named. Data stay.

    Parameters
    ----------
    store
        sqlite or cassandra.
    only
        One of the servers alone.
    """
    settings = Settings()
    running = [server for one in _stores(store) for server in _only(stores.servers(one, settings), only) if server.pid]
    stop_all(running)
    print("down:", ", ".join(f"{server.name} stopped" for server in running) or "nothing was running")


@app.command
def wipe(*, store: Store | None = None) -> None:
    """Stop the servers and empty what they and the services keep, of one STORE or of every one.

    Parameters
    ----------
    store
        sqlite or cassandra.
    """
    settings = Settings()
    for one in _stores(store):
        stores.wipe(one, settings)
        print(f"wipe: STORE={one} is empty")


@app.command
def status(*, store: Store | None = None) -> int:
    """Tell what runs; exits 3 when one of the STORE's servers does not serve.

    Parameters
    ----------
    store
        sqlite or cassandra; the one used last when left out.
    """
    settings = Settings()
    chosen = store or stores.last_used(settings)
    print(f"STORE={chosen}")
    found = stores.servers(chosen, settings)
    _print(found)
    return 0 if all(server.ready() for server in found) else 3


@app.command
def lock() -> None:
    """Resolve the pinned coordinates anew and write the sha256 sums (after changing a version in this file)."""
    for name, coordinates in COORDINATES.items():
        count = jars.write_lock(coordinates, CONF / f"{name}.sha256", Settings().servers / name)
        print(f"lock: {Path(name)}.sha256, {count} jars")


def _stores(store: Store | None) -> list[Store]:
    return [store] if store else list(Store)


def _only(servers: list[Server], only: Name | None) -> list[Server]:
    return [server for server in servers if only in (None, server.name)]


def _print(servers: list[Server]) -> None:
    for server in servers:
        state = f"ready on {server.address}" if server.ready() else "starting or stuck" if server.pid else "not running"
        print(f"{server.name}: {state}" + (f", pid {server.pid}" if server.pid else ""))


def main() -> None:
    """Errors that a person can do something about are one sentence, without a stack."""
    try:
        sys.exit(app())
    except LocalError as error:
        sys.exit(f"switchlog_local: {error}")


if __name__ == "__main__":
    main()
