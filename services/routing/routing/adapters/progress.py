"""How far a long command is, told on stderr: a bar for people, JSON lines for a process that started this one."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

import orjson
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

EVERY_S = 0.5

Tell = Callable[[int, int], None]
"""How much is done, of how much."""


@contextmanager
def told_progress(how: Literal["bar", "json", "none"], what: str) -> Iterator[Tell]:
    """A function that tells it; what is written over itself is gone at the end."""
    if how == "bar":
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task(what, total=None)
            yield lambda done, of: bar.update(task, completed=done, total=of)
    elif how == "json":
        yield _lines()
    else:
        yield lambda done, of: None


def _lines() -> Tell:
    last = 0.0

    def tell(done: int, of: int) -> None:
        nonlocal last
        if done == of or time.monotonic() - last >= EVERY_S:
            last = time.monotonic()
            sys.stderr.buffer.write(orjson.dumps({"done": done, "of": of}, option=orjson.OPT_APPEND_NEWLINE))
            sys.stderr.flush()

    return tell
