"""Keeps the demo's processes running: starts them, restarts a dead one and counts it, stops all in good order."""

import asyncio
import signal
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import httpx2 as httpx
import psutil

from switchlog_local.demo.plan import Planned
from switchlog_local.errors import StartFailed

READY_WITHIN_S = 90.0
STOP_WITHIN_S = 9.0


@dataclass
class Running:
    """A process of the plan as it is now."""

    planned: Planned
    process: asyncio.subprocess.Process
    restarts: int = 0
    cpu_before_s: float = 0.0
    last_cpu_s: float = 0.0
    last_rss_mb: float = 0.0

    def measure(self) -> None:
        """Refresh CPU seconds (over all restarts) and resident megabytes."""
        try:
            seen = psutil.Process(self.process.pid)
            times = seen.cpu_times()
            self.last_cpu_s = self.cpu_before_s + times.user + times.system
            self.last_rss_mb = seen.memory_info().rss / 2**20
        except psutil.Error:
            return


@dataclass
class Supervisor:
    """`say` gets a line for everything a person should know."""

    say: Callable[[str], None]
    running: dict[str, Running] = field(default_factory=dict)
    stopping: bool = False
    deaths: Counter[str] = field(default_factory=Counter)
    _watching: list[asyncio.Task[None]] = field(default_factory=list)

    async def start(self, planned: Sequence[Planned]) -> None:
        """Start all at once and wait until each is ready. Raises StartFailed with the end of a log."""
        for one in planned:
            one.log.unlink(missing_ok=True)  # a log tells of one demo
            self.running[one.name] = Running(one, await _spawn(one))
        await asyncio.gather(*(self._wait_ready(self.running[one.name]) for one in planned))
        self._watching += [asyncio.create_task(self._watch(self.running[one.name])) for one in planned]

    async def stop(self) -> None:
        """Ask all to end at once; kill what takes too long."""
        self.stopping = True
        for one in self.running.values():
            one.measure()
            _signal(one.process, signal.SIGTERM)
        waits = [asyncio.create_task(one.process.wait()) for one in self.running.values()]
        if waits:
            await asyncio.wait(waits, timeout=STOP_WITHIN_S)
        for one in self.running.values():
            if one.process.returncode is None:
                self.say(f"{one.planned.name} did not stop in {STOP_WITHIN_S:.0f} s and was killed")
                _signal(one.process, signal.SIGKILL)
                await one.process.wait()
        await asyncio.gather(*self._watching, return_exceptions=True)

    async def _watch(self, one: Running) -> None:
        while True:
            code = await one.process.wait()
            if self._ends():
                return
            self.deaths[one.planned.name] += 1
            one.restarts += 1
            one.cpu_before_s = one.last_cpu_s
            self.say(f"{one.planned.name} ended with {code}; starting it again (log: {one.planned.log})")
            await asyncio.sleep(min(0.2 * 2 ** min(one.restarts, 5), 5))
            if self._ends():
                return
            one.process = await _spawn(one.planned)

    def _ends(self) -> bool:
        return self.stopping

    async def _wait_ready(self, one: Running) -> None:
        deadline = time.monotonic() + READY_WITHIN_S
        async with httpx.AsyncClient(timeout=2) as client:
            while missing := await _missing(client, one.planned.ready_url):
                if one.process.returncode is not None:
                    raise StartFailed(f"{one.planned.name} ended while starting\n{tail(one.planned)}")
                if time.monotonic() > deadline:
                    late = f"{one.planned.name} was not ready in {READY_WITHIN_S:.0f} s: {missing}"
                    raise StartFailed(f"{late}\n{tail(one.planned)}")
                await asyncio.sleep(0.1)
        self.say(f"{one.planned.name} is ready")


def tail(planned: Planned, lines: int = 12) -> str:
    """The end of a process's log."""
    text = planned.log.read_text(errors="replace") if planned.log.exists() else ""
    return "\n".join([*text.splitlines()[-lines:], f"(the whole log: {planned.log})"])


async def _spawn(planned: Planned) -> asyncio.subprocess.Process:
    planned.log.parent.mkdir(parents=True, exist_ok=True)
    with planned.log.open("ab") as log:
        return await asyncio.create_subprocess_exec(
            *planned.command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=dict(planned.environment),
            start_new_session=True,  # Ctrl-C in the terminal is the supervisor's to pass on
        )


async def _missing(client: httpx.AsyncClient, address: str) -> str:
    """Why it is not ready; empty when it is."""
    try:
        answer = await client.get(address)
    except httpx.HTTPError as error:
        return f"{address}: {type(error).__name__}"
    return "" if answer.status_code == 200 else f"{address}: {answer.status_code} {answer.text[:200]}"


def _signal(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    try:
        process.send_signal(number)
    except ProcessLookupError:
        return
