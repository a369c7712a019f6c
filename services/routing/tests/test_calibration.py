"""Estimated waits against a week on paper under the real policy: a midday peak, two priorities, overflow (RT-7).

``python -m tests.test_calibration`` in services/routing prints each hour of the day.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from routing.app.paper.engine import Engine
from routing.app.paper.world import Arrival, Shift, presence
from routing.domain.commands import DefineQueue
from routing.domain.definitions import Action, OverflowRule, Trigger
from routing.domain.events import ContactDequeued, Outcome, Queue
from routing.domain.observed import Capacity
from routing.domain.state import Board

DAY, HOUR = 86_400_000, 3_600_000
# contacts in each hour of the day: 20 agents with calls of four minutes have room for 300
SHAPE = (
    60,
    40,
    30,
    30,
    40,
    60,
    100,
    160,
    230,
    270,
    300,
    330,
    345,
    330,
    290,
    270,
    260,
    250,
    230,
    200,
    170,
    140,
    110,
    80,
)
TALK_MS, PATIENCE_MS = 200_000, 600_000
OVERFLOW_MS = 480_000


@dataclass
class Score:
    told: int = 0
    within_p50: int = 0
    within_p90: int = 0

    def take(self, left: ContactDequeued) -> None:
        waited = left.left_at - left.queued_at
        self.told += 1
        self.within_p50 += waited <= left.estimated_wait_p50_ms
        self.within_p90 += waited <= left.estimated_wait_p90_ms

    @property
    def shares(self) -> tuple[float, float]:
        return self.within_p50 / self.told, self.within_p90 / self.told


def arrivals(seed: int, days: int) -> Iterator[Arrival]:
    """A Poisson process by thinning; one in five is urgent."""
    chance, at, most = random.Random(seed), 0.0, max(SHAPE)
    while (at := at + chance.expovariate(most / HOUR)) < days * DAY:
        if chance.random() < SHAPE[int(at % DAY / HOUR)] / most:
            yield Arrival(
                contact=f"c{int(at)}-{chance.randrange(1000)}",
                at=int(at),
                queue="main",
                channel="voice",
                talk_ms=round(chance.expovariate(1 / TALK_MS)),
                wrap_up_ms=40_000,
                patience_ms=round(chance.expovariate(1 / PATIENCE_MS)),
                priority=int(chance.random() < 0.2),
            )


def agents(count: int, queue: str) -> list[Shift]:
    calls = Capacity((("voice", 1),))
    return [Shift(f"{queue}-{n:02d}", 0, None, calls, (queue,)) for n in range(count)]


def week(seed: int, days: int = 7) -> tuple[Score, dict[int, Score]]:
    """Of the answered who were told an estimate: all together, and by the hour in which they were queued."""
    away = OverflowRule("long", Trigger.WAIT, OVERFLOW_MS, Action.QUEUE, "second")
    queues = Queue("main", announce_wait=True, overflows=(away,)), Queue("second")
    engine = Engine(Board("t1", "p1"))
    cues = [(0, DefineQueue(queue, queue.id)) for queue in queues]
    cues += presence([*agents(20, "main"), *agents(2, "second")], "p1")
    total, hours = Score(), {hour: Score() for hour in range(24)}
    for told in engine.run(arrivals(seed, days), cues, days * DAY):
        for event in told.events:
            if isinstance(event, ContactDequeued) and event.outcome is Outcome.ANSWERED and event.estimated_wait_p90_ms:
                total.take(event)
                hours[int(event.queued_at % DAY / HOUR)].take(event)
    return total, hours


def test_half_and_nine_in_ten_wait_no_longer_than_they_were_told() -> None:
    """87-93 % within the second estimate, 45-55 % within the first; no busy hour is far off."""
    total, hours = week(seed=1)
    p50, p90 = total.shares
    assert total.told > 4000
    assert 0.45 <= p50 <= 0.55
    assert 0.87 <= p90 <= 0.93
    for score in (score for score in hours.values() if score.told >= 300):
        assert score.shares[0] == pytest.approx(0.5, abs=0.1)
        assert score.shares[1] == pytest.approx(0.9, abs=0.06)


def main() -> None:
    total, hours = week(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
    sys.stdout.write("hour  told  within p50  within p90\n")
    for hour, score in [*hours.items(), ("all", total)]:
        shares = "   ".join(f"{share:9.1%}" for share in score.shares) if score.told else ""
        sys.stdout.write(f"{hour!s:>4} {score.told:5d}  {shares}\n")


if __name__ == "__main__":
    main()
