"""Thousands of seeded schedules of crashes and lost replies, with the right kernel and with classic wrong ones."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from switchlog.envelope import Row, StreamId
from switchlog.folds import Fold
from switchlog.ids import derived
from switchlog.relay import Lane, Relay
from switchlog.writer import Answer, Plan, Waiting, Writer

from .world import InstantLoop, Kinds, tell

SCHEDULES = 1500


@pytest.fixture
def loop() -> Iterator[InstantLoop]:
    made = InstantLoop()
    logging.disable(logging.CRITICAL)
    yield made
    logging.disable(logging.NOTSET)
    made.close()


def test_no_schedule_loses_doubles_or_reorders_anything(loop: InstantLoop) -> None:
    """Kernel rules 3-5, 8-12; promises P1, P2, P5; invariants I1, I2, I5."""
    began = time.perf_counter()
    for seed in range(SCHEDULES):
        try:
            tell(seed, Kinds(), loop)
        except BaseException as error:
            error.add_note(f"schedule {seed}")
            raise
    print(f"{SCHEDULES} schedules in {time.perf_counter() - began:.1f} s")


class AnswersBeforeItIsKnown(Writer[Any, Any, Any]):
    def _plan(self, stream: StreamId, fold: Fold[Any], taken: Sequence[Waiting[Any]]) -> Plan[Any]:
        plan = super()._plan(stream, fold, taken)
        for waiting, outcome in zip(taken, plan.outcomes, strict=False):
            waiting.give(outcome)
        return plan


class RefusesBeforeItIsKnown(Writer[Any, Any, Any]):
    """Refused and no-op callers of a batch are not made to wait for its append."""

    def _plan(self, stream: StreamId, fold: Fold[Any], taken: Sequence[Waiting[Any]]) -> Plan[Any]:
        plan = super()._plan(stream, fold, taken)
        for waiting, outcome in zip(taken, plan.outcomes, strict=False):
            idle = isinstance(outcome, Answer) and waiting.cause.command_id not in plan.memory.commands
            if idle or isinstance(outcome, Exception):
                waiting.give(outcome)
        return plan


class PublishesFirst(Writer[Any, Any, Any]):
    async def _append(self, plan: Plan[Any]) -> None:
        self._publish(plan.stream, plan.head, plan.rows)
        await super()._append(plan)


class KnowsCommandsByBatch(Writer[Any, Any, Any]):
    """A retry is to make the same batch id, so that the store answers it; grouped strangers are swallowed."""

    def _batch_id(self, taken: Sequence[Waiting[Any]]) -> str:
        return derived("batch", taken[0].cause.command_id)


class CallsTheUnknownFailed(Writer[Any, Any, Any]):
    """After a lost reply the batch is composed again on the old fold, as if nothing had been written."""

    async def _find_out(self, plan: Plan[Any]) -> None:
        return None


class OwnEventOnly(Relay):
    def notify(self, stream: StreamId, head: int, rows: Sequence[Row] = ()) -> None:
        lane = self._lane(stream)
        if lane is not None and rows and not lane.busy:
            lane.done = rows[0].version - 1
        super().notify(stream, head, rows)


class NextBeforeAcknowledged(Relay):
    async def _pass(self, lane: Lane) -> None:
        if lane.done is None:
            lane.done = await self._events.watermark(lane.stream)
        while lane.behind:
            rows = await self._next_rows(lane, lane.done)
            if not rows:
                break
            await asyncio.gather(*(self._outlet.publish(lane.topic, lane.key, [row]) for row in rows))
            self._acknowledged(lane, rows[-1].version, len(rows))


class WatermarkBeforeAcknowledged(Relay):
    async def _pass(self, lane: Lane) -> None:
        if lane.done is None:
            lane.done = await self._events.watermark(lane.stream)
        while lane.behind:
            rows = await self._next_rows(lane, lane.done)
            if not rows:
                break
            self._acknowledged(lane, rows[-1].version, len(rows))
            for n, _ in enumerate(rows):
                await self._outlet.publish(lane.topic, lane.key, rows[n : n + 1])


WRONG = {
    "answer before the append is known": Kinds(writer=AnswersBeforeItIsKnown),
    "refusals answered before the append is known": Kinds(writer=RefusesBeforeItIsKnown),
    "publish before append": Kinds(writer=PublishesFirst),
    "commands known by their batch": Kinds(writer=KnowsCommandsByBatch),
    "unknown outcome taken for an answer": Kinds(writer=CallsTheUnknownFailed),
    "publish own event only": Kinds(relay=OwnEventOnly),
    "next record before the last is acknowledged": Kinds(relay=NextBeforeAcknowledged),
    "watermark before the acknowledgement": Kinds(relay=WatermarkBeforeAcknowledged),
    "no mark of what is unpublished": Kinds(marks=False),
}


@pytest.mark.parametrize("kinds", WRONG.values(), ids=WRONG)
def test_each_classic_mistake_is_caught(kinds: Kinds, loop: InstantLoop) -> None:
    """A simulation that cannot tell these from the right kernel would prove nothing."""
    for seed in range(SCHEDULES):
        try:
            tell(seed, kinds, loop)
        except AssertionError as error:
            print(f"schedule {seed}: {error}")
            return
    pytest.fail(f"not caught in {SCHEDULES} schedules")
