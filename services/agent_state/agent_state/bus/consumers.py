"""Handlers of the topics this service reads."""

from __future__ import annotations

from collections.abc import Callable

from switchlog.bus.consumer import Handler
from switchlog.bus.record import Raw, Received, read_event
from switchlog.bus.tail import Take
from switchlog.errors import Poison

from ..app.desks import Desks
from ..app.foreign import AgentLeftLeg, AgentLetGo, LegAssigned, LegDequeued, OfferMade, OfferOver, RoutingFact
from ..app.reactions import Reactions
from ..domain.events import AgentEvent
from ..projections.offers import Offers
from ..projections.roster import Roster

CONTACTS = "contact.events.v1"
ROUTING = "routing.events.v1"
AGENTS = "agent.events.v1"
GROUP_REACTIONS = "agent-state-reactions"
GROUP_PROJECTIONS = "agent-state-projections"

ReadRouting = Callable[[Received], RoutingFact | None]
ReadContact = Callable[[Received], AgentLeftLeg | None]
ReadOwn = Callable[[Received], AgentEvent | None]


def reacting(reactions: Reactions, read_routing: ReadRouting, read_contact: ReadContact) -> Handler:
    """Routing's and the contacts' facts into commands."""

    async def handle(received: Received) -> None:
        match read_routing(received) if received.topic.endswith(ROUTING) else read_contact(received):
            case OfferOver() as fact:
                await reactions.when_offer_over(fact, received)
            case LegAssigned() as fact:
                await reactions.when_leg_assigned(fact, received)
            case LegDequeued() as fact:
                await reactions.when_leg_dequeued(fact, received)
            case AgentLetGo() as fact:
                await reactions.when_agent_let_go(fact, received)
            case AgentLeftLeg() as fact:
                await reactions.when_agent_left_leg(fact, received)
            case OfferMade() | None:
                return

    return handle


def projecting(roster: Roster, offers: Offers, desks: Desks, read_routing: ReadRouting) -> Handler:
    """Own facts into the roster, offers into their rows; and to desks, whose reader may have begun after the offer."""

    async def handle(received: Received) -> None:
        if received.topic.endswith(AGENTS):
            await roster.refresh(received.stream, received.version)
            return
        tenant = received.stream.tenant
        match read_routing(received):
            case OfferMade() as offer:
                await offers.made(tenant, offer, received.version)
                desks.offered(tenant, offer)
            case OfferOver() as end:
                await offers.over(tenant, end, received.version)
                desks.over(tenant, end)
            case _:
                return

    return handle


def pushing(desks: Desks, read_routing: ReadRouting, read_own: ReadOwn) -> Take:
    """Every replica reads everything and tells its own desks at once."""

    def take(raw: Raw) -> None:
        try:
            received = read_event(raw)
            if raw.topic == AGENTS:
                desks.changed(received.stream, received.version, read_own(received))
            else:
                _push(desks, received.stream.tenant, read_routing(received))
        except Poison:  # the reactions' consumer lays it aside; nobody is told of it
            return

    return take


def _push(desks: Desks, tenant: str, fact: RoutingFact | None) -> None:
    match fact:
        case OfferMade():
            desks.offered(tenant, fact)
        case OfferOver():
            desks.over(tenant, fact)
        case _:
            return
