"""What happens to a chat contact, as facts in the past tense."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class MessageKind(StrEnum):
    TEXT = "text"
    RICH = "rich"
    EMOJI = "emoji"
    IMAGE = "image"
    AUDIO = "audio"
    VIDEO = "video"
    FILE = "file"
    CARD = "card"


class TransferKind(StrEnum):
    BLIND = "blind"
    CONSULT = "consult"


class EndReason(StrEnum):
    AGENT_ENDED = "agent_ended"
    CUSTOMER_ENDED = "customer_ended"
    ABANDONED = "abandoned"
    CUSTOMER_LOST = "customer_lost"
    NEVER_QUEUED = "never_queued"
    BLOCKED = "blocked"
    SELF_SERVED = "self_served"
    CALLBACK = "callback"
    TIMED_OUT = "timed_out"
    FAILED = "failed"
    UNSPECIFIED = "unspecified"


class LegEnd(StrEnum):
    """Why one side of a leg ended."""

    AGENT_ENDED = "agent_ended"
    CUSTOMER_ENDED = "customer_ended"
    TRANSFERRED = "transferred"
    LOST = "lost"
    UNSPECIFIED = "unspecified"


@dataclass(frozen=True, slots=True)
class SealedText:
    """Text under the customer's key; only ``switchlog.seal`` reads it."""

    key_id: str
    nonce: bytes
    ciphertext: bytes


@dataclass(frozen=True, slots=True)
class SkillRequirement:
    skill: str
    min_level: int = 1


@dataclass(frozen=True, slots=True)
class Message:
    """A message as it travels: sealed text, or a reference to a sealed attachment, or both (a caption)."""

    message_id: str
    kind: MessageKind
    body: SealedText | None = None
    attachment_ref: str = ""


@dataclass(frozen=True, slots=True)
class ContactStarted:
    entry_point: str
    customer_ref: str
    locale: str = ""
    attributes: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class SystemConnected:
    """A machine has the customer: ``message`` takes down what the customer leaves, for later."""

    system: str
    leg: int = 0
    queue: str = ""
    pool: str = ""


@dataclass(frozen=True, slots=True)
class MessageReceived:
    """From the customer."""

    message: Message
    leg: int = 0
    queue: str = ""
    pool: str = ""
    agent: str = ""
    team: str = ""


@dataclass(frozen=True, slots=True)
class MessageSent:
    """To the customer."""

    message: Message
    leg: int
    queue: str
    pool: str
    agent: str
    team: str = ""


@dataclass(frozen=True, slots=True)
class ContactQueued:
    """``arrived_at`` is when the customer first waited anywhere; ``from_queue`` is set on further legs."""

    leg: int
    queue: str
    pool: str
    arrived_at: int
    priority: int = 0
    required_skills: tuple[SkillRequirement, ...] = ()
    preferred_agent: str = ""
    attributes: tuple[tuple[str, str], ...] = ()
    locale: str = ""
    from_queue: str = ""
    from_pool: str = ""
    preferred_agent_ms: int = 0


@dataclass(frozen=True, slots=True)
class AgentConnected:
    leg: int
    queue: str
    pool: str
    agent: str
    team: str = ""
    offer_id: str = ""


@dataclass(frozen=True, slots=True)
class AgentDisconnected:
    leg: int
    queue: str
    pool: str
    agent: str
    team: str
    reason: LegEnd


@dataclass(frozen=True, slots=True)
class CustomerDisconnected:
    leg: int
    queue: str
    pool: str
    reason: LegEnd
    agent: str = ""
    team: str = ""


@dataclass(frozen=True, slots=True)
class ContactAbandoned:
    """The customer left while waiting; ``lost`` when the connection was, rather than the patience."""

    leg: int
    queue: str
    pool: str
    lost: bool = False


@dataclass(frozen=True, slots=True)
class ContactTransferred:
    leg: int
    queue: str
    pool: str
    agent: str
    team: str
    kind: TransferKind
    to_queue: str
    to_pool: str


@dataclass(frozen=True, slots=True)
class ContactEnded:
    reason: EndReason
    leg: int = 0
    queue: str = ""
    pool: str = ""
    agent: str = ""
    team: str = ""


ContactEvent = (
    ContactStarted
    | SystemConnected
    | MessageReceived
    | MessageSent
    | ContactQueued
    | AgentConnected
    | AgentDisconnected
    | CustomerDisconnected
    | ContactAbandoned
    | ContactTransferred
    | ContactEnded
)
