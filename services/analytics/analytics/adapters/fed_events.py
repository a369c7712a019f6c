"""Facts of feeds as protobuf messages, both ways."""

from __future__ import annotations

from typing import Any

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from contactcenter.contact.v1 import types_pb2 as types
from contactcenter.external.v1 import events_pb2 as pb
from contactcenter.routing.v1 import events_pb2 as routing_pb
from switchlog.envelope import Codec

from ..domain.feed import CallFactFed, FeedAdvanced, FeedEnded, FeedEvent, FeedOpened, Line, Terms

TOPIC = "external.events.v1"


def _numbers(enum: Any, prefix: str) -> dict[str, Any]:
    """Word -> number; "" is the unspecified one."""
    words = {name.removeprefix(prefix).lower(): number for name, number in enum.items()}
    return words | {"": words.pop("unspecified")}


FACTS = _numbers(pb.FedFact, "FED_FACT_")
CHANNELS = _numbers(types.Channel, "CHANNEL_")
OUTCOMES = _numbers(routing_pb.DequeueOutcome, "DEQUEUE_OUTCOME_")
FACT_WORDS, CHANNEL_WORDS, OUTCOME_WORDS = (
    {number: word for word, number in numbers.items()} for numbers in (FACTS, CHANNELS, OUTCOMES)
)


def write(event: FeedEvent) -> pb.ExternalEvent:
    match event:
        case CallFactFed(source, line):
            return pb.ExternalEvent(call_fact_fed=line_message(source, line))
        case FeedOpened(source, terms):
            opened = pb.FeedOpened(source=source, lateness_ms=terms.lateness_ms, any_order=terms.any_order)
            return pb.ExternalEvent(feed_opened=opened)
        case FeedAdvanced(source, at):
            return pb.ExternalEvent(feed_advanced=pb.FeedAdvanced(source=source, at=_stamp(at)))
        case FeedEnded(source, accepted):
            return pb.ExternalEvent(feed_ended=pb.FeedEnded(source=source, accepted=accepted))


def line_message(source: str, line: Line) -> pb.CallFactFed:
    made = pb.CallFactFed(
        source=source,
        line_id=line.line_id,
        fact=FACTS[line.fact],
        at=_stamp(line.at),
        contact=line.contact,
        queue=line.queue,
        agent=line.agent,
        channel=CHANNELS[line.channel],
        priority=line.priority,
        outcome=OUTCOMES[line.outcome],
        reason=line.reason,
        planned=line.planned,
        score=line.score,
        to_queue=line.to_queue,
        amount_micros=line.amount_micros,
        currency=line.currency,
        team=line.team,
        leg=line.leg,
    )
    if line.attributes:
        made.attributes.extend(types.Attribute(key=key, value=value) for key, value in line.attributes)
    if line.planned_to:
        made.planned_from.CopyFrom(_stamp(line.planned_from))
        made.planned_to.CopyFrom(_stamp(line.planned_to))
    return made


def read(message: Message) -> FeedEvent | None:
    assert isinstance(message, pb.ExternalEvent)
    match message.WhichOneof("fact"):
        case "call_fact_fed":
            return CallFactFed(message.call_fact_fed.source, line_read(message.call_fact_fed))
        case "feed_opened":
            opened = message.feed_opened
            return FeedOpened(opened.source, Terms(opened.lateness_ms, opened.any_order))
        case "feed_advanced":
            return FeedAdvanced(message.feed_advanced.source, _milliseconds(message.feed_advanced.at))
        case "feed_ended":
            return FeedEnded(message.feed_ended.source, message.feed_ended.accepted)
        case _:
            return None


def line_read(fed: pb.CallFactFed) -> Line:
    return Line(
        fed.line_id,
        FACT_WORDS.get(fed.fact, ""),
        _milliseconds(fed.at),
        fed.contact,
        fed.queue,
        fed.agent,
        CHANNEL_WORDS.get(fed.channel, ""),
        fed.priority,
        tuple((one.key, one.value) for one in fed.attributes),
        OUTCOME_WORDS.get(fed.outcome, ""),
        fed.reason,
        fed.planned if fed.HasField("planned") else None,
        fed.score if fed.HasField("score") else None,
        fed.to_queue,
        _milliseconds(fed.planned_from),
        _milliseconds(fed.planned_to),
        fed.amount_micros if fed.HasField("amount_micros") else None,
        fed.currency,
        fed.team,
        fed.leg,
    )


def _stamp(at: int) -> Timestamp:
    return Timestamp(seconds=at // 1000, nanos=at % 1000 * 1_000_000)


def _milliseconds(at: Timestamp) -> int:
    return at.seconds * 1000 + at.nanos // 1_000_000


CODEC: Codec[FeedEvent] = Codec("analytics", TOPIC, pb.ExternalEvent, write, read)
