"""``python -m recording``: the service with all its roles, one role alone, or a stream published again."""

from __future__ import annotations

import os
import sys

from switchlog.cli import command_line

from . import wiring
from .config import settings

app = command_line(
    "recording",
    "What was said, kept: the sealed transcript of each chat leg.",
    {
        "api": "HTTP and gRPC.",
        "react": "Keeps messages and makes the transcript of each leg.",
        "project": "Which recordings a contact has.",
    },
    wiring.TOPICS,
    lambda: settings(os.environ),
    wiring.run,
)

if __name__ == "__main__":
    sys.exit(app())
