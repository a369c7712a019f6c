"""``python -m routing``: the service with all its roles, one role alone, or a pool published again."""

from __future__ import annotations

import os
import sys

from switchlog.cli import command_line

from . import wiring
from .adapters import configuring, lookback, simulating
from .config import settings

app = command_line(
    "routing",
    "Pools: who is offered what, and why.",
    {
        "api": "HTTP and gRPC.",
        "forward": "Put contacts' and agents' facts into the inbox of the pools they name.",
        "decide": "Own pools: read the inbox, decide, append.",
        "project": "Keep the read models and the configuration topic.",
    },
    wiring.TOPICS,
    lambda: settings(os.environ),
    wiring.run,
)
app.command(simulating.command, name="simulate")
lookback.add_commands(app, wiring.looking_back, os.environ)
configuring.add_commands(app, os.environ)

if __name__ == "__main__":
    sys.exit(app())
