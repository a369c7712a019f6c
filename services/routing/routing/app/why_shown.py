"""Explanations as JSON has them: the recorded and the re-executed decision, everybody looked at, and the words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import fields, is_dataclass
from datetime import UTC, tzinfo
from enum import Enum
from typing import Any

from switchlog.envelope import timestamp

from ..domain.events import Event
from .again import Ahead, Decision
from .candidates import Candidate
from .replays import Difference, Replayed
from .say import Lang
from .why import Standing
from .words import cause, sentence, standing

Shown = dict[str, Any]
LEFT_OUT = frozenset({"raw", "definition", "request"})


def decisions(found: Sequence[Decision], lang: Lang = "en", zone: tzinfo = UTC) -> Shown:
    """In order; ``identical`` only if every one was decided the same again."""
    shown = [_decision(one, lang, zone) for one in found]
    return {"identical": all(one.identical for one in found), "decisions": shown}


def queue(found: Standing, lang: Lang = "en", zone: tzinfo = UTC) -> Shown:
    """A queue at an instant, and its last offers."""
    return {
        "pool": found.pool.name.removeprefix("pool-"),
        "queue": found.queue,
        "at": timestamp(found.at),
        "version": found.version,
        "policy": found.policy,
        "text": standing(found, lang, zone),
        "waiting": [
            {
                "contact": contact.id,
                "leg": contact.leg,
                "channel": contact.channel,
                "priority": contact.priority,
                "waited_ms": found.at - contact.queued_at,
                "offers": contact.attempts,
                "candidates": [_candidate(one) for one in looked_at],
            }
            for contact, looked_at in found.waiting
        ],
    } | decisions(found.decisions, lang, zone)


def replayed(found: Replayed) -> Shown:
    """What a replay found; ``difference`` has both decisions."""
    return {
        "pool": found.pool.name.removeprefix("pool-"),
        "date": found.day.date,
        "identical": found.identical,
        "turns": found.turns,
        "events": found.events,
        "end_of_day_proved": found.closed and found.identical,
        "unknown_facts": found.unknown,
        "difference": _difference(found.difference) if found.difference else None,
    }


def facts(events: Iterable[Event]) -> list[Shown]:
    return [fact(event) for event in events]


def fact(event: object) -> Shown:
    """A fact or an input by its name and fields; bytes that only a codec reads are left out."""
    return {"fact": type(event).__name__, "data": _plain(event)}


def _decision(one: Decision, lang: Lang, zone: tzinfo) -> Shown:
    why = getattr(one.event, "explanation", None)
    return {
        "pool": one.pool.name.removeprefix("pool-"),
        "version": one.version,
        "at": timestamp(one.at),
        "fact": type(one.event).__name__,
        "contact": getattr(one.event, "contact", ""),
        "leg": getattr(one.event, "leg", 0),
        "queue": getattr(one.event, "queue", ""),
        "agent": getattr(one.event, "agent", ""),
        "policy": one.policy,
        "tie_break": why.tie_break if why else "",
        "cause": {"version": one.cause_version, "text": cause(one.cause, lang, zone)} | fact(one.cause),
        "identical": one.identical,
        "recorded": fact(one.event),
        "decided": fact(one.decided) if one.decided is not None else None,
        "candidates": [_candidate(each) for each in one.candidates],
        "ahead_count": one.ahead_count,
        "ahead": [_ahead(each) for each in one.ahead],
        "text": sentence(one, lang, zone),
    }


def _candidate(one: Candidate) -> Shown:
    return {name: getattr(one, name) for name in Candidate.__slots__}


def _ahead(one: Ahead) -> Shown:
    return {name: getattr(one, name) for name in Ahead.__slots__} | {"at": timestamp(one.at)}


def _difference(found: Difference) -> Shown:
    return {
        "reason": found.reason,
        "version": found.version,
        "at": timestamp(found.at),
        "place": found.place,
        "input": fact(found.item) if found.item is not None else None,
        "recorded": facts(found.recorded),
        "decided": facts(found.decided),
    }


def _plain(value: Any) -> Any:
    if isinstance(value, Enum):
        return str(value.value)
    if is_dataclass(value):
        return {one.name: _plain(getattr(value, one.name)) for one in fields(value) if one.name not in LEFT_OUT}
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value.hex() if isinstance(value, bytes) else value
