"""For those who check: a store that is slow or away is asked again, for a while."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from switchlog.errors import NotNow
from switchlog.store import Store
from switchlog.store.opening import open_store
from switchlog.store.settings import StoreSettings

PATIENCE_S = 60.0


class Patient:
    """``real`` whose calls are repeated while they raise ``NotNow``: reads, so that is safe."""

    def __init__(self, real: Any) -> None:
        self._real = real

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._real, name)

        async def patient(*arguments: Any, **named: Any) -> Any:
            return await patiently(lambda: found(*arguments, **named))

        return patient


class PatientStore:
    """What the checks read of a store."""

    def __init__(self, real: Store) -> None:
        self.events, self.views = Patient(real.events), Patient(real.views)
        self.close = real.close


async def patiently(call: Callable[[], Awaitable[Any]]) -> Any:
    """The outcome of ``call``, tried again until it is not ``NotNow``."""
    end = asyncio.get_running_loop().time() + PATIENCE_S
    while True:
        try:
            return await call()
        except NotNow:
            if asyncio.get_running_loop().time() > end:
                raise
            await asyncio.sleep(0.2)


async def open_patiently(settings: StoreSettings, service: str) -> Any:
    """``service``'s store, for reading."""
    return PatientStore(await patiently(lambda: open_store(settings, service)))
