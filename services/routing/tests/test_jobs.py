"""Long questions as jobs: noted as they go, found by whoever serves the next request, ended with the service."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import psutil
import pytest

from routing.adapters.processes import OwnProcess
from routing.app.jobs import AT_ONCE, FORGOTTEN_AFTER_MS, LOST_AFTER_MS, Job, Jobs
from switchlog.clock import ManualClock
from switchlog.errors import NotFound, NotNow, Rejected
from switchlog.store.memory import MemoryStore
from switchlog.testing import eventually


class Held:
    """A command that goes on until it is let go."""

    def __init__(self) -> None:
        self.go, self.asked, self.ended = asyncio.Event(), list[Sequence[str]](), 0
        self.answer: tuple[int, dict[str, Any], str] = (0, {"identical": True}, "")

    async def __call__(self, arguments: Sequence[str], progress: Any) -> tuple[int, dict[str, Any], str]:
        self.asked.append(arguments)
        progress(3, 10)
        try:
            await self.go.wait()
        finally:
            self.ended += 1
        progress(10, 10)
        return self.answer


class Desk:
    def __init__(self) -> None:
        self.clock, self.store, self.held = ManualClock(1_000_000), MemoryStore(), Held()
        self.jobs = Jobs(self.store.views, self.clock, self.held)
        self.cleaned = 0

    def clean(self) -> None:
        self.cleaned += 1

    async def start(self, id: str = "j1", digest: str = "d") -> Job:
        return await self.jobs.start("t1", Job(id, "replay", "front", digest=digest), ["replay"], self.clean)

    async def state(self, id: str = "j1") -> str:
        return (await self.jobs.get("t1", id)).state


async def test_a_job_is_followed_to_its_result_by_another_process_too() -> None:
    desk = Desk()
    assert (await desk.start()).state == "running"
    await asyncio.sleep(0)
    desk.held.go.set()
    await eventually(lambda: _is(desk, "done"))
    elsewhere = await Jobs(desk.store.views, desk.clock, desk.held).get("t1", "j1")
    assert (elsewhere.done, elsewhere.of, elsewhere.result) == (10, 10, {"identical": True})
    assert desk.cleaned == 1


async def test_a_repeated_request_finds_the_job_and_another_body_is_refused() -> None:
    desk = Desk()
    first = await desk.start()
    assert (await desk.start()).job == first.job and len(desk.held.asked) <= 1
    with pytest.raises(Rejected, match="IDEMPOTENCY_KEY_REUSED"):
        await desk.start(digest="other")
    await desk.jobs.close()


async def test_what_a_command_says_is_wrong_is_told() -> None:
    desk = Desk()
    desk.held.answer = (2, {}, "no such day")
    desk.held.go.set()
    await desk.start()
    await eventually(lambda: _is(desk, "failed"))
    job = await desk.jobs.get("t1", "j1")
    assert (job.exit_code, job.error, job.result) == (2, "no such day", None)


async def test_so_many_at_once_and_no_more() -> None:
    desk = Desk()
    for n in range(AT_ONCE):
        await desk.start(f"j{n}")
    with pytest.raises(NotNow):
        await desk.start("one too many")
    await desk.jobs.close()
    assert desk.held.ended == AT_ONCE and desk.cleaned == AT_ONCE + 1


async def test_a_job_whose_process_is_gone_is_lost_and_later_forgotten() -> None:
    desk = Desk()
    await desk.start()
    await asyncio.sleep(0)
    await desk.jobs.close()
    desk.clock.advance(LOST_AFTER_MS + 1)
    assert await desk.state() == "lost"
    desk.clock.advance(FORGOTTEN_AFTER_MS)
    with pytest.raises(NotFound):
        await desk.state()


async def test_another_tenants_job_is_not_found() -> None:
    """PL-1"""
    desk = Desk()
    await desk.start()
    with pytest.raises(NotFound):
        await desk.jobs.get("t2", "j1")
    await desk.jobs.close()


async def test_a_command_that_nobody_waits_for_any_more_is_ended() -> None:
    """It would think on for minutes."""
    run = OwnProcess({"PYTHONUTF8": "1"})
    task = asyncio.create_task(run(["replay", "front", "2026-11-25", "--store", "nowhere"], lambda done, of: None))
    await eventually(lambda: _children(1))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await _children(0)


async def _children(count: int) -> bool:
    mine = [child for child in psutil.Process().children() if child.status() != psutil.STATUS_ZOMBIE]
    return len(mine) == count


async def _is(desk: Desk, state: str) -> bool:
    return await desk.state() == state
