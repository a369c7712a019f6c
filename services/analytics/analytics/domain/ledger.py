"""An agent as its own stream tells it: states that partition the shift to the millisecond, and work added up (AG-6).

Each fact changes the agent and contributes: spans of the ledger, sums by quarter hour and team, and busy and slot time
by queue and channel.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from analytics.domain.counters import DAY, SPAN, Contribution, Span
from analytics.domain.levels import DAY_MS, EVENT, group, pieces, quarter

Out = list[Contribution]

OUT, IN, CHECKED_IN = 0, 1, 2
"""Presence: signed out, signed in, checked in."""
BREAK = "break"
NOT_WRITTEN = frozenset({"voice", "video", "callback"})
"""Channels that are no chat: an agent has one of them at a time."""
AT_WORK = frozenset({"ready", "busy", "wrap_up"})
SUMMED = {
    "ready": ("signed_in_ms", "checked_in_ms", "ready_ms"),
    "busy": ("signed_in_ms", "checked_in_ms", "busy_ms"),
    "wrap_up": ("signed_in_ms", "checked_in_ms", "busy_ms", "in_wrap_up_ms"),
    "not_ready": ("signed_in_ms", "checked_in_ms", "not_ready_ms"),
    "break": ("signed_in_ms", "checked_in_ms", "break_ms"),
    "signed_in": ("signed_in_ms",),
}
"""Which sums a state's time adds to."""


@dataclass(slots=True)
class Work:
    """A leg that takes capacity; ``wrap_up_at`` is when its wrap-up began, -1 before."""

    queue: str
    channel: str
    since: int
    wrap_up_at: int = -1


@dataclass(slots=True)
class Clerk:
    """An agent's ledger so far; ``since`` is when the present span began, ``clock`` the latest instant heard of.

    ``busy`` is queue/channel -> (work in hand, since when there is some); "" is all written channels together.
    ``slots`` are those of written channels. ``seen`` and ``version`` as in ``Contact``.
    """

    agent: str
    presence: int = OUT
    ready: bool = False
    reason: str = ""
    planned: bool = False
    mode: str = ""
    team: str = ""
    pool: str = ""
    slots: int = 0
    works: dict[str, Work] = field(default_factory=dict)
    busy: dict[str, tuple[int, int]] = field(default_factory=dict)
    since: int = -1
    clock: int = -1
    seen: int = 0
    version: int = 0


Standing = tuple[str, str, bool, str, str, str]
"""(state, reason, planned, mode, team, pool): a span ends when any of it changes."""


def standing(clerk: Clerk) -> Standing:
    state = state_of(clerk)
    resting = state in ("not_ready", BREAK)
    reason, planned = (clerk.reason, clerk.planned) if resting else ("", False)
    return state, reason, planned, clerk.mode if clerk.presence == CHECKED_IN else "", clerk.team, clerk.pool


def state_of(clerk: Clerk) -> str:
    """Presence decides who is away, work what the others do, readiness the rest."""
    if clerk.presence < CHECKED_IN:
        return "signed_in" if clerk.presence else "signed_out"
    if clerk.works:
        return "busy" if any(work.wrap_up_at < 0 for work in clerk.works.values()) else "wrap_up"
    if clerk.ready:
        return "ready"
    return BREAK if clerk.reason == BREAK else "not_ready"


def instant(clerk: Clerk, at: int) -> int:
    """``at``, but never before what was heard of already: an agent's time does not go back."""
    clerk.clock = max(clerk.clock, at)
    return clerk.clock


def move_on(clerk: Clerk, out: Out, before: Standing, slots: int, at: int) -> None:
    """After a fact: if it changed where the agent stands (or the slots), the span that ran until ``at`` is over."""
    now = standing(clerk)
    if (now, clerk.slots) == (before, slots):
        return
    if before[0] != "signed_out" and clerk.since >= 0:
        spans(clerk.agent, out, before, slots, clerk.since, at)
    if now[0] != "signed_out":
        out.append((DAY, clerk.agent, quarter(at), clerk.team, "signed_in_ms", 0))  # the day shows what goes on
    clerk.since = at


def spans(agent: str, out: Out, stood: Standing, slots: int, begin: int, end: int) -> None:
    """An agent stood so from ``begin`` to ``end``: cut at midnights UTC in the ledger, at quarter hours in the sums."""
    state, reason, planned, mode, team, pool = stood
    for start, milliseconds in pieces(begin, end):
        for name in SUMMED[state]:
            out.append((DAY, agent, start, team, name, milliseconds))
        if slots and state in AT_WORK:
            out.append((DAY, agent, start, team, "chat_capacity_ms", milliseconds * slots))
    while begin < end:
        until = min(end, begin - begin % DAY_MS + DAY_MS)
        out.append((SPAN, agent, begin, (begin, until, state, reason, planned, mode, team, pool), "", 0))
        begin = until


