"""What people write of queues and their rules, in requests and in files alike: times in seconds, unknown names refused.

Numbers and truth values may be written as text, so that a file means what it says whatever its format makes of it.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, ConfigDict, Field, field_validator, model_validator

from contactcenter.contact.v1.types_pb2 import Channel as ChannelPb
from switchlog.web import Body

THRESHOLDS_S = (5, 10, 15, 20, 25, 30, 45, 60, 90, 120, 180, 240, 300, 600)
CHANNELS = frozenset(name.removeprefix("CHANNEL_").lower() for name in ChannelPb.keys()) - {"unspecified"}  # noqa: SIM118
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def _channel(word: str) -> str:
    if word not in CHANNELS:
        raise ValueError(f"expected one of {', '.join(sorted(CHANNELS))}")
    return word


def _date(text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise ValueError(f"expected a date such as 2026-10-01, not {text!r}") from None


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("expected an IANA time zone such as Asia/Shanghai") from None
    return name


Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$")]
MaybeId = Annotated[str, Field(pattern=r"^([A-Za-z0-9][A-Za-z0-9._@-]{0,63})?$")]
Name = Annotated[str, Field(max_length=128)]
Seconds = Annotated[float, Field(ge=0, le=86_400)]
Share = Annotated[float, Field(ge=0, le=1)]
Priority = Annotated[int, Field(ge=-1000, le=1000)]
Channel = Annotated[str, AfterValidator(_channel)]
Zone = Annotated[str, AfterValidator(_zone)]
PolicyName = Annotated[str, Field(pattern=r"^[a-z0-9-]{1,50}@[0-9]{1,6}$")]
Expression = Annotated[str, Field(max_length=4096)]
Key = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
Value = Annotated[str, Field(max_length=64)]
Parameters = Annotated[dict[Key, Value], Field(max_length=32)]
LocalTime = Annotated[str, Field(pattern=r"^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$")]
Span = Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]-(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$")]
Spans = Annotated[list[Span], Field(max_length=16)]
Date = Annotated[str, AfterValidator(_date)]
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


class SkillIn(Body):
    skill: Id
    min_level: Annotated[int, Field(ge=1, le=100)] = 1


class RelaxationIn(Body):
    """After so long a wait the level that will do; 0: the skill is no longer asked."""

    after_s: Seconds
    skill: Id
    min_level: Annotated[int, Field(ge=0, le=100)] = 0


class OverflowIn(Body):
    """When (``limit`` wait, or one has waited ``after_s``, ...) what is done; ``to_pool`` is that of ``to_queue``."""

    rule: Id
    trigger: Literal["length", "wait", "nobody_signed_in", "closed"]
    limit: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    after_s: Seconds = 0.0
    action: Literal["queue", "group", "voicemail", "callback", "end"]
    to_queue: MaybeId = ""
    to_pool: MaybeId = ""
    to_team: MaybeId = ""

    @model_validator(mode="after")
    def complete(self) -> OverflowIn:
        wrong = {
            "trigger length needs limit": self.trigger == "length" and not self.limit,
            "trigger wait needs after_s": self.trigger == "wait" and not self.after_s,
            "action queue needs to_queue": self.action == "queue" and not self.to_queue,
            "action group needs to_team": self.action == "group" and not self.to_team,
        }
        if said := [text for text, is_wrong in wrong.items() if is_wrong]:
            raise ValueError("; ".join(said))
        return self


class IntervalTargetIn(Body):
    """Another target on these days from one local time to another; the first that fits counts."""

    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True, serialize_by_alias=True)

    days: Annotated[list[Day], Field(max_length=7)] = []
    from_time: Annotated[LocalTime, Field(alias="from")]
    to_time: Annotated[LocalTime, Field(alias="to")]
    service_level_threshold_s: Annotated[float, Field(ge=1, le=86_400)]
    service_level_target: Share = 0.0


class SurgeStepIn(Body):
    step: Id
    action: Literal["overflow", "callback_offer", "message", "reserve"]
    after_s: Seconds = 0.0
    to_queue: MaybeId = ""
    to_pool: MaybeId = ""
    to_team: MaybeId = ""
    message: MaybeId = ""


class SurgeIn(Body):
    """When arrivals count as a surge, against the usual of the quarter hour, and what is done in order."""

    enabled: bool = True
    baseline_per_quarter: Annotated[float, Field(ge=0, le=1_000_000)] = 0.0
    start_ratio: Annotated[float, Field(ge=1, le=100)] = 2.0
    end_ratio: Annotated[float, Field(ge=1, le=100)] = 1.3
    window_s: Annotated[float, Field(ge=60, le=3600)] = 300.0
    end_after_s: Annotated[float, Field(ge=60, le=86_400)] = 600.0
    chance: Annotated[float, Field(gt=0, le=1)] = 0.001
    steps: Annotated[list[SurgeStepIn], Field(max_length=16)] = []


class QueueIn(Body):
    """A queue as an administrator describes it; its pool is chosen once. Empty ids mean none, a limit of 0 none."""

    pool: Id
    name: Name = ""
    open: bool = True
    policy: Annotated[str, Field(pattern=r"^([a-z0-9-]{1,50}@[0-9]{1,6})?$")] = ""
    parameters: Parameters = {}
    offer_timeout_s: Annotated[float, Field(ge=1, le=3600)] = 20.0
    ring_agents: Annotated[int, Field(ge=1, le=100)] = 1
    auto_accept: bool = False
    not_ready_on_no_answer: bool = True
    service_level_threshold_s: Annotated[float, Field(ge=1, le=86_400)] = 20.0
    service_level_target: Share = 0.0
    thresholds_s: Annotated[list[Annotated[int, Field(ge=1, le=86_400)]], Field(max_length=32)] = list(THRESHOLDS_S)
    interval_targets: Annotated[list[IntervalTargetIn], Field(max_length=32)] = []
    short_abandon_s: Seconds = 0.0
    required_skills: Annotated[list[SkillIn], Field(max_length=32)] = []
    relaxations: Annotated[list[RelaxationIn], Field(max_length=32)] = []
    overflows: Annotated[list[OverflowIn], Field(max_length=32)] = []
    workflow: MaybeId = ""
    targeting: Expression = ""
    priority: Priority = 0
    credit_s: Seconds = 0.0
    weight: Annotated[int, Field(ge=0, le=1000)] = 0
    preferred_agent_s: Seconds = 0.0
    max_length: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    max_wait_s: Seconds = 0.0
    wrap_up_s: Seconds = 0.0
    hours: MaybeId = ""
    channels: Annotated[list[Channel], Field(max_length=32)] = []
    surge: SurgeIn | None = None
    announce_wait: bool = False

    @field_validator("thresholds_s")
    @classmethod
    def rising(cls, given: list[int]) -> list[int]:
        if given != sorted(set(given)):
            raise ValueError("thresholds rise")
        return given or list(THRESHOLDS_S)

    @field_validator("relaxations")
    @classmethod
    def in_time(cls, given: list[RelaxationIn]) -> list[RelaxationIn]:
        if [one.after_s for one in given] != sorted(one.after_s for one in given):
            raise ValueError("relaxations stand in the order of after_s")
        return given

    @field_validator("required_skills")
    @classmethod
    def by_name(cls, given: list[SkillIn]) -> list[SkillIn]:
        if len({one.skill for one in given}) < len(given):
            raise ValueError("each skill once")
        return sorted(given, key=lambda one: one.skill)


class PolicyIn(Body):
    """How agents are chosen: ``name@version`` with its settings."""

    policy: PolicyName
    parameters: Parameters = {}


class TargetIn(Body):
    """Where agents are looked for until a contact has waited ``timeout_s`` since it was queued; 0: to the end."""

    queue: Id
    priority: Priority | None = None
    timeout_s: Seconds = 0.0
    expression: Expression = ""
    order_by: Annotated[str, Field(max_length=256)] = ""
    skip_if: Expression = ""


class WorkflowIn(Body):
    """Targets in order; they belong to one pool."""

    pool: Id
    name: Name = ""
    targets: Annotated[list[TargetIn], Field(min_length=1, max_length=32)]

    @field_validator("targets")
    @classmethod
    def in_time(cls, given: list[TargetIn]) -> list[TargetIn]:
        times = [one.timeout_s for one in given[:-1]]
        if times != sorted(times) or not all(times):
            raise ValueError("timeouts are cumulative: none earlier than the one before, only the last may be left out")
        return given


def _by_weekday(day: tuple[Day, list[str]]) -> int:
    return DAYS.index(day[0])


class HolidayIn(Body):
    """Spans of one date in stead of its week day's; none: closed."""

    name: Name = ""
    spans: Spans = []


class HoursIn(Body):
    """Opening hours: spans such as ``09:00-12:00``, over midnight ``22:00-06:00``; a day unnamed is closed."""

    name: Name = ""
    time_zone: Zone
    weekly: dict[Day, Spans] = {}
    holidays: Annotated[dict[Date, HolidayIn], Field(max_length=1000)] = {}

    @field_validator("holidays", mode="before")
    @classmethod
    def spans_alone(cls, given: Any) -> Any:
        """``2026-10-01: []`` is short for ``{spans: []}``."""
        if not isinstance(given, dict):
            return given
        return {day: {"spans": one} if isinstance(one, list) else one for day, one in given.items()}

    @field_validator("weekly")
    @classmethod
    def open_days(cls, given: dict[Day, list[str]]) -> dict[Day, list[str]]:
        return dict(sorted(((day, sorted(spans)) for day, spans in given.items() if spans), key=_by_weekday))


class PoolHoursIn(HoursIn):
    """Opening hours, and the pools whose queues use them."""

    pools: Annotated[list[Id], Field(min_length=1, max_length=100)]
