"""Every instrument of this service, declared once with unit and meaning."""

from __future__ import annotations

from switchlog.telemetry import meter

_meter = meter("routing")

fenced = _meter.create_counter("contactcenter.routing.fenced", "1", "Pools lost to another owner.")
unreadable = _meter.create_counter("contactcenter.routing.unreadable", "1", "Inbox records that could not be read.")
