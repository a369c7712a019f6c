"""One row of a call log as facts: instants and durations put in order, and what cannot be right counted.

Clocks are mended where it is plain what was meant: a time of day before the one before it is on the next day when more
than half a day lies between them; a step back of less is a clock's dirt and counts as no time at all.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from ..app.feedlines import Refused

TIMES = (
    "trunk_seized",
    "started",
    "queued",
    "left",
    "answered",
    "agent_left",
    "ended",
    "wrap_up_ended",
    "trunk_released",
)
DURATIONS = ("wait", "talk", "hold", "wrap_up")
DAY_MS = 24 * 3600 * 1000
STEP_BACK_MS = 3600 * 1000
"""A row whose times go back by more is not a call."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Call:
    """``times`` are epoch ms and ``spans`` ms, -1: not said; of ``daytime`` the times tell only the time of day."""

    said: dict[str, str]
    times: dict[str, int]
    spans: dict[str, int]
    outcome: str
    daytime: bool = False
    trunk: bool = False


def instant(at: int) -> datetime:
    return _EPOCH + at * _MILLISECOND


def milliseconds(at: datetime) -> int:
    return (at - _EPOCH) // _MILLISECOND


def lines(call: Call, dirt: Counter[str]) -> list[dict[str, Any]]:
    """The call's facts in order of time; raises ``Refused`` for a row that is no call."""
    mended = Counter[str]()
    at = moments(call, mended)
    found = [("contact_started", at.began)]
    if call.said.get("queue"):
        found.append(("contact_queued", at.queued))
    if at.answered >= 0:
        found += _served(call, at, mended)
    elif call.said.get("queue"):
        found.append((_gone(at.outcome), at.left))
    found.append(("contact_ended", at.ended))
    dirt.update(mended.keys())  # rows, not times
    if call.trunk:
        found += [("trunk_seized", at.seized), ("trunk_released", at.released)]
    return [_line(call, fact, when, at.outcome) for fact, when in sorted(found, key=lambda one: one[1])]


def _gone(outcome: str) -> str:
    return "contact_abandoned" if outcome == "abandoned" else "contact_dequeued"


def _served(call: Call, at: Moments, dirt: Counter[str]) -> list[tuple[str, int]]:
    if not call.said.get("agent"):
        dirt["answered_without_agent"] += 1
    found = [("contact_answered", at.answered)]
    hold = min(max(0, call.spans.get("hold", -1)), at.over - at.answered)
    if hold:  # when it was is not told: it is put at the end of the talk
        found += [("contact_held", at.over - hold), ("contact_resumed", at.over)]
    found.append(("agent_disconnected", at.over))
    if at.wrapped > at.over:
        found += [("wrap_up_started", at.over), ("wrap_up_ended", at.wrapped)]
    if call.said.get("score"):
        found.append(("survey_answered", at.over))
    return found


_OF_AGENTS = frozenset(
    {"contact_answered", "agent_disconnected", "contact_held", "contact_resumed", "wrap_up_started", "wrap_up_ended"}
)


def _line(call: Call, fact: str, when: int, outcome: str) -> dict[str, Any]:
    said = call.said
    made = {"fact": fact, "at": instant(when), "contact": said["contact"], "channel": said.get("channel", "")}
    made["queue"] = said.get("queue", "")
    if fact in _OF_AGENTS:
        made |= {"agent": said.get("agent", ""), "team": said.get("team", "")}
    if fact == "contact_dequeued":
        made["outcome"] = outcome
    if fact == "contact_ended":
        made["reason"] = outcome if outcome in ("self_served", "blocked") else said.get("reason", "")
    if fact == "survey_answered":
        made["score"] = _score(said["score"])
    return made


def _score(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise Refused("BAD_FIELD", f"score: {text[:40]!r} is no whole number") from None


# --- when ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Moments:
    """A call's instants, none before the one it follows, epoch ms; -1 from ``answered`` on of one that was not."""

    outcome: str
    began: int
    queued: int
    left: int
    answered: int
    over: int
    wrapped: int
    ended: int
    seized: int
    released: int


def moments(call: Call, dirt: Counter[str]) -> Moments:
    """From what the row tells of instants, and of durations where it tells no instant."""
    told, spans = call.times, call.spans
    began = next((at for name in ("started", "queued") if (at := told.get(name, -1)) >= 0), -1)
    if began < 0:
        raise Refused("MISSING_FIELD", "neither started nor queued has a time")

    def after(before: int, name: str, what: str, otherwise: int) -> int:
        at = told.get(name, -1)
        return max(before, otherwise) if at < 0 else _moved(call, at, before, what, dirt)

    queued = after(began, "queued", "negative_wait", began)
    left = after(queued, "left", "negative_wait", queued + spans.get("wait", -1) if spans.get("wait", -1) >= 0 else -1)
    talked = told.get("answered", -1) >= 0 or spans.get("talk", -1) > 0
    outcome = call.outcome or ("answered" if talked else "abandoned")
    answered = over = wrapped = -1
    if outcome == "answered":
        answered = after(queued, "answered", "negative_wait", left)
        if told.get("left", -1) >= 0 and answered < left:
            dirt["service_before_queue_exit"] += 1
        hold = max(0, spans.get("hold", -1))
        talk = spans.get("talk", -1)
        otherwise = answered + talk + hold if talk >= 0 else after(answered, "ended", "negative_talk", answered)
        over = after(answered, "agent_left", "negative_talk", otherwise)
        wrapped = after(over, "wrap_up_ended", "negative_wrap_up", over + max(0, spans.get("wrap_up", -1)))
    elif told.get("left", -1) < 0 and spans.get("wait", -1) < 0:
        left = after(queued, "ended", "negative_wait", queued)
    ended = after(max(left, over) if answered < 0 else over, "ended", "", -1)
    seized = min(began, told["trunk_seized"]) if told.get("trunk_seized", -1) >= 0 else began
    released = after(ended, "trunk_released", "", ended)
    return Moments(outcome, began, queued, left, answered, over, wrapped, ended, seized, released)


def _moved(call: Call, at: int, before: int, what: str, dirt: Counter[str]) -> int:
    if at >= before:
        return at
    if call.daytime and before - at > DAY_MS // 2:
        dirt["midnight_wrap"] += 1
        return at + (before - at + DAY_MS - 1) // DAY_MS * DAY_MS
    if before - at > STEP_BACK_MS:
        raise Refused("TIMES_BACKWARDS", f"a time is {(before - at) // 1000} s before the one that it follows")
    if what:
        dirt[what] += 1
    return before
