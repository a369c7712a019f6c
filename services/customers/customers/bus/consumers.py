"""Handlers of the topics this service reads."""

from __future__ import annotations

from collections.abc import Callable

from switchlog.bus.consumer import Handler
from switchlog.bus.record import Received

from ..app.erasure import Erasure
from ..app.ports import LastAgent, Over
from ..domain.events import CustomerErased, CustomerEvent
from ..projections.last_agents import LastAgentsView

CUSTOMERS = "customer.events.v1"
CONTACTS = "contact.events.v1"
GROUP_ERASURES = "customers-erasures"
GROUP_LAST_AGENTS = "customers-last-agents"

ReadOwn = Callable[[Received], CustomerEvent | None]


def finishing(erasure: Erasure, read: ReadOwn) -> Handler:
    """What a crash left of an erasure is carried out from its fact."""

    async def handle(received: Received) -> None:
        event = read(received)
        if isinstance(event, CustomerErased) and not received.replayed:
            await erasure.carry_out(received.stream.tenant, event.customer_ref)

    return handle


def serving(view: LastAgentsView, read: Callable[[Received], str | LastAgent | Over | None]) -> Handler:
    """A contact's start (a customer reference), each agent it is connected to, and its end."""

    async def handle(received: Received) -> None:
        match read(received):
            case str(customer_ref):
                await view.started(received.stream, received.version, customer_ref)
            case LastAgent() as by:
                await view.served(received.stream, by)
            case Over():
                await view.ended(received.stream, received.version)

    return handle
