"""``python -m ticketing``: the service with all its roles, one role alone, or a stream published again."""

from __future__ import annotations

import os
import sys

from switchlog.cli import command_line

from . import wiring
from .config import settings

app = command_line(
    "ticketing",
    "Tickets: opened from a contact or by API, commented, moved through their states.",
    {
        "api": "HTTP and gRPC.",
        "project": "The list of tickets, and whose each contact is.",
        "react": "Facts of routing: calls back that were promised become tickets.",
    },
    wiring.TOPICS,
    lambda: settings(os.environ),
    wiring.run,
)

if __name__ == "__main__":
    sys.exit(app())
