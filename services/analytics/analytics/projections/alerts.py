"""Which rules there are, which alerts stand, and every alert with its end: read models of the alerts' own topic.

``alert_rules``     "" | <tenant>/<rule>                           : it is defined
``alerts_standing`` <tenant> | <rule>/<queue>/<agent>/<team>       : the alert that stands, one at most
``alerts``          <tenant> | <alert> (by when it was raised)      : the alert, until long after it was cleared
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

import msgspec

from switchlog.clock import Clock
from switchlog.envelope import StreamId
from switchlog.store import ViewRow, ViewStore

from ..app.alerts import Alert
from ..domain.alerting import AlertCleared, AlertFact, AlertRaised, AlertRuleDefined, AlertRuleRemoved

RULES, STANDING, ALERTS = "alert_rules", "alerts_standing", "alerts"
DAY_MS = 24 * 3600 * 1000
FORGET_AT_ONCE = 50


@dataclass(frozen=True)
class AlertsView:
    """An alert is forgotten ``kept_days`` after it was cleared; its topic and its stream keep the facts."""

    views: ViewStore
    clock: Clock
    kept_days: int

    async def fold(self, stream: StreamId, version: int, at: int, event: AlertFact) -> None:
        """A fact recorded at ``at``."""
        tenant, rule = stream.tenant, stream.name.removeprefix("alert-")
        match event:
            case AlertRuleDefined():
                await self.views.put(RULES, "", f"{tenant}/{rule}", b"", version)
            case AlertRuleRemoved():
                await self.views.delete(RULES, "", f"{tenant}/{rule}", version)
            case AlertRaised(alert):
                row = msgspec.json.encode(Alert(event, at))
                await self.views.put(ALERTS, tenant, alert, row, version)
                await self.views.put(STANDING, tenant, _standing_key(rule, event), row, version)
                await self._forget(tenant)
            case AlertCleared(alert):
                if found := await self.views.get(ALERTS, tenant, alert):
                    cleared = replace(_alert(found), cleared_at=at, cleared_value=event.value)
                    await self.views.put(ALERTS, tenant, alert, msgspec.json.encode(cleared), version)
                await self.views.delete(STANDING, tenant, _standing_key(rule, event), version)

    async def rules(self) -> list[StreamId]:
        """The streams of all rules of all tenants."""
        found = [row.key.split("/", 1) async for row in self._rows(RULES, "")]
        return [StreamId(tenant, f"alert-{rule}") for tenant, rule in found]

    async def since(self, tenant: str, at: int, open_only: bool = False) -> list[Alert]:
        """Those raised since ``at``, newest first; of those that stand nothing else is read."""
        after = f"{at:014d}"
        rows = self._rows(STANDING, tenant) if open_only else self._rows(ALERTS, tenant, after)
        found = [_alert(row) async for row in rows]
        kept = [alert for alert in found if alert.raised.alert > after and not self._is_old(alert)]
        return sorted(kept, key=lambda alert: alert.raised.alert, reverse=True)

    async def _forget(self, tenant: str) -> None:
        """Those cleared long ago: they were raised before that, so they are among the first."""
        async for row in self._rows(ALERTS, tenant, page=FORGET_AT_ONCE):
            if row.key >= f"{self._kept_from():014d}":
                return
            if self._is_old(_alert(row)):
                await self.views.delete(ALERTS, tenant, row.key, row.version)

    def _is_old(self, alert: Alert) -> bool:
        return 0 < alert.cleared_at < self._kept_from()

    def _kept_from(self) -> int:
        return max(0, self.clock.now() - self.kept_days * DAY_MS)

    async def _rows(self, view: str, partition: str, after: str = "", page: int = 1000) -> AsyncIterator[ViewRow]:
        while rows := await self.views.scan(view, partition, after, page):
            for row in rows:
                yield row
            after = rows[-1].key


def _standing_key(rule: str, event: AlertRaised | AlertCleared) -> str:
    return "/".join((rule, *event.subject))


def _alert(row: ViewRow) -> Alert:
    return msgspec.json.decode(row.value, type=Alert)
