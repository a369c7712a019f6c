"""Open the store that the settings name."""

from __future__ import annotations

from pathlib import Path

from switchlog.clock import Clock
from switchlog.store import Store, TimersOf, no_timers
from switchlog.store.memory import MemoryStore
from switchlog.store.settings import StoreSettings
from switchlog.store.sqlite import open_sqlite


async def open_store(
    settings: StoreSettings, service: str, timers_of: TimersOf = no_timers, clock: Clock | None = None
) -> Store:
    """``service``'s store, ready for use; ``close`` it. Raises ``NotNow`` when it cannot be reached."""
    match settings.kind:
        case "memory":
            return MemoryStore(timers_of, clock)
        case "sqlite":
            return await open_sqlite(Path(settings.path) / f"{service}.db", timers_of, clock)
        case "cassandra":
            # imported here: the driver is a dependency of those who use it
            from switchlog.store.cassandra import open_cassandra

            return await open_cassandra(settings, service, timers_of, clock)
        case _:
            raise ValueError(f"unknown store {settings.kind!r}: sqlite, cassandra or memory")
