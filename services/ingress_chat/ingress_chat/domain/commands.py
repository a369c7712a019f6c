"""What may be asked of a chat contact."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from .events import EndReason, Message, SkillRequirement, TransferKind


@dataclass(frozen=True, slots=True)
class Place:
    """Where a contact waits: the queue, its pool now, what it asks of an agent, and who is to be tried first."""

    queue: str
    pool: str
    priority: int = 0
    required_skills: tuple[SkillRequirement, ...] = ()
    preferred_agent: str = ""
    preferred_agent_ms: int = 0


class Closed(StrEnum):
    """What becomes of who comes outside the hours."""

    END = "end"
    MESSAGE = "message"


@dataclass(frozen=True, slots=True)
class StartContact:
    entry_point: str
    customer_ref: str
    locale: str = ""
    attributes: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class ReceiveMessage:
    """From the customer; the first one also queues the contact at ``place``, unless it is ``closed``."""

    message: Message
    place: Place
    closed: Closed | None = None


@dataclass(frozen=True, slots=True)
class SendMessage:
    message: Message
    agent: str


@dataclass(frozen=True, slots=True)
class ConnectAgent:
    """Routing has assigned leg ``leg`` to ``agent``."""

    leg: int
    queue: str
    agent: str
    team: str = ""
    offer_id: str = ""


@dataclass(frozen=True, slots=True)
class RequeueContact:
    """Routing has overflowed leg ``leg`` out of its queue to ``place``."""

    leg: int
    place: Place


@dataclass(frozen=True, slots=True)
class TakeMessage:
    """Routing has let leg ``leg`` go to voicemail: nobody will come, what the customer writes is kept."""

    leg: int


@dataclass(frozen=True, slots=True)
class GiveUpWaiting:
    """Routing has taken leg ``leg`` out of its queue for good."""

    leg: int
    reason: EndReason


@dataclass(frozen=True, slots=True)
class TransferContact:
    agent: str
    kind: TransferKind
    place: Place


@dataclass(frozen=True, slots=True)
class EndByAgent:
    agent: str


@dataclass(frozen=True, slots=True)
class EndByCustomer:
    """The visitor closes the conversation, or (``lost``) stayed away beyond the grace time."""

    lost: bool = False


ContactCommand = (
    StartContact
    | ReceiveMessage
    | SendMessage
    | ConnectAgent
    | RequeueContact
    | TakeMessage
    | GiveUpWaiting
    | TransferContact
    | EndByAgent
    | EndByCustomer
)
