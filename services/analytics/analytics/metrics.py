"""Every instrument of this service, with unit and meaning."""

from __future__ import annotations

from switchlog.telemetry import meter

_meter = meter("analytics")

facts = _meter.create_counter("contactcenter.analytics.facts", "{fact}", "Facts folded into figures, by topic.")
shifts = _meter.create_counter("contactcenter.analytics.shifts", "{row}", "Agents' days published.")
levels = _meter.create_counter("contactcenter.analytics.levels", "{row}", "Service-level rows published.")
