"""One centre for all stories: started once, stopped at the end, its logs shown when a story fails."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import pytest_asyncio

from .centre.centre import Centre, open_centre
from .centre.tenant import Tenant

LAST_LINES = 25


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def centre(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Centre]:
    """Every service as a process, over the STORE of this run."""
    async with open_centre(tmp_path_factory.mktemp("centre")) as running:
        yield running


@pytest.fixture
def tenant(centre: Centre) -> Tenant:
    """A tenant of the story's own."""
    return centre.tenant()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[Any]) -> Iterator[None]:
    """The end of each process's log beside a failure; the whole logs stay in the folder that it names."""
    report = yield
    centre = getattr(item, "funcargs", {}).get("centre")
    if report.failed and isinstance(centre, Centre):
        for path in sorted(centre.plan.logs.glob("*.log")):
            lines = path.read_text(errors="replace").splitlines()[-LAST_LINES:]
            report.sections.append((f"the end of {path}", "\n".join(lines)))
    return report
