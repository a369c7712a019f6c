"""Facts of feeds (``external.events.v1``) into folds of their board."""

from __future__ import annotations

from collections.abc import Iterable

from google.protobuf.message import DecodeError

from contactcenter.external.v1 import events_pb2 as pb
from switchlog.errors import Poison

from ..app.ports import Read
from ..domain import feedboard
from ..domain.fed import OF_CONTACTS
from ..domain.fedagents import MOST_SHIFT_MS, OF_AGENTS, SHIFT
from ..domain.fedstory import Fact
from ..domain.feedboard import ContactKey, FedStream, FeedBoard
from ..domain.levels import CellKey
from ..wire import milliseconds
from .fed_events import CHANNEL_WORDS, FACT_WORDS, OUTCOME_WORDS, TOPIC

__all__ = ["TOPIC", "contacts_in", "fold", "needed", "read"]


def read(value: bytes | None) -> pb.ExternalEvent:
    """The value as an event; raises ``Poison("UNDECODABLE")``."""
    try:
        return pb.ExternalEvent.FromString(value or b"")
    except DecodeError as error:
        raise Poison("UNDECODABLE", str(error)) from error


def needed(found: Iterable[Read]) -> set[CellKey]:
    """None before the fold: it contributes."""
    return set()


def contacts_in(found: Iterable[Read]) -> set[ContactKey]:
    """Whose facts must be in memory: contacts, and agents' days."""
    wanted: set[ContactKey] = set()
    for one in found:
        if one.kind != "call_fact_fed":
            continue
        fed = one.event.call_fact_fed
        if fed.contact:
            wanted.add((one.key, fed.contact))
        elif fed.agent and (fact := _of_agent(fed)):
            wanted |= {feedboard.agent_key(one.key, fed.agent, day) for day in feedboard.days_around(fact)}
        elif fed.fact == pb.FED_FACT_COST_BOOKED:
            wanted.add((one.key, _cost_name(fed)))
    return wanted


def fold(board: FeedBoard, found: Iterable[Read]) -> None:
    """Change ``board`` by what happened."""
    for event, kind, key, offset in found:
        meta = event.meta
        stream = feedboard.heard(board, key, meta.version, offset, milliseconds(meta.recorded_at))
        if kind == "call_fact_fed":
            _told(board, stream, key, offset, event.call_fact_fed)
        elif kind == "feed_opened":
            said = event.feed_opened
            feedboard.opened(stream, said.source, int(key.rpartition("-")[2]), said.lateness_ms, said.any_order)
        elif kind == "feed_advanced":
            stream.clock = max(stream.clock, milliseconds(event.feed_advanced.at))
        elif kind == "feed_ended":
            stream.ended = True


def _told(board: FeedBoard, stream: FedStream, key: str, offset: int, fed: pb.CallFactFed) -> None:
    at = milliseconds(fed.at)
    stream.source, stream.clock, stream.lines = fed.source, max(stream.clock, at), stream.lines + 1
    word = FACT_WORDS.get(fed.fact, "")
    if fed.contact and word in OF_CONTACTS:
        feedboard.told(board, key, offset, fed.contact, _fact(fed, word))
    elif word == "cost_booked":
        feedboard.told(board, key, offset, _cost_name(fed), _fact(fed, word))
    elif fed.agent and (fact := _of_agent(fed)):
        feedboard.told_of_agent(board, key, offset, fed.agent, fact)


def _cost_name(fed: pb.CallFactFed) -> str:
    """A cost of no contact stands for itself."""
    return f"@cost/{fed.line_id}"


def _of_agent(fed: pb.CallFactFed) -> Fact | None:
    """A shift by when it is, whenever it was planned."""
    word = FACT_WORDS.get(fed.fact, "")
    if word not in OF_AGENTS:
        return None
    fact = _fact(fed, word)
    if word != SHIFT:
        return fact
    begin, end = milliseconds(fed.planned_from), milliseconds(fed.planned_to)
    return fact._replace(at=begin, until=min(end, begin + MOST_SHIFT_MS))


def _fact(fed: pb.CallFactFed, word: str) -> Fact:
    return Fact(
        milliseconds(fed.at),
        fed.line_id,
        word,
        fed.queue,
        fed.agent,
        fed.team,
        CHANNEL_WORDS.get(fed.channel, ""),
        OUTCOME_WORDS.get(fed.outcome, ""),
        fed.reason,
        fed.score,
        fed.amount_micros,
        fed.currency,
        fed.planned,
    )
