"""``python -m ingress_voice``: the service with all its roles, one role alone, or a stream published again."""

from __future__ import annotations

import os
import sys

from switchlog.cli import command_line

from . import wiring
from .config import settings

app = command_line(
    "ingress_voice",
    "Telephone calls as contact streams, behind a port to the telephone switch.",
    {
        "api": "HTTP and gRPC.",
        "switch": "Listens to the telephone switch and rings agents whom routing assigned.",
    },
    wiring.TOPICS,
    lambda: settings(os.environ),
    wiring.run,
)

if __name__ == "__main__":
    sys.exit(app())
