"""``python -m routing``: the service with all its roles, one of them, or the relay's tools."""

from __future__ import annotations

import os
import sys

from cyclopts import App

from switchlog import runtime

from . import wiring
from .config import settings

app = App(name="routing", help="Pools: who is offered what, and why.")


def _run(*roles: str) -> int:
    told = settings(os.environ)
    return runtime.run(told.kernel, lambda: wiring.run(told, roles))


@app.command
def run() -> int:
    """All roles in one process: HTTP, gRPC, forward, decide, projections, relay."""
    return _run(*wiring.ROLES)


@app.command
def api() -> int:
    """HTTP and gRPC only."""
    return _run("api")


@app.command
def forward() -> int:
    """Put contacts' and agents' facts into the inbox of the pools they name."""
    return _run("forward")


@app.command
def decide() -> int:
    """Own pools: read the inbox, decide, append."""
    return _run("decide")


@app.command
def project() -> int:
    """Keep the read models and the configuration topic."""
    return _run("project")


@app.command
def relay(*, stream: str = "", tenant: str = "", from_: int = 1) -> int:
    """Publish what is stored and not on the topic yet; with a stream, publish it again.

    Parameters
    ----------
    stream
        A stream such as pool-main; without one the sweeper runs until stopped.
    tenant
        The stream's tenant.
    from_
        The first version to publish again.
    """
    if not stream:
        return _run("relay")
    told = settings(os.environ)
    return runtime.run(told.kernel, lambda: wiring.relay(told, tenant, stream, from_))


if __name__ == "__main__":
    sys.exit(app())
