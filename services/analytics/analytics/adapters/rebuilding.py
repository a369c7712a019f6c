"""The commands ``rebuild`` and ``switch``: what is shown meanwhile, what is said at the end, and the exit status."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager

from aiokafka.errors import KafkaError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskProgressColumn, TimeRemainingColumn

from switchlog.config import ConfigError
from switchlog.errors import NotNow, Rejected

from ..app.rebuilding import Done

SILENT_S = 10.0
DONE, AWAY, REFUSED, STOPPED = 0, 1, 2, 130

Told = Callable[[Done], None]


def rebuild(name: str, work: Callable[[Told], Coroutine[None, None, Done]]) -> int:
    began = time.monotonic()

    def run() -> str:
        with bar() as told:
            known = asyncio.run(work(told))
        return summary(name, known, time.monotonic() - began)

    return _command("rebuild", run)


def switch(name: str, work: Callable[[], Coroutine[None, None, Done]]) -> int:
    def run() -> str:
        known = asyncio.run(work())
        return f"{name} is used from the next start of each process on; it is {known.behind} records behind\n"

    return _command("switch", run)


def _command(what: str, run: Callable[[], str]) -> int:
    """Print what ``run`` says; the exit status."""
    try:
        sys.stdout.write(run())
        return DONE
    except KeyboardInterrupt:
        return _said(what, "stopped; the same command goes on where it broke off", STOPPED)
    except (Rejected, ConfigError) as error:
        return _said(what, str(error), REFUSED)
    except (NotNow, KafkaError, OSError) as error:
        return _said(what, f"{type(error).__name__}: {error}", AWAY)


def _said(what: str, text: str, code: int) -> int:
    sys.stderr.write(f"analytics {what}: {text}\n")
    return code


@contextmanager
def bar() -> Iterator[Told]:
    """On stderr: records read of all and the time left; where that is no terminal, a line each ten seconds."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _lines()
        return
    columns = (BarColumn(), TaskProgressColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as shown:
        task = shown.add_task("records", total=None)
        yield lambda known: shown.update(task, completed=known.read, total=known.total)


def _lines() -> Told:
    began = said = time.monotonic()

    def told(known: Done) -> None:
        nonlocal said
        now = time.monotonic()
        if now - said >= SILENT_S:
            said = now
            left = f", {known.behind * (now - began) / known.read:.0f} s left" if known.read else ""
            sys.stderr.write(f"{known.read} of {known.total} records{left}\n")

    return told


def summary(name: str, known: Done, seconds: float) -> str:
    """What was counted, and what the topics do not keep any more."""
    text = f"{name}: {known.read} records of {known.total} counted in {seconds:.1f} s\n"
    for topic, n in sorted(known.aged_out.items()):
        text += f"  {topic}: {n} older records are not kept any more; what only they told is not in these figures\n"
    return text
