"""Bodies of requests and answers: snake_case names, times in seconds or RFC 3339, unknown fields refused."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field, field_validator

from switchlog.envelope import timestamp
from switchlog.web import Body

from ..adapters.queue_settings import THRESHOLDS_S, QueueSettings, settings_in
from ..app.ports import OfferRow, QueueRow

Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$")]
Seconds = Annotated[float, Field(ge=0, le=86_400)]


class SkillIn(Body):
    skill: Id
    min_level: Annotated[int, Field(ge=1, le=100)] = 1


class QueueIn(Body):
    """A queue as an administrator describes it; its pool is chosen once."""

    pool: Id
    name: Annotated[str, Field(max_length=128)] = ""
    open: bool = True
    offer_timeout_s: Annotated[float, Field(ge=1, le=3600)] = 20.0
    service_level_threshold_s: Annotated[float, Field(ge=1, le=86_400)] = 20.0
    thresholds_s: Annotated[list[Annotated[int, Field(ge=1, le=86_400)]], Field(max_length=32)] = list(THRESHOLDS_S)
    short_abandon_s: Seconds = 0.0
    priority: Annotated[int, Field(ge=-1000, le=1000)] = 0
    credit_s: Seconds = 0.0
    required_skills: Annotated[list[SkillIn], Field(max_length=32)] = []
    not_ready_on_no_answer: bool = True
    wrap_up_s: Seconds = 0.0
    service_level_target: Annotated[float, Field(ge=0, le=1)] = 0.0

    @field_validator("thresholds_s")
    @classmethod
    def rising(cls, given: list[int]) -> list[int]:
        if given != sorted(set(given)):
            raise ValueError("thresholds rise")
        return given

    def settings(self) -> QueueSettings:
        given = self.model_dump(exclude={"pool", "required_skills", "thresholds_s"})
        skills = tuple(sorted((one.skill, one.min_level) for one in self.required_skills))
        return QueueSettings(**given, required_skills=skills, thresholds_s=tuple(self.thresholds_s))


class QueueOut(BaseModel):
    """A queue as it stands; ``version`` is that of its pool's stream."""

    queue: str
    pool: str
    version: int
    name: str
    open: bool
    offer_timeout_s: float
    service_level_threshold_s: float
    thresholds_s: list[int]
    short_abandon_s: float
    priority: int
    credit_s: float
    required_skills: list[SkillIn]
    not_ready_on_no_answer: bool
    wrap_up_s: float
    service_level_target: float

    @classmethod
    def of(cls, row: QueueRow) -> QueueOut:
        told = settings_in(row.definition)
        values = {name: getattr(told, name) for name in QueueSettings.__slots__}
        skills = [SkillIn(skill=skill, min_level=max(level, 1)) for skill, level in told.required_skills]
        return cls(queue=row.queue, pool=row.pool, version=row.version, **{**values, "required_skills": skills})


class QueuesOut(BaseModel):
    """``next`` is the last id when there may be more."""

    queues: list[QueueOut]
    next: str


class PolicyIn(Body):
    """``name@version``."""

    policy: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,50}@[0-9]{1,6}$")]


class DeclineIn(Body):
    """``reason`` is a configured id."""

    reason: Annotated[str, Field(max_length=64, pattern=r"^[A-Za-z0-9._-]*$")] = ""


class OfferOut(BaseModel):
    """An offer to the caller."""

    offer_id: str
    state: str
    contact: str
    leg: int
    queue: str
    pool: str
    channel: str
    queued_at: str
    offered_at: str
    expires_at: str

    @classmethod
    def of(cls, row: OfferRow) -> OfferOut:
        times = {name: timestamp(getattr(row, name)) for name in ("queued_at", "offered_at", "expires_at")}
        same = ("offer_id", "state", "contact", "leg", "queue", "pool", "channel")
        return cls.model_validate({name: getattr(row, name) for name in same} | times)


class OffersOut(BaseModel):
    offers: list[OfferOut]
