"""Alerts as people ask for them: rules from their streams, alerts from the read model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from switchlog.clock import Clock
from switchlog.envelope import StreamId

from ..domain.alerting import AlertRaised, Rule
from .watching import Log


@dataclass(frozen=True, slots=True)
class Alert:
    """Times are epoch milliseconds; ``cleared_at`` 0: it stands; ``cleared_value`` ``None``: it had none any more."""

    raised: AlertRaised
    raised_at: int
    cleared_at: int = 0
    cleared_value: float | None = None


class Kept(Protocol):
    async def rules(self) -> list[StreamId]:
        """The streams of all rules of all tenants."""
        ...

    async def since(self, tenant: str, at: int, open_only: bool = False) -> list[Alert]:
        """Those raised since ``at``, newest first, but for those that were cleared too long ago to be kept."""
        ...


@dataclass(frozen=True)
class Alerts:
    log: Log
    kept: Kept
    clock: Clock

    async def rules_of(self, tenant: str) -> list[Rule]:
        """As they stand, by id."""
        streams = [stream for stream in await self.kept.rules() if stream.tenant == tenant]
        found = [(await self.log.state(stream, fresh=True)).state.rule for stream in streams]
        return [rule for rule in found if rule is not None]
