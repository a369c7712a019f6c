"""Definitions of queues, opening hours and workflows: protobuf to the words of a pool and back.

Reading skips what makes no sense here (a rule of a later version, a time of day that is none): a log must always fold.
Whoever accepts a definition asks ``nonsense`` first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from contactcenter.contact.v1.types_pb2 import SkillRequirement
from contactcenter.routing.v1 import config_pb2 as pb

from ..domain import definitions as domain
from ..domain.definitions import Hours, Queue, Span, Target, Workflow
from ..domain.observed import Skills
from .seen import channel_number, channel_of, number_of, skills_of, word_of

P = TypeVar("P")
D = TypeVar("D")

MILLION = 1_000_000


def requirements(skills: Skills) -> list[SkillRequirement]:
    return [SkillRequirement(skill=skill, min_level=level) for skill, level in skills]


# -- queues ------------------------------------------------------------------------------------------------------------


def definition_of(queue: Queue) -> pb.QueueDefinition:
    """The whole definition: as it was given, or as the pool itself said it anew."""
    if queue.definition:
        return pb.QueueDefinition.FromString(queue.definition)
    definition = pb.QueueDefinition(
        queue=queue.id,
        service_level_threshold_ms=queue.threshold_ms,
        service_level_target=queue.target_ppm / MILLION,
        restated=True,
        **{name: getattr(queue, name) for name in _SAME},
    )
    definition.required_skills.extend(requirements(queue.required_skills))
    definition.channels.extend(channel_number(channel) for channel in queue.channels)
    definition.parameters.extend(parameters(queue.parameters))
    definition.relaxations.extend(relaxation(one) for one in queue.relaxations)
    definition.overflows.extend(overflow(one) for one in queue.overflows)
    definition.interval_targets.extend(_interval(one) for one in queue.interval_targets)
    if queue.surge:
        definition.surge.CopyFrom(_surge(queue.surge))
    return definition


def queue_of(definition: pb.QueueDefinition) -> Queue:
    defaults = Queue(definition.queue)
    same = {name: getattr(definition, name) for name in _SAME}
    same["offer_timeout_ms"] = definition.offer_timeout_ms or defaults.offer_timeout_ms
    same["thresholds_s"] = tuple(definition.thresholds_s)
    return Queue(
        id=definition.queue,
        threshold_ms=definition.service_level_threshold_ms or defaults.threshold_ms,
        target_ppm=_ppm(definition.service_level_target),
        required_skills=skills_of(definition.required_skills),
        channels=tuple(channel_of(one) for one in definition.channels),
        parameters=pairs(definition.parameters),
        relaxations=tuple(sorted(map(relaxation_of, definition.relaxations), key=lambda one: one.after_ms)),
        overflows=tuple(_readable(overflow_of, definition.overflows)),
        interval_targets=tuple(_readable(_interval_of, definition.interval_targets)),
        surge=_surge_of(definition.surge) if definition.HasField("surge") and definition.surge.enabled else None,
        definition=b"" if definition.restated else definition.SerializeToString(deterministic=True),
        **same,
    )


def parameters(given: domain.Parameters) -> list[pb.PolicyParameter]:
    return [pb.PolicyParameter(key=key, value=value) for key, value in given]


def pairs(given: Iterable[pb.PolicyParameter]) -> domain.Parameters:
    return tuple(sorted((one.key, one.value) for one in given))


def relaxation(one: domain.Relaxation) -> pb.SkillRelaxation:
    return pb.SkillRelaxation(after_ms=one.after_ms, skill=one.skill, min_level=one.min_level)


def relaxation_of(one: pb.SkillRelaxation) -> domain.Relaxation:
    return domain.Relaxation(one.after_ms, one.skill, one.min_level)


def overflow(one: domain.OverflowRule) -> pb.OverflowRule:
    return pb.OverflowRule(
        rule=one.rule,
        trigger=_number(pb.OverflowTrigger, one.trigger),
        limit=one.limit,
        action=_number(pb.OverflowAction, one.action),
        to_queue=one.to_queue,
        to_pool=one.to_pool,
        to_team=one.to_team,
    )


def overflow_of(one: pb.OverflowRule) -> domain.OverflowRule:
    trigger = domain.Trigger(word_of(pb.OverflowTrigger.DESCRIPTOR, one.trigger))
    action = domain.Action(word_of(pb.OverflowAction.DESCRIPTOR, one.action))
    return domain.OverflowRule(one.rule, trigger, one.limit, action, one.to_queue, one.to_pool, one.to_team)


def _interval(one: domain.IntervalTarget) -> pb.IntervalTarget:
    return pb.IntervalTarget(
        days=one.days,
        from_time=clock_time(one.begin),
        to_time=clock_time(one.end),
        service_level_threshold_ms=one.threshold_ms,
        service_level_target=one.target_ppm / MILLION,
    )


def _interval_of(one: pb.IntervalTarget) -> domain.IntervalTarget:
    return domain.IntervalTarget(
        tuple(sorted(one.days)),
        minutes(one.from_time),
        minutes(one.to_time),
        one.service_level_threshold_ms,
        _ppm(one.service_level_target),
    )


def _surge(rule: domain.SurgeRule) -> pb.SurgeRule:
    return pb.SurgeRule(
        enabled=True,
        baseline_per_quarter_milli=rule.usual_milli,
        start_percent=rule.start_percent,
        end_percent=rule.end_percent,
        window_ms=rule.window_ms,
        end_after_ms=rule.end_after_ms,
        chance_ppm=rule.chance_ppm,
        steps=[_surge_step(step) for step in rule.steps],
    )


def _surge_of(rule: pb.SurgeRule) -> domain.SurgeRule:
    usual = domain.SurgeRule()
    return domain.SurgeRule(
        usual_milli=rule.baseline_per_quarter_milli,
        start_percent=rule.start_percent or usual.start_percent,
        end_percent=rule.end_percent or usual.end_percent,
        window_ms=rule.window_ms or usual.window_ms,
        end_after_ms=rule.end_after_ms or usual.end_after_ms,
        chance_ppm=rule.chance_ppm or usual.chance_ppm,
        steps=tuple(_readable(_surge_step_of, rule.steps)),
    )


def _surge_step(step: domain.SurgeStep) -> pb.SurgeStep:
    same = {name: getattr(step, name) for name in _STEP}
    return pb.SurgeStep(action=_number(pb.SurgeAction, step.action), **same)


def _surge_step_of(step: pb.SurgeStep) -> domain.SurgeStep:
    action = domain.SurgeAction(word_of(pb.SurgeAction.DESCRIPTOR, step.action))
    return domain.SurgeStep(action=action, **{name: getattr(step, name) for name in _STEP})


_STEP = ("step", "after_ms", "to_queue", "to_pool", "to_team", "message")
_SAME = (
    *("name", "open", "policy", "offer_timeout_ms", "thresholds_s", "short_abandon_ms", "priority", "credit_ms"),
    *("preferred_agent_ms", "max_length", "max_wait_ms", "wrap_up_ms", "hours", "targeting", "not_ready_on_no_answer"),
    *("ring_agents", "workflow", "auto_accept", "weight", "announce_wait"),
)


# -- hours -------------------------------------------------------------------------------------------------------------


def hours_definition_of(hours: Hours) -> pb.HoursDefinition:
    """As it was given; a pool never says hours anew."""
    return pb.HoursDefinition.FromString(hours.definition) if hours.definition else _hours(hours)


def _hours(hours: Hours) -> pb.HoursDefinition:
    made = pb.HoursDefinition(hours=hours.id, time_zone=hours.time_zone)
    for day, span in hours.weekly:
        made.weekly.add(day=day, from_time=clock_time(span.begin), to_time=clock_time(span.end))
    for date, spans in hours.holidays:
        holiday = made.holidays.add(date=date)
        for span in spans:
            holiday.spans.add(from_time=clock_time(span.begin), to_time=clock_time(span.end))
    return made


def hours_of(definition: pb.HoursDefinition) -> Hours:
    weekly = sorted(_readable(lambda one: (one.day, _span(one)), definition.weekly))
    holidays = sorted((one.date, tuple(sorted(_readable(_span, one.spans)))) for one in definition.holidays)
    whole = definition.SerializeToString(deterministic=True)
    return Hours(definition.hours, definition.time_zone, tuple(weekly), tuple(holidays), whole)


def _span(one: pb.WeeklySpan | pb.DaySpan) -> Span:
    return Span(minutes(one.from_time), minutes(one.to_time))


def minutes(clock: str) -> int:
    """``08:30`` -> 510; ``24:00`` at most. Raises ``ValueError``."""
    hour, _, minute = clock.partition(":")
    if not (len(hour) == len(minute) == 2 and hour.isdecimal() and minute.isdecimal()):
        raise ValueError(f"{clock!r} is no time of day like 08:30")
    total = int(hour) * 60 + int(minute)
    if int(minute) > 59 or total > domain.DAY_MINUTES:
        raise ValueError(f"{clock!r} is no time of day")
    return total


def clock_time(minute: int) -> str:
    """510 -> ``08:30``."""
    return f"{minute // 60:02}:{minute % 60:02}"


# -- workflows ---------------------------------------------------------------------------------------------------------


def workflow_definition_of(workflow: Workflow) -> pb.WorkflowDefinition:
    """As it was given; a pool never says a workflow anew."""
    if workflow.definition:
        return pb.WorkflowDefinition.FromString(workflow.definition)
    return pb.WorkflowDefinition(workflow=workflow.id, targets=[target(one) for one in workflow.targets])


def workflow_of(definition: pb.WorkflowDefinition) -> Workflow:
    whole = definition.SerializeToString(deterministic=True)
    return Workflow(definition.workflow, tuple(map(target_of, definition.targets)), whole)


def target(one: Target) -> pb.WorkflowTarget:
    made = pb.WorkflowTarget(**{name: getattr(one, name) for name in _TARGET})
    if one.priority is not None:
        made.priority = one.priority
    return made


def target_of(one: pb.WorkflowTarget) -> Target:
    priority = one.priority if one.HasField("priority") else None
    return Target(priority=priority, **{name: getattr(one, name) for name in _TARGET})


_TARGET = ("queue", "timeout_ms", "expression", "order_by", "skip_if")


def nonsense(definition: pb.QueueDefinition | pb.HoursDefinition) -> str:
    """What of a definition cannot be read, in words; empty: all of it can."""
    checks: list[tuple[str, Callable[[Any], object], Iterable[Any]]]
    if isinstance(definition, pb.QueueDefinition):
        checks = [
            ("overflows", overflow_of, definition.overflows),
            ("interval_targets", _interval_of, definition.interval_targets),
            ("surge.steps", _surge_step_of, definition.surge.steps),
        ]
    else:
        checks = [("weekly", _span, definition.weekly)]
        checks += [(f"holidays {one.date}", _span, one.spans) for one in definition.holidays]
    for what, read, given in checks:
        for n, one in enumerate(given, 1):
            try:
                read(one)
            except (ValueError, KeyError) as error:
                return f"{what}, number {n}: {error}"
    return ""


def _readable(read: Callable[[P], D], given: Iterable[P]) -> Iterator[D]:
    for one in given:
        try:
            yield read(one)
        except (ValueError, KeyError):
            continue


def _number(enum: Any, word: str) -> Any:
    return number_of(enum.DESCRIPTOR, word)


def _ppm(share: float) -> int:
    return round(share * MILLION)
