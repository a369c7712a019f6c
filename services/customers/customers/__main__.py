"""``python -m customers``: the service with all its roles, one role alone, or a stream published again."""

from __future__ import annotations

import os
import sys

from cyclopts import App

from switchlog import runtime

from . import wiring
from .config import settings

app = App(name="customers", help="Customers: references, subject keys and erasure, never personal data.")


def _run(*roles: str) -> int:
    told = settings(os.environ)
    return runtime.run(told.kernel, lambda: wiring.run(told, frozenset(roles)))


@app.command
def run() -> int:
    """All roles in one process."""
    return _run(*wiring.ROLES)


@app.command
def api() -> int:
    """HTTP and gRPC."""
    return _run("api")


@app.command
def react() -> int:
    """Finishes erasures that a crash cut short."""
    return _run("react")


@app.command
def relay(*, stream: str = "", tenant: str = "", from_: int = 1) -> int:
    """Publish what a crash left unpublished; with a stream, publish that again and end.

    Parameters
    ----------
    stream
        A stream such as customer-7f3c.
    tenant
        The stream's tenant.
    from_
        The first version to publish again.
    """
    if not stream:
        return _run("relay")
    told = settings(os.environ)
    return runtime.run(told.kernel, lambda: wiring.republish(told, tenant, stream, from_))


if __name__ == "__main__":
    sys.exit(app())
