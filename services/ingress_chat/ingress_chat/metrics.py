"""Every instrument of this service, with unit and meaning."""

from __future__ import annotations

from switchlog.telemetry import meter

_meter = meter("ingress_chat")

messages = _meter.create_counter(
    "contactcenter.chat.messages", "{message}", "Messages accepted from visitors and agents, by side."
)
started = _meter.create_counter("contactcenter.chat.contacts", "{contact}", "Conversations started, by entry point.")
