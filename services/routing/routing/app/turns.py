"""What was decided, as rows: each fact with its story, its cause, and ids that a repeat makes again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from switchlog.envelope import MAX_BATCH_BYTES, Cause, Codec, Row, StreamId, compose
from switchlog.ids import derived

from ..domain.events import CommandRefused, ContactOffered, Event

EVENTS = 500


@dataclass(frozen=True, slots=True)
class Turn:
    """One input's facts."""

    cause: Cause
    events: Sequence[Event]


def parts(turns: Iterable[Turn]) -> Iterator[list[Turn]]:
    """Runs of whole turns that fit one append."""
    part: list[Turn] = []
    count = 0
    for turn in turns:
        if part and count + len(turn.events) > EVENTS:
            yield part
            part, count = [], 0
        part.append(turn)
        count += len(turn.events)
    if part:
        yield part


def rows_of(
    stream: StreamId, head: int, turns: Sequence[Turn], codec: Codec[Event], batch_id: str, now: int
) -> list[Row]:
    """The rows that follow ``head``."""
    rows: list[Row] = []
    for turn in turns:
        first = head + len(rows) + 1
        rows += compose(stream, first - 1, list(_caused(turn, first)), codec, batch_id, now)
    return rows


def too_big(rows: Sequence[Row]) -> bool:
    return sum(row.size for row in rows) > MAX_BATCH_BYTES


def _caused(turn: Turn, first: int) -> Iterator[tuple[Cause, list[Event]]]:
    """Consecutive facts of one story; the first keep the input's own id, the others derive theirs from it."""
    cause = _refusable(turn)
    for n, (story, events) in enumerate(groupby(turn.events, _story)):
        correlation = story or cause.correlation_id
        command_id = cause.command_id if n == 0 else derived(cause.command_id, n)
        causation = cause.causation_id or turn.cause.command_id
        own = replace(cause, command_id=command_id, causation_id=causation, correlation_id=correlation)
        yield own, [_placed(event, first) for event in events]


def _refusable(turn: Turn) -> Cause:
    """A late order may be sent again in time, so its refusal must not take the ids of what it causes then."""
    match turn.events[0]:
        case CommandRefused(reason="EXPIRED"):
            return replace(turn.cause, command_id=derived(turn.cause.command_id, "EXPIRED"))
        case _:
            return turn.cause


def _story(event: Event) -> str:
    contact = getattr(event, "contact", "")
    return f"contact-{contact}" if contact else ""


def _placed(event: Event, first: int) -> Event:
    if isinstance(event, ContactOffered):
        return replace(event, explanation=replace(event.explanation, cause_version=first))
    return event
