"""What the owner of pools needs from outside, and what it is given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from switchlog.envelope import Cause, Row, StreamId

from ..domain.commands import Input


@dataclass(frozen=True, slots=True)
class Arrived:
    """An input of ``pool`` and why it is given; ``offset`` is its place in the inbox, -1 for a timer."""

    pool: StreamId
    item: Input
    cause: Cause
    offset: int = -1


class Bus(Protocol):
    """Whether the bus is there; nothing is offered and nothing expires while it is not."""

    def time(self) -> float:
        """Monotonic seconds during which the bus was there: it stands still in an outage, and so do deadlines."""
        ...

    def lost_since(self, at: int) -> int:
        """Milliseconds since ``at`` (epoch milliseconds) during which the bus was away, as this process knows it."""
        ...

    async def wait_up(self) -> None:
        """Returns once the bus is there."""
        ...

    async def alive(self) -> bool:
        """Ask it now, at most a second; an outage begins when it does not answer."""
        ...


class Told(Protocol):
    """Somebody who listens to what was just appended."""

    def __call__(self, stream: StreamId, head: int, rows: Sequence[Row]) -> None: ...


class Fenced(Exception):
    """Another owner has taken the pool."""
