"""Handlers of the topics that are read fact by fact."""

from __future__ import annotations

from switchlog.bus.consumer import Handler
from switchlog.bus.record import Received
from switchlog.envelope import Codec

from ..domain.alerting import AlertFact
from ..projections.alerts import AlertsView
from ..wire import milliseconds


def alerts_handler(alerts: AlertsView, codec: Codec[AlertFact]) -> Handler:
    """Own facts into the read model."""

    async def handle(received: Received) -> None:
        event = codec.read(received.parse(codec.message))
        if event is not None:
            at = milliseconds(received.meta().recorded_at)
            await alerts.fold(received.stream, received.version, at, event)

    return handle
