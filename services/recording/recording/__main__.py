"""``python -m recording``: the service with all its roles, or the relay's tools."""

from __future__ import annotations

import os
import sys

from cyclopts import App

from switchlog import runtime

from . import wiring
from .config import settings

app = App(name="recording", help="What was said, kept: the sealed transcript of each chat leg.")


@app.command
def run() -> int:
    """All roles in one process: HTTP, gRPC, transcripts, projections, relay."""
    told = settings(os.environ)
    return runtime.run(told.kernel, lambda: wiring.run(told))


@app.command
def relay(*, stream: str = "", tenant: str = "", from_: int = 1) -> int:
    """Publish what is stored and not on the topic yet; with a stream, publish it again.

    Parameters
    ----------
    stream
        A stream such as recording-7f3c; without one the sweeper runs until stopped.
    tenant
        The stream's tenant.
    from_
        The first version to publish again.
    """
    told = settings(os.environ)
    return runtime.run(told.kernel, lambda: wiring.relay(told, tenant, stream, from_))


if __name__ == "__main__":
    sys.exit(app())