# --- work ------------------------------------------------------------------------------------------------------------


def work_started(clerk: Clerk, out: Out, at: int, leg: str, queue: str, channel: str) -> None:
    if leg in clerk.works:
        return
    clerk.works[leg] = Work(queue, channel, at)
    for key in _groups(queue, channel):
        taken, since = clerk.busy.get(key, (0, at))
        clerk.busy[key] = (taken + 1, since)


def wrap_up_started(clerk: Clerk, out: Out, at: int, leg: str, queue: str, channel: str) -> None:
    work_started(clerk, out, at, leg, queue, channel)
    clerk.works[leg].wrap_up_at = at


def work_ended(clerk: Clerk, out: Out, at: int, leg: str) -> None:
    """The place is free again."""
    work = clerk.works.pop(leg, None)
    if work is None:
        return
    _time(clerk, out, work, "slot_ms", work.since, at)
    if work.wrap_up_at >= 0:
        for start, milliseconds in pieces(work.wrap_up_at, at):
            out.append((DAY, clerk.agent, start, clerk.team, "wrap_up_ms", milliseconds))
    out.append((DAY, clerk.agent, quarter(at), clerk.team, "handled", 1))
    for key in _groups(work.queue, work.channel):
        taken, since = clerk.busy.pop(key, (1, at))
        if taken > 1:
            clerk.busy[key] = (taken - 1, since)
        elif key:
            _of_queue(clerk, out, work, "busy_ms", since, at)
        else:
            _of_day(clerk, out, "chat_busy_ms", since, at)


def _groups(queue: str, channel: str) -> list[str]:
    return [f"{queue}/{channel}"] if channel in NOT_WRITTEN else [f"{queue}/{channel}", ""]


def _time(clerk: Clerk, out: Out, work: Work, name: str, begin: int, end: int) -> None:
    _of_queue(clerk, out, work, name, begin, end)
    _of_day(clerk, out, name, begin, end)
    if work.channel not in NOT_WRITTEN:
        _of_day(clerk, out, f"chat_{name}", begin, end)


def _of_queue(clerk: Clerk, out: Out, work: Work, name: str, begin: int, end: int) -> None:
    key = group(work.channel, clerk.agent, clerk.team)
    out += [(EVENT, work.queue, start, key, name, milliseconds) for start, milliseconds in pieces(begin, end)]


def _of_day(clerk: Clerk, out: Out, name: str, begin: int, end: int) -> None:
    out += [(DAY, clerk.agent, start, clerk.team, name, milliseconds) for start, milliseconds in pieces(begin, end)]


# --- hands raised ----------------------------------------------------------------------------------------------------


def help_asked(clerk: Clerk, out: Out, at: int) -> None:
    out.append((DAY, clerk.agent, quarter(at), clerk.team, "help_requests", 1))


def help_given(clerk: Clerk, out: Out, at: int, waited_ms: int) -> None:
    out.append((DAY, clerk.agent, quarter(at), clerk.team, "help_wait_ms", waited_ms))


# --- a shift as read -------------------------------------------------------------------------------------------------


def between(found: Iterable[Span], begin: int, end: int) -> list[Span]:
    """The spans inside [begin, end), in order, cut at its edges; what was cut at a midnight is one again."""
    whole: list[Span] = []
    for span in sorted(found):
        cut = (max(span[0], begin), min(span[1], end), *span[2:])
        if cut[0] >= cut[1]:
            continue
        if whole and whole[-1][1] == cut[0] and whole[-1][2:] == cut[2:]:
            cut = (whole.pop()[0], *cut[1:])
        whole.append(cut)
    return whole


def adherent_ms(found: Iterable[Span], shifts: Sequence[tuple[int, int]]) -> int:
    """Time checked in and ready, busy or in wrap-up within planned ``shifts`` (begin, end) that do not overlap."""
    at_work = [(span[0], span[1]) for span in found if span[2] in AT_WORK]
    return sum(max(0, min(end, until) - max(begin, since)) for since, until in at_work for begin, end in shifts)


def present(found: Iterable[Span], shifts: Sequence[tuple[int, int]]) -> bool:
    """Whether the agent was signed in at any time of the planned ``shifts``."""
    return any(span[0] < end and begin < span[1] for span in found for begin, end in shifts)
