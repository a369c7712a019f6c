"""A process begins beside its database, and may be the faster one."""

from __future__ import annotations

from typing import Any

import pytest

from switchlog import kernel as kernels
from switchlog.config import KernelSettings
from switchlog.errors import NotNow
from switchlog.kernel import open_kernel
from switchlog.store.memory import MemoryStore
from switchlog.store.settings import StoreSettings

SETTINGS = KernelSettings("tally", StoreSettings("memory"), 0, 0, kafka_bootstrap="127.0.0.1:1")


def coming_up(times: int, tries: list[int]) -> Any:
    """Opens at the try after ``times`` refusals."""

    async def opened(*_: object) -> MemoryStore:
        tries.append(len(tries))
        if len(tries) <= times:
            raise NotNow("STORE_UNAVAILABLE")
        return MemoryStore()

    return opened


async def test_a_database_that_is_just_starting_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    tries: list[int] = []
    monkeypatch.setattr(kernels, "open_store", coming_up(2, tries))
    monkeypatch.setattr(kernels, "OPEN_AGAIN_S", 0.001)
    async with open_kernel(SETTINGS, topics={}) as kernel:
        assert await kernel.ready() == {"store": True}
    assert len(tries) == 3


async def test_a_database_that_does_not_come_ends_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "open_store", coming_up(10**9, []))
    monkeypatch.setattr(kernels, "OPEN_AGAIN_S", 0.001)
    monkeypatch.setattr(kernels, "OPENED_WITHIN_S", 0.05)
    with pytest.raises(NotNow):
        async with open_kernel(SETTINGS, topics={}):
            pytest.fail("nothing to work with")
