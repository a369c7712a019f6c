"""A day of rules, recorded once: every later version decides it the same, and notices when it was altered."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format

from routing import wire
from routing.domain import carry
from routing.domain.definitions import Action
from routing.domain.events import (
    CommandRefused,
    ContactOverflowed,
    ContactPulled,
    Event,
    HoursDefined,
    Observed,
    OverflowObserved,
    PolicyChosen,
    PoolOpened,
    PriorityRaised,
    QueueDefined,
    SkillsRelaxed,
    TargetReached,
    TimerElapsed,
    TimerKind,
    WorkflowDefined,
)
from routing.domain.replay import Recorded, replay
from routing.domain.state import Board

from .plain import Plain
from .recorded import HISTORIES, messages

HISTORY = HISTORIES / "a-day-of-rules.jsonl.gz"
SEEDS = ["0", "1", "4711", "random"]


def history() -> list[Recorded]:
    found = [(wire.read(message), message.meta.recorded_at.ToMilliseconds()) for message in messages(HISTORY)]
    return [(event, at) for event, at in found if event is not None]


def pool() -> Board:
    board = Board("t1", "p1")
    board.use(Plain())
    return board


def test_the_day_of_rules_replays_to_the_identical_decisions() -> None:
    """RT-4, RT-5, RT-6, RT-8, RT-10, kernel rule 19: with two chapters whose digests are decided again."""
    recorded = history()
    assert len(recorded) > 1000
    assert sum(isinstance(event, PoolOpened) for event, _ in recorded) == 2
    assert replay(recorded, pool()) is None


def test_the_day_of_rules_has_every_fact_about_waiting() -> None:
    """A history that lacked one would prove nothing of it."""
    kinds = {type(event) for event, _ in history()}
    about_waiting = {SkillsRelaxed, TargetReached, ContactOverflowed, ContactPulled, PriorityRaised, OverflowObserved}
    assert about_waiting | {HoursDefined, WorkflowDefined, QueueDefined, PolicyChosen, CommandRefused} <= kinds
    timers = {event.kind for event, _ in history() if isinstance(event, TimerElapsed)}
    assert timers == set(TimerKind) - {TimerKind.SURGE}
    actions = {event.action for event, _ in history() if isinstance(event, ContactOverflowed)}
    assert actions == set(Action)


def test_the_day_of_rules_reads_and_writes_to_the_same_facts() -> None:
    """P5."""
    for message in messages(HISTORY):
        event = wire.read(message)
        if event is not None and not isinstance(event, Observed):
            again = wire.write(event)
            again.meta.CopyFrom(message.meta)  # type: ignore[attr-defined]
            assert json.loads(json_format.MessageToJson(again)) == json.loads(json_format.MessageToJson(message))


@pytest.mark.parametrize("seed", SEEDS)
def test_the_day_of_rules_does_not_depend_on_the_hash_seed(seed: str) -> None:
    """RT-10: no decision rests on the order of a set or dict that hashing could change."""
    code = (
        "from routing.domain import carry; from routing.domain.replay import replay;"
        "from tests.test_rules_history import history, pool; board = pool();"
        "print(replay(history(), board), carry.digest(board).hex())"
    )
    environment = {**os.environ, "PYTHONHASHSEED": seed}
    command, service = [sys.executable, "-c", code], Path(__file__).parents[1]
    done = subprocess.run(command, cwd=service, env=environment, capture_output=True, text=True, check=True)
    board = pool()
    assert replay(history(), board) is None
    assert done.stdout.split() == ["None", carry.digest(board).hex()]


def test_a_fold_may_start_at_the_second_chapter() -> None:
    """Kernel rule 19: what is carried over midnight is the whole board, by its digest."""
    recorded = [event for event, _ in history()]
    second = [n for n, event in enumerate(recorded) if isinstance(event, PoolOpened)][1]
    opened = recorded[second]
    assert isinstance(opened, PoolOpened)
    pieces = recorded[second - opened.pieces : second]
    assert carry.joined("t1", "p1", pieces, opened) is not None  # type: ignore[arg-type]


# --- altered, it diverges ----------------------------------------------------------------------------------------


def _queue(name: str, **change: Any) -> Callable[[Event], Event | None]:
    """The queue ``name`` as if it had always been defined otherwise."""

    def altered(event: Event) -> Event | None:
        if isinstance(event, QueueDefined) and event.queue.id == name:
            return replace(event, queue=replace(event.queue, **change))
        return event

    return altered


def _without(fits: Callable[[Event], bool]) -> Callable[[Event], Event | None]:
    return lambda event: None if fits(event) else event


def _timer(kind: TimerKind) -> Callable[[Event], Event | None]:
    return _without(lambda event: isinstance(event, TimerElapsed) and event.kind is kind)


def _other_targets(event: Event) -> Event | None:
    if isinstance(event, WorkflowDefined) and event.workflow.id == "flow":
        later = tuple(replace(one, timeout_ms=one.timeout_ms + 1) for one in event.workflow.targets)
        return replace(event, workflow=replace(event.workflow, targets=later))
    return event


def _other_refusal(event: Event) -> Event | None:
    if isinstance(event, CommandRefused) and event.reason == "NOT_YOUR_QUEUE":
        return replace(event, request=replace(event.request, teams=None))
    return event


ALTERED: dict[str, Callable[[Event], Event | None]] = {
    "other relaxations": _queue("plain", relaxations=()),
    "other overflows": _queue("in", overflows=()),
    "a shorter queue": _queue("plain", max_length=1),
    "a shorter wait": _queue("plain", max_wait_ms=1_000),
    "no hold for preferred agents": _queue("vip", preferred_agent_ms=0),
    "no workflow": _queue("in", workflow=""),
    "another policy": _queue("many", policy=""),
    "other targets": _other_targets,
    "no hours": _timer(TimerKind.HOURS),
    "no relaxation timers": _timer(TimerKind.RELAXATION),
    "no target timers": _timer(TimerKind.TARGET),
    "no overflow timers": _timer(TimerKind.OVERFLOW),
    "nobody raised": _without(lambda event: isinstance(event, PriorityRaised)),
    "no overflows from elsewhere": _without(lambda event: isinstance(event, OverflowObserved)),
    "others asked": _other_refusal,
}


@pytest.mark.parametrize("alteration", ALTERED.values(), ids=ALTERED)
def test_an_altered_day_of_rules_diverges(alteration: Callable[[Event], Event | None]) -> None:
    """RT-10: the replay would notice."""
    altered = [(again, at) for event, at in history() if (again := alteration(event)) is not None]
    assert replay(altered, pool()) is not None
