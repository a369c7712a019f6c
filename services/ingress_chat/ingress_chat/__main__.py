"""``python -m ingress_chat``: the service with all its roles, one role alone, or a stream published again."""

from __future__ import annotations

import os
import sys

from switchlog.cli import command_line

from . import wiring
from .config import settings

app = command_line(
    "ingress_chat",
    "Written conversations: visitors' sockets, contact streams, messages and files.",
    {
        "api": "HTTP, gRPC, visitors' and agents' sockets.",
        "react": "Connects agents whom routing assigned.",
        "project": "Which conversations an agent has.",
    },
    wiring.TOPICS,
    lambda: settings(os.environ),
    wiring.run,
)

if __name__ == "__main__":
    sys.exit(app())
