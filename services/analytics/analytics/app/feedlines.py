"""A line as people write it, checked field by field: the same for HTTP, files and mapped rows."""

from __future__ import annotations

import re
from collections.abc import Set
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Final, Literal, NamedTuple

import msgspec

from switchlog.ids import derived

from ..domain.feed import Line

MOST_BYTES = 64 * 1024
MOST_ATTRIBUTES = 16
AHEAD_MS = 24 * 3600 * 1000
"""A source's clock may be ahead of ours by so much: one line of the year 2099 would make all others late."""

CONTACT_FACTS = (
    *("contact_started", "contact_queued", "contact_offered", "contact_answered", "contact_abandoned", "contact_held"),
    *("contact_resumed", "contact_transferred", "contact_flowed_out", "agent_disconnected", "customer_disconnected"),
    *("contact_ended", "wrap_up_started", "wrap_up_ended", "contact_dequeued", "offer_expired", "offer_declined"),
    *("trunk_seized", "trunk_released", "survey_answered"),
)
AGENT_FACTS = (
    *("agent_signed_in", "agent_checked_in", "agent_ready", "agent_not_ready", "agent_checked_out"),
    *("agent_signed_out", "shift_planned"),
)
FACTS = (*CONTACT_FACTS, *AGENT_FACTS, "cost_booked")
CHANNELS = (
    *("voice", "chat", "email", "sms", "wechat", "wecom", "weibo", "qq", "app", "form", "fax", "forum", "video"),
    "callback",
)
OUTCOMES = ("answered", "abandoned", "short_abandoned", "flowed_out", "callback", "timed_out", "blocked", "failed")

NEEDS: Final = {
    "contact_queued": ("queue",),
    "contact_dequeued": ("outcome",),
    "survey_answered": ("score",),
    "shift_planned": ("from_", "to"),
    "cost_booked": ("amount", "currency"),
}

_ID = r"^([A-Za-z0-9][A-Za-z0-9._@-]{0,63})?\Z"
Id = Annotated[str, msgspec.Meta(pattern=_ID)]
Source = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,54}\Z")]  # feed-<source>-15 is an id
LineId = Annotated[str, msgspec.Meta(pattern=r"^[^\x00-\x1f\x7f]{0,128}\Z")]
Word = Annotated[str, msgspec.Meta(pattern=r"^[^\x00-\x1f\x7f]{0,64}\Z")]
Currency = Annotated[str, msgspec.Meta(pattern=r"^([A-Z]{3})?\Z")]
Int32 = Annotated[int, msgspec.Meta(ge=-(2**31), lt=2**31)]
Instant = Annotated[datetime, msgspec.Meta(tz=True)]


