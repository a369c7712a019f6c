"""Facts of contacts (``contact.events.v1``) into folds of their states."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from google.protobuf.message import DecodeError

from contactcenter.contact.v1 import events_pb2 as pb
from switchlog.errors import Poison

from ..app.ports import Read
from ..domain import legs
from ..domain.legs import Contact, Out
from ..domain.levels import CellKey
from ..domain.states import States
from ..wire import CHANNELS, END_REASONS, happened_at

TOPIC = "contact.events.v1"

Handler = Callable[[Contact, Out, int, Any], None]

NOT_A_CUSTOMER = (pb.SENDER_KIND_AGENT, pb.SENDER_KIND_ROBOT, pb.SENDER_KIND_SYSTEM)


def read(value: bytes | None) -> pb.ContactEvent:
    """The value as an event; raises ``Poison("UNDECODABLE")``."""
    try:
        return pb.ContactEvent.FromString(value or b"")
    except DecodeError as error:
        raise Poison("UNDECODABLE", str(error)) from error


def needed(found: Iterable[Read]) -> set[CellKey]:
    """No counters: contributions wait for theirs."""
    return set()


def fold(board: States[Contact], found: Iterable[Read]) -> None:
    """Change the contacts that ``found`` tells of."""
    for event, kind, key, offset in found:
        meta, state = event.meta, board.states[key]
        out: Out = []
        handler = _FACTS.get(kind)
        if handler is not None:
            handler(state, out, happened_at(meta), getattr(event, kind))
        board.happened(key, state, meta.version, offset, out)


def _started(contact: Contact, out: Out, at: int, fact: pb.ContactStarted) -> None:
    legs.started(contact, out, at, CHANNELS.get(fact.channel, "unspecified"))


def _queued(contact: Contact, out: Out, at: int, fact: pb.ContactQueued) -> None:
    legs.queued(contact, out, at, fact.leg, fact.queue, _channel(fact))


def _connected(contact: Contact, out: Out, at: int, fact: pb.AgentConnected) -> None:
    legs.connected(contact, out, at, fact.leg, fact.queue, fact.agent, fact.team, _channel(fact))


def _channel(fact: pb.ContactQueued | pb.AgentConnected) -> str:
    return CHANNELS.get(fact.channel, "") if fact.channel else ""


def _received(contact: Contact, out: Out, at: int, fact: pb.MessageReceived) -> None:
    if fact.sender not in NOT_A_CUSTOMER:
        legs.asked(contact, at)


def _sent(contact: Contact, out: Out, at: int, fact: pb.MessageSent) -> None:
    stated = fact.sender != pb.SENDER_KIND_UNSPECIFIED
    if fact.sender == pb.SENDER_KIND_AGENT or (fact.agent and not stated):
        legs.replied(contact, out, at, fact.leg, fact.agent, fact.team)


def _surveyed(contact: Contact, out: Out, at: int, fact: pb.SurveyAnswered) -> None:
    legs.surveyed(contact, out, at, fact.leg, fact.score, fact.max_score)


_FACTS: Mapping[str, Handler] = {
    "contact_started": _started,
    "system_connected": lambda contact, out, at, fact: legs.system_connected(contact, out, at),
    "contact_queued": _queued,
    "agent_connected": _connected,
    "agent_disconnected": lambda contact, out, at, fact: legs.agent_left(contact, out, at, fact.leg),
    "contact_held": lambda contact, out, at, fact: legs.held(contact, out, at, fact.leg, True),
    "contact_resumed": lambda contact, out, at, fact: legs.held(contact, out, at, fact.leg, False),
    "contact_transferred": lambda contact, out, at, fact: legs.transferred(contact, out, at, fact.leg),
    "message_received": _received,
    "message_sent": _sent,
    "survey_answered": _surveyed,
    "trunk_seized": lambda contact, out, at, fact: legs.seized(contact, out, at, f"{fact.trunk}/{fact.line}"),
    "trunk_released": lambda contact, out, at, fact: legs.released(contact, out, at, f"{fact.trunk}/{fact.line}"),
    "contact_ended": lambda contact, out, at, fact: legs.ended(contact, out, at, END_REASONS.get(fact.reason, "")),
}
