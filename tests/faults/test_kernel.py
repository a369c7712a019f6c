"""A few kills of everything, on every run; ``make faults`` does it for long."""

from __future__ import annotations

import pytest

from switchlog.store.settings import StoreSettings

from . import points, report
from .conftest import WITH_CASSANDRA
from .kernel import PLANTED, bench, planted_round

pytestmark = pytest.mark.kafka


async def test_kill_9_at_each_crash_point_loses_nothing_and_does_nothing_twice(
    bootstrap: str, store_settings: StoreSettings
) -> None:
    """Trust, Faults: kill -9 at each crash point; I1, I2, I5, I6; kernel rules 5 to 11, 14 to 16."""
    kind = store_settings.kind
    async with bench(bootstrap, store_settings) as one:
        rounds = [
            await one.round("append", one.at_each(points.APPEND | points.INSIDE[kind])),
            await one.round("relay", one.at_each(points.RELAY)),
            await one.round("consume", one.at_each(points.CONSUME)),
            await one.round("random", one.at_random(3)),
        ]
    print(report.table(rounds))
    assert [one.wrong for one in rounds] == [[]] * 4
    assert all(one.kills and one.unknown for one in rounds)


async def test_two_processes_that_race_never_both_win(bootstrap: str, store_settings: StoreSettings) -> None:
    """Idea 1; kernel rule 4; trust, I3: the seat is one."""
    async with bench(bootstrap, store_settings) as one:
        figures = await one.round("race", one.racing(2))
    print(report.table([figures]))
    assert figures.wrong == [] and figures.refused > 0


@pytest.mark.skipif(WITH_CASSANDRA, reason="the mistakes are the same on every store")
@pytest.mark.parametrize("planted", PLANTED)
async def test_the_bench_catches_a_planted_mistake(bootstrap: str, store_settings: StoreSettings, planted: str) -> None:
    """Trust, Planted bugs: without this the zeros above would prove nothing."""
    _, shows_as = PLANTED[planted]
    async with bench(bootstrap, store_settings) as one:
        figures = await planted_round(one, planted)
    assert getattr(figures, shows_as) > 0
