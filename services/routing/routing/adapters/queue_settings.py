"""A queue's settings as people write them, and the definition that the facts carry."""

from __future__ import annotations

from dataclasses import dataclass

from contactcenter.contact.v1.types_pb2 import SkillRequirement
from contactcenter.routing.v1.config_pb2 import QueueDefinition

from ..domain.events import Queue
from ..domain.observed import Skills
from ..wire import queue_of
from .seen import skills_of

THRESHOLDS_S = (5, 10, 15, 20, 25, 30, 45, 60, 90, 120, 180, 240, 300, 600)


@dataclass(frozen=True, slots=True)
class QueueSettings:
    """Times in seconds."""

    name: str = ""
    open: bool = True
    offer_timeout_s: float = 20.0
    service_level_threshold_s: float = 20.0
    thresholds_s: tuple[int, ...] = THRESHOLDS_S
    short_abandon_s: float = 0.0
    priority: int = 0
    credit_s: float = 0.0
    required_skills: Skills = ()
    not_ready_on_no_answer: bool = True
    wrap_up_s: float = 0.0
    service_level_target: float = 0.0


def queue_from(id: str, told: QueueSettings) -> Queue:
    return queue_of(
        QueueDefinition(
            queue=id,
            name=told.name,
            open=told.open,
            offer_timeout_ms=_ms(told.offer_timeout_s),
            service_level_threshold_ms=_ms(told.service_level_threshold_s),
            thresholds_s=told.thresholds_s,
            short_abandon_ms=_ms(told.short_abandon_s),
            priority=told.priority,
            credit_ms=_ms(told.credit_s),
            required_skills=[SkillRequirement(skill=skill, min_level=level) for skill, level in told.required_skills],
            not_ready_on_no_answer=told.not_ready_on_no_answer,
            wrap_up_ms=_ms(told.wrap_up_s),
            service_level_target=told.service_level_target,
        )
    )


def settings_in(definition: bytes) -> QueueSettings:
    """What a stored definition says."""
    one = QueueDefinition.FromString(definition)
    return QueueSettings(
        name=one.name,
        open=one.open,
        offer_timeout_s=one.offer_timeout_ms / 1000,
        service_level_threshold_s=one.service_level_threshold_ms / 1000,
        thresholds_s=tuple(one.thresholds_s),
        short_abandon_s=one.short_abandon_ms / 1000,
        priority=one.priority,
        credit_s=one.credit_ms / 1000,
        required_skills=skills_of(one.required_skills),
        not_ready_on_no_answer=one.not_ready_on_no_answer,
        wrap_up_s=one.wrap_up_ms / 1000,
        service_level_target=one.service_level_target,
    )


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
