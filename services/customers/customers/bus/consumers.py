"""Handlers of the topics this service reads."""

from __future__ import annotations

from collections.abc import Callable

from switchlog.bus.consumer import Handler
from switchlog.bus.record import Received

from ..app.erasure import Erasure
from ..domain.events import CustomerErased, CustomerEvent

CUSTOMERS = "customer.events.v1"
GROUP_ERASURES = "customers-erasures"

ReadOwn = Callable[[Received], CustomerEvent | None]


def finishing(erasure: Erasure, read: ReadOwn) -> Handler:
    """What a crash left of an erasure is carried out from its fact."""

    async def handle(received: Received) -> None:
        event = read(received)
        if isinstance(event, CustomerErased) and not received.replayed:
            await erasure.carry_out(received.stream.tenant, event.customer_ref)

    return handle
