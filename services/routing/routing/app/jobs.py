"""Long questions asked through the API: started, followed, answered; whoever serves the next request can tell."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Protocol

import msgspec

from switchlog.clock import Clock
from switchlog.errors import NotFound, NotNow, Rejected
from switchlog.log import get_logger
from switchlog.store import ViewStore

VIEW = "jobs"
AT_ONCE = 2
NOTED_EVERY_S = 1.0
LOST_AFTER_MS = 30_000
FORGOTTEN_AFTER_MS = 24 * 3600 * 1000

Shown = dict[str, Any]
Progress = Callable[[int, int], None]

log = get_logger(__name__)


class Command(Protocol):
    """A command of this service in a process of its own, so that nothing here waits for its thinking."""

    def __call__(self, arguments: Sequence[str], progress: Progress) -> Awaitable[tuple[int, Shown, str]]:
        """Its exit code, the JSON it printed, and what it said was wrong. Cancelled: it is ended."""
        ...


@dataclass(frozen=True, slots=True)
class Job:
    """``state``: running, done, failed, or lost (its process ended before it did). ``at`` is when that was noted."""

    job: str
    kind: str
    pool: str
    state: str = "running"
    done: int = 0
    of: int = 0
    exit_code: int = 0
    result: Shown | None = None
    error: str = ""
    digest: str = ""
    at: int = 0


class Jobs:
    """Started here, noted in a view: a repeated request finds the same job."""

    def __init__(self, views: ViewStore, clock: Clock, command: Command) -> None:
        self._views, self._clock, self._command = views, clock, command
        self._running: dict[str, asyncio.Task[None]] = {}

    async def start(self, tenant: str, job: Job, arguments: Sequence[str], clean: Callable[[], None]) -> Job:
        """``clean`` is called when ``arguments`` are needed no more. Raises ``NotNow`` when enough is under way."""
        known = await self._known(tenant, job.job)
        if known is not None:
            clean()
            if known.digest != job.digest:
                raise Rejected("IDEMPOTENCY_KEY_REUSED", "the same key was used for something else", invalid=True)
            return known
        if len(self._running) >= AT_ONCE:
            clean()
            raise NotNow("BUSY", f"{AT_ONCE} such questions are being answered; ask again later")
        started = replace(job, at=self._clock.now())
        self._running[job.job] = asyncio.create_task(self._run(tenant, started, arguments, clean))
        await self._note(tenant, started, 1)
        return started

    async def get(self, tenant: str, job: str) -> Job:
        """As last noted; raises ``NotFound``."""
        known = await self._known(tenant, job)
        if known is None:
            raise NotFound(detail="job")
        return known

    async def close(self) -> None:
        """End what is under way."""
        for task in list(self._running.values()):
            task.cancel()
        await asyncio.gather(*self._running.values(), return_exceptions=True)

    async def _known(self, tenant: str, job: str) -> Job | None:
        row = await self._views.get(VIEW, tenant, job)
        if row is None:
            return None
        known, age = msgspec.json.decode(row.value, type=Job), 0
        age = self._clock.now() - known.at
        if age > FORGOTTEN_AFTER_MS:
            return None
        return replace(known, state="lost") if known.state == "running" and age > LOST_AFTER_MS else known

    async def _note(self, tenant: str, job: Job, version: int) -> None:
        noted = replace(job, at=self._clock.now())
        await self._views.put(VIEW, tenant, job.job, msgspec.json.encode(asdict(noted)), version)

    async def _run(self, tenant: str, job: Job, arguments: Sequence[str], clean: Callable[[], None]) -> None:
        latest = job

        def progress(done: int, of: int) -> None:
            nonlocal latest
            latest = replace(latest, done=done, of=of)

        work = asyncio.ensure_future(self._command(arguments, progress))
        try:
            version = await self._follow(tenant, work, lambda: latest)
            code, result, error = await work
            state = "done" if result else "failed"
            over = replace(latest, state=state, exit_code=code, result=result or None, error=error)
            await self._note(tenant, over, version)
            log.info("job_over", job=job.job, kind=job.kind, state=state, exit_code=code)
        except asyncio.CancelledError:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
            raise
        finally:
            clean()
            del self._running[job.job]

    async def _follow(self, tenant: str, work: asyncio.Future[Any], latest: Callable[[], Job]) -> int:
        """Note how far it is until it is over; the next version of its row."""
        version = 2
        while not (await asyncio.wait([work], timeout=NOTED_EVERY_S))[0]:
            await self._note(tenant, latest(), version)
            version += 1
        return version
