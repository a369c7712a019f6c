"""Every instrument of this service, with unit and meaning."""

from __future__ import annotations

from switchlog.telemetry import meter

_meter = meter("agent_state")

offer_push = _meter.create_histogram(
    "contactcenter.agent.offer_push", "s", "From ContactOffered.recorded_at to the frame on the agent's socket."
)
desks = _meter.create_up_down_counter("contactcenter.agent.desks", "{socket}", "Open sockets of agents.")
