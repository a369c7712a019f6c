"""A whole centre killed a few times on every run; ``make faults`` does it for long, with outages."""

from __future__ import annotations

import pytest

from . import report
from .lives import import_root

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(240)]


async def test_services_killed_one_by_one_and_all_at_once_keep_every_promise() -> None:
    """Trust, Faults: kill -9 of services, everything at once; I1 to I5 from topics and stores."""
    import_root()
    from . import system

    async with system.shift(agents=3, visitors=4) as one:
        await system.kills(one, ("ingress_chat", "routing"), 1)
        await system.all_at_once(one, system.KILLED)
        figures = await system.finished("centre", one)
    print(report.table([figures]))
    assert figures.wrong == []
    assert figures.kills == 9 and figures.commands > 10
