"""Facts of feeds (``external.events.v1``) into folds of their board."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from google.protobuf.message import DecodeError

from contactcenter.external.v1 import events_pb2 as pb
from switchlog.errors import Poison

from ..app.ports import Read
from ..domain import feedboard
from ..domain.fed import OF_CONTACTS, Fact
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


def needed(event: pb.ExternalEvent, kind: str) -> Sequence[CellKey]:
    """None before the fold: it contributes."""
    return ()


def contacts_in(found: Iterable[Read]) -> set[ContactKey]:
    """Whose facts must be in memory."""
    return {
        (one.key, one.event.call_fact_fed.contact)
        for one in found
        if one.kind == "call_fact_fed" and one.event.call_fact_fed.contact
    }


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
    if not fed.contact or word not in OF_CONTACTS:
        return
    fact = Fact(
        at,
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
    )
    feedboard.told(board, key, offset, fed.contact, fact)
