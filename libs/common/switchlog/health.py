"""Whether this process may be given work: its parts answer and it is not going away."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

Ready = Callable[[], Mapping[str, bool] | Awaitable[Mapping[str, bool]]]


def always_ready() -> Mapping[str, bool]:
    """For a process that depends on nothing."""
    return {}


@dataclass
class Health:
    """``started`` once the process serves, ``stopping`` from its stop signal on; ``ready`` names each dependency."""

    ready: Ready = field(default=always_ready)
    started: bool = True
    stopping: bool = False

    async def report(self) -> dict[str, bool]:
        """Each part and whether it is fine now; a part that raises is not."""
        parts = {"started": self.started, "not_stopping": not self.stopping}
        try:
            found = self.ready()
            return parts | dict(await found if inspect.isawaitable(found) else found)
        except Exception:  # a readiness probe answers, whatever is broken
            return parts | {"dependencies": False}
