"""The Faust app that hosts the folds: a service that reads, an agent that works batches off, timers; none counts.

Faust's own consumer, tables, changelog and web server stay off: what they cost and lose is measured in the README.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, Awaitable, Callable, Mapping
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import faust
from faust.app.base import BootStrategy
from mode import Service

from .reading import Batch, Reading

PUBLISH_EVERY_S = 1.0

Tick = Callable[[], Awaitable[Any]]


def hosted(name: str, reading: Reading, timers: Mapping[str, tuple[float, Tick]]) -> faust.App:
    """The app, not started; ``timers`` are name -> (seconds between, what is done)."""
    app = faust.App(name, autodiscover=False, web_enabled=False, store="memory://")
    app.boot_strategy = BootStrategy(app, enable_kafka=False, enable_web=False, enable_sensors=False)
    batches = app.channel(maxsize=1)

    @app.agent(batches, name=f"{name}.fold")
    async def fold(stream: AsyncIterable[Batch]) -> None:
        async for batch in stream:
            await batch.work_off()

    @app.service
    class Reader(Service):
        @Service.task
        async def read(self) -> None:
            await reading.run(lambda batch: batches.put(cast(Any, batch)))

    for title, (every_s, tick) in timers.items():
        app.timer(every_s, name=title)(tick)
    return app


async def run(app: faust.App) -> None:
    """Until cancelled; raises what crashed the app."""
    with TemporaryDirectory(prefix="faust-") as empty:
        app.conf.datadir = Path(empty)  # made even where there is no table, by default in the working directory
        await app.start()
        try:
            app.flow_control.resume()  # in-memory channels wait for an assignment that Faust's own consumer would get
            await app.wait_until_stopped()
            if app.crash_reason is not None:
                raise app.crash_reason
        finally:
            with suppress(Exception):
                await app.stop()
