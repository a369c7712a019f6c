"""What this service hears from others, in its own words."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ..domain.events import Leg


class OfferEnd(StrEnum):
    ACCEPTED = "accepted"
    DECLINED = "declined"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class OfferMade:
    """Routing offers ``leg`` to ``agent``; times are epoch milliseconds.

    ``traceparent`` is handed to the agent's client, which continues the trace with what the agent does about it.
    """

    agent: str
    offer_id: str
    leg: Leg
    offered_at: int
    expires_at: int
    queued_at: int
    traceparent: str = ""


@dataclass(frozen=True, slots=True)
class OfferOver:
    """``blames_agent``: nobody answered, and the agent is to be set not ready."""

    agent: str
    offer_id: str
    how: OfferEnd
    blames_agent: bool = False


@dataclass(frozen=True, slots=True)
class LegAssigned:
    """``wrap_up_ms`` is its queue's limit of a wrap-up; 0: the agent's own."""

    agent: str
    leg: Leg
    offer_id: str
    wrap_up_ms: int = 0


@dataclass(frozen=True, slots=True)
class LegDequeued:
    """The leg left its queue; ``answered`` only once its agent was connected."""

    leg: Leg
    answered: bool


@dataclass(frozen=True, slots=True)
class AgentLetGo:
    """The pool has released the agent."""

    agent: str
    pool: str


@dataclass(frozen=True, slots=True)
class AgentLeftLeg:
    """The conversation between agent and contact is over."""

    agent: str
    leg: Leg


RoutingFact = OfferMade | OfferOver | LegAssigned | LegDequeued | AgentLetGo
