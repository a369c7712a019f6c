"""Bodies of requests and answers: snake_case names, times in seconds or RFC 3339, unknown fields refused."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

from switchlog.envelope import timestamp
from switchlog.web import Body

from ..adapters.definitions import queue_form_of
from ..adapters.forms import Id, Name, PolicyIn, PoolHoursIn, QueueIn, WorkflowIn
from ..app.ports import OfferRow, QueueRow

__all__ = ["Id", "PolicyIn", "PoolHoursIn", "QueueIn", "WorkflowIn"]


class QueueOut(QueueIn):
    """A queue as it stands; ``version`` is that of its pool's stream."""

    queue: str
    version: int

    @classmethod
    def of(cls, row: QueueRow) -> QueueOut:
        told = queue_form_of(row.definition, row.pool)
        return cls(queue=row.queue, version=row.version, **told.model_dump(by_alias=False))


class QueuesOut(BaseModel):
    """``next`` is the last id when there may be more."""

    queues: list[QueueOut]
    next: str


class PoolOut(BaseModel):
    """How a pool chooses agents."""

    pool: str
    version: int
    policy: str
    parameters: dict[str, str]


class PoolsOut(BaseModel):
    pools: list[PoolOut]


class WorkflowOut(WorkflowIn):
    workflow: str


class WorkflowsOut(BaseModel):
    workflows: list[WorkflowOut]


class HoursOut(PoolHoursIn):
    hours: str


class AllHoursOut(BaseModel):
    hours: list[HoursOut]


class NameIn(Body):
    name: Name = ""


class SkillOut(BaseModel):
    skill: str
    name: str


class SkillsOut(BaseModel):
    skills: list[SkillOut]


class ChooseIn(PolicyIn):
    """``reason`` is a configured id."""

    reason: Annotated[str, Field(max_length=64, pattern=r"^[A-Za-z0-9._-]*$")] = ""


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
