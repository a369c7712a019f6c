"""``python -m agent_state``: the service with all its roles, one role alone, or a stream published again."""

from __future__ import annotations

import os
import sys

from switchlog.cli import command_line

from . import wiring
from .config import settings

app = command_line(
    "agent_state",
    "Agents: session, presence, skills, capacity, work and wrap-up.",
    {
        "api": "HTTP, gRPC and agents' sockets.",
        "react": "Reactions to routing and contacts, and the time limits of wrap-ups.",
        "project": "The roster and the offers that stand.",
    },
    wiring.TOPICS,
    lambda: settings(os.environ),
    wiring.run,
)

if __name__ == "__main__":
    sys.exit(app())
