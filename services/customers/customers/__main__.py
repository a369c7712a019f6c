"""``python -m customers``: the service with all its roles, one role alone, or a stream published again."""

from __future__ import annotations

import os
import sys

from switchlog.cli import command_line

from . import wiring
from .config import settings

app = command_line(
    "customers",
    "Customers: references, subject keys and erasure, never personal data.",
    {
        "api": "HTTP and gRPC.",
        "react": "Finishes erasures that a crash cut short.",
    },
    wiring.TOPICS,
    lambda: settings(os.environ),
    wiring.run,
)

if __name__ == "__main__":
    sys.exit(app())
