"""What a queue does with a contact as it waits, frozen when it is queued: timed steps, targets, conditions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from routing.domain.definitions import OverflowRule, Queue, Relaxation, Target, Trigger, Workflow
from routing.domain.observed import Skills


class StepKind(StrEnum):
    """In the order in which steps of one moment are taken: what finds more agents comes before what leaves."""

    RELAXATION = "relaxation"
    PREFERRED_AGENT = "preferred_agent"
    TARGET = "target"
    OVERFLOW = "overflow"
    MAX_WAIT = "max_wait"


@dataclass(frozen=True, slots=True)
class Aim:
    """A target and what every agent of its queue must be able to do; ``expression`` has that queue's own in it."""

    target: Target
    skills: Skills = ()


@dataclass(frozen=True, slots=True)
class Step:
    """Something that happens after a wait of ``after_ms``; ``number`` (from 1) is a target's."""

    after_ms: int
    kind: StepKind
    relaxation: Relaxation | None = None
    rule: OverflowRule | None = None
    number: int = 0

    @property
    def order(self) -> tuple[int, int, int]:
        return self.after_ms, _KINDS[self.kind], self.number


@dataclass(frozen=True, slots=True)
class Plan:
    """``conditions`` are overflows by closing or for want of agents, ``skills`` those of every agent of the queue."""

    steps: tuple[Step, ...] = ()
    aims: tuple[Aim, ...] = ()
    conditions: tuple[OverflowRule, ...] = ()
    skills: Skills = ()

    def __bool__(self) -> bool:
        return bool(self.steps or self.aims or self.conditions)

    def rule_for(self, trigger: Trigger) -> OverflowRule | None:
        return next((rule for rule in self.conditions if rule.trigger is trigger), None)


NO_PLAN = Plan()


def plan_of(queue: Queue, workflow: Workflow | None, queue_of: Callable[[str], Queue], preferred_ms: int = 0) -> Plan:
    """The plan of a contact that is queued now; ``preferred_ms``: its preferred agent is waited for so long."""
    aims = tuple(_aims(workflow, queue, queue_of)) if workflow else ()
    steps = sorted([*_steps(queue, preferred_ms), *_target_steps(aims)], key=lambda step: step.order)
    conditions = tuple(rule for rule in queue.overflows if rule.trigger in (Trigger.CLOSED, Trigger.NOBODY_SIGNED_IN))
    plan = Plan(tuple(steps), aims, conditions)
    return replace(plan, skills=queue.required_skills) if plan else NO_PLAN


def relaxed(skills: Skills, relaxations: Iterator[Relaxation]) -> Skills:
    """What is still asked; a relaxation never asks more than before."""
    levels = dict(skills)
    for one in relaxations:
        if one.min_level < levels.get(one.skill, 0):
            levels[one.skill] = one.min_level
    return tuple(sorted((skill, level) for skill, level in levels.items() if level > 0))


def _steps(queue: Queue, preferred_ms: int) -> Iterator[Step]:
    for one in queue.relaxations:
        yield Step(one.after_ms, StepKind.RELAXATION, relaxation=one)
    for rule in queue.overflows:
        if rule.trigger is Trigger.WAIT:
            yield Step(rule.limit, StepKind.OVERFLOW, rule=rule)
    if preferred_ms:
        yield Step(preferred_ms, StepKind.PREFERRED_AGENT)
    if queue.max_wait_ms:
        yield Step(queue.max_wait_ms, StepKind.MAX_WAIT)


def _aims(workflow: Workflow, own: Queue, queue_of: Callable[[str], Queue]) -> Iterator[Aim]:
    """A target that names no queue looks at the agents of the contact's own."""
    for target in workflow.targets:
        queue = queue_of(target.queue) if target.queue else own
        expression = _both(queue.targeting, target.expression)
        yield Aim(replace(target, queue=queue.id, expression=expression), queue.required_skills)


def _target_steps(aims: tuple[Aim, ...]) -> Iterator[Step]:
    """Timeouts count from queueing; a target that is over before it is reached is passed in the same moment."""
    after = 0
    for number, aim in enumerate(aims[:-1], 2):
        if not aim.target.timeout_ms:
            return
        after = max(after, aim.target.timeout_ms)
        yield Step(after, StepKind.TARGET, number=number)


def _both(*expressions: str) -> str:
    asked = list(dict.fromkeys(filter(None, expressions)))
    return asked[0] if len(asked) == 1 else " && ".join(f"({one})" for one in asked)


_KINDS = {kind: n for n, kind in enumerate(StepKind)}
