"""Which rules there are, and every alert with its end: read models of the alerts' own topic."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

import msgspec

from switchlog.envelope import StreamId
from switchlog.store import ViewRow, ViewStore

from ..app.alerts import Alert
from ..domain.alerting import AlertCleared, AlertFact, AlertRaised, AlertRuleDefined, AlertRuleRemoved

RULES, ALERTS = "alert_rules", "alerts"


@dataclass(frozen=True)
class AlertsView:
    views: ViewStore

    async def fold(self, stream: StreamId, version: int, at: int, event: AlertFact) -> None:
        """A fact recorded at ``at``."""
        tenant, rule = stream.tenant, stream.name.removeprefix("alert-")
        match event:
            case AlertRuleDefined():
                await self.views.put(RULES, "", f"{tenant}/{rule}", b"", version)
            case AlertRuleRemoved():
                await self.views.delete(RULES, "", f"{tenant}/{rule}", version)
            case AlertRaised(alert):
                await self._put(tenant, alert, Alert(event, at), version)
            case AlertCleared(alert):
                if row := await self.views.get(ALERTS, tenant, alert):
                    cleared = replace(_alert(row), cleared_at=at, cleared_value=event.value)
                    await self._put(tenant, alert, cleared, version)

    async def rules(self) -> list[StreamId]:
        """The streams of all rules of all tenants."""
        found = [row.key.split("/", 1) async for row in self._rows(RULES, "")]
        return [StreamId(tenant, f"alert-{rule}") for tenant, rule in found]

    async def since(self, tenant: str, at: int, open_only: bool = False) -> list[Alert]:
        """Those raised since ``at``, newest first."""
        found = [_alert(row) async for row in self._rows(ALERTS, tenant, f"{at:014d}")]
        return [alert for alert in reversed(found) if not (open_only and alert.cleared_at)]

    async def _put(self, tenant: str, alert: str, row: Alert, version: int) -> None:
        await self.views.put(ALERTS, tenant, alert, msgspec.json.encode(row), version)

    async def _rows(self, view: str, partition: str, after: str = "") -> AsyncIterator[ViewRow]:
        while rows := await self.views.scan(view, partition, after):
            for row in rows:
                yield row
            after = rows[-1].key


def _alert(row: ViewRow) -> Alert:
    return msgspec.json.decode(row.value, type=Alert)
