"""Every instrument of this service, with unit and meaning."""

from __future__ import annotations

from switchlog.telemetry import meter

_meter = meter("customers")

resolved = _meter.create_counter(
    "contactcenter.customers.resolved", "{reference}", "References asked for, by whether they were new."
)
erased = _meter.create_counter("contactcenter.customers.erased", "{customer}", "Subject keys erased for good.")
