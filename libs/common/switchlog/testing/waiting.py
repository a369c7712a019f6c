"""Waiting for what will be true soon, and saying what was the case when it never was."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


async def eventually(check: Callable[[], T | Awaitable[T]], within_s: float = 5.0, every_s: float = 0.02) -> T:
    """What ``check`` returns once it is true; an ``AssertionError`` in it means not yet. Fails after ``within_s``."""
    deadline = time.monotonic() + within_s
    while True:
        value, error = await _attempt(check)
        if value:
            return value
        if time.monotonic() >= deadline:
            raise error or AssertionError(f"still {value!r} after {within_s:g} s")
        await asyncio.sleep(every_s)


async def _attempt(check: Callable[[], T | Awaitable[T]]) -> tuple[T | None, AssertionError | None]:
    try:
        found = check()
        return (await found if inspect.isawaitable(found) else found), None
    except AssertionError as error:
        return None, error