class Told(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """A line of a feed; the keys are those of the public interface."""

    source: Source
    at: Instant
    fact: Literal[FACTS]  # type: ignore[valid-type]  # the words stand once, above
    id: LineId | None = None
    contact: Id | None = None
    queue: Id | None = None
    agent: Id | None = None
    team: Id | None = None
    channel: Literal[("", *CHANNELS)] | None = None  # type: ignore[valid-type]
    priority: Int32 | None = None
    attributes: dict[Id, Annotated[str, msgspec.Meta(max_length=256)]] | None = None
    outcome: Literal[("", *OUTCOMES)] | None = None  # type: ignore[valid-type]
    reason: Word | None = None
    planned: bool | None = None
    score: Int32 | None = None
    to_queue: Id | None = None
    from_: Instant | None = msgspec.field(default=None, name="from")
    to: Instant | None = None
    amount: Decimal | None = None
    currency: Currency | None = None
    leg: Annotated[int, msgspec.Meta(ge=0, lt=2**31)] | None = None


class Refused(Exception):
    """A line that is not taken: ``reason`` is a word for machines, ``detail`` a sentence for people."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason, self.detail = reason, detail


class Accepted(NamedTuple):
    """A good line; ``left_out`` are attributes that nobody declared as not personal."""

    source: str
    line: Line
    left_out: int


_decode = msgspec.json.Decoder(Told).decode
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_PLACE = re.compile(r" - at `\$\.?(.*)`\Z")


def read_line(text: bytes, now: int, declared: Set[str] = frozenset()) -> Accepted:
    """One line of JSON; ``now`` is epoch ms, ``declared`` the attributes that are kept. Raises ``Refused``."""
    if len(text) > MOST_BYTES:
        raise Refused("TOO_LONG", f"a line is at most {MOST_BYTES} bytes")
    try:
        return checked(_decode(text), now, declared)
    except msgspec.ValidationError as error:
        raise Refused("BAD_FIELD", told_plainly(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _unreadable(text, error) from None
    except RecursionError:
        raise Refused("BAD_JSON", "nested too deeply") from None


def convert(fields: dict[str, Any], now: int, declared: Set[str] = frozenset()) -> Accepted:
    """As ``read_line``, of fields that were read otherwise; what is empty counts as not said."""
    said = {name: value for name, value in fields.items() if value not in ("", None)}
    try:
        return checked(msgspec.convert(said, Told), now, declared)
    except msgspec.ValidationError as error:
        raise Refused("BAD_FIELD", told_plainly(error)) from None


def checked(told: Told, now: int, declared: Set[str] = frozenset()) -> Accepted:
    """What no type says; raises ``Refused``."""
    _complete(told)
    at = milliseconds(told.at)
    if at > now + AHEAD_MS:
        raise Refused("IN_FUTURE", "at is more than a day ahead")
    if at < 0:
        raise Refused("BAD_FIELD", "at: before 1970")
    kept = tuple(sorted((key, value) for key, value in (told.attributes or {}).items() if key in declared))
    contact, agent = told.contact or "", told.agent or ""
    line = Line(
        told.id or derived(told.source, at, told.fact, contact, agent),
        told.fact,
        at,
        contact,
        told.queue or "",
        agent,
        told.channel or "",
        told.priority or 0,
        kept,
        told.outcome or "",
        told.reason or "",
        told.planned,
        told.score,
        told.to_queue or "",
        milliseconds(told.from_) if told.from_ else 0,
        milliseconds(told.to) if told.to else 0,
        None if told.amount is None else micros(told.amount),
        told.currency or "",
        told.team or "",
        told.leg or 0,
    )
    return Accepted(told.source, line, len(told.attributes or ()) - len(kept))


def _complete(told: Told) -> None:
    fact = told.fact
    if fact in _OF_CONTACTS:
        if not told.contact:
            raise Refused("MISSING_FIELD", f"{fact} needs contact")
    elif fact in _OF_AGENTS and not told.agent:
        raise Refused("MISSING_FIELD", f"{fact} needs agent")
    for name in NEEDS.get(fact, ()):
        if getattr(told, name) in (None, ""):
            raise Refused("MISSING_FIELD", f"{fact} needs {name.rstrip('_')}")
    if told.from_ and told.to and told.to < told.from_:
        raise Refused("BAD_FIELD", "to: before from")
    if told.attributes and len(told.attributes) > MOST_ATTRIBUTES:
        raise Refused("BAD_FIELD", f"attributes: more than {MOST_ATTRIBUTES}")


_OF_CONTACTS, _OF_AGENTS = frozenset(CONTACT_FACTS), frozenset(AGENT_FACTS)


def milliseconds(at: datetime) -> int:
    """Epoch milliseconds, what is finer cut off."""
    return (at - _EPOCH) // _MILLISECOND


def seconds_of(text: str) -> float:
    """``600``, ``600s``, ``10m``, ``2h`` or ``1d`` as seconds; raises ``ValueError``."""
    found = _DURATION.match(text.strip())
    if found is None:
        raise ValueError("a duration is a number of seconds, or one with s, m, h or d behind it")
    return float(found[1]) * _UNITS_S[found[2]]


_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,3})?)([smhd]?)\Z")
_UNITS_S = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}


def micros(amount: Decimal) -> int:
    """Millionths, rounded to even; raises ``Refused`` for what is no amount."""
    if not amount.is_finite() or abs(amount) >= 10**12:
        raise Refused("BAD_FIELD", "amount: not a number below 10^12")
    return int((amount * 1_000_000).to_integral_value())


def told_plainly(error: msgspec.ValidationError) -> str:
    """``$.at`` and the like by the field's own name."""
    text = str(error)
    found = _PLACE.search(text)
    said = text[: found.start()] if found else text
    if "[A-Za-z0-9._@-]" in said:
        said = "an id has letters, digits and . _ @ - only, begins with one of the first two, and is at most 64 long"
    return f"{found[1] or 'line'}: {said}" if found else said


def _unreadable(text: bytes, error: Exception) -> Refused:
    try:
        text.decode()
    except UnicodeDecodeError as bad:
        return Refused("BAD_UTF8", f"byte {bad.start + 1} of the line")
    return Refused("BAD_JSON", str(error)[:200])
