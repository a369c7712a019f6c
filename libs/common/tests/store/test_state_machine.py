"""Any sequence of appends, repeats, reads and watermarks gives the same in memory and in SQLite."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from switchlog.envelope import Row, StreamId
from switchlog.store import Store
from switchlog.store.memory import MemoryStore
from switchlog.store.sqlite import open_sqlite

from .kit import make_batch

STREAMS = st.sampled_from([StreamId("a", "x"), StreamId("a", "y"), StreamId("b", "x")])


class BothStores(RuleBasedStateMachine):
    """Each step is done to both; answers and errors must agree."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.folder = tempfile.TemporaryDirectory()
        self.memory = MemoryStore()
        self.sqlite = self.runner.run(open_sqlite(Path(self.folder.name) / "s.db"))
        self.batches: list[tuple[StreamId, int, list[Row]]] = []

    def both(self, call: Callable[[Store], Coroutine[Any, Any, Any]]) -> Any:
        outcomes = [self.runner.run(_outcome(call(store))) for store in (self.memory, self.sqlite)]
        assert outcomes[0] == outcomes[1]
        return outcomes[0]

    @rule(stream=STREAMS, expected=st.integers(0, 8), size=st.integers(1, 4))
    def append(self, stream: StreamId, expected: int, size: int) -> None:
        rows = make_batch(stream, expected, size)
        self.batches.append((stream, expected, rows))
        self.both(lambda store: store.events.append(stream, expected, rows[0].batch_id, rows))

    @rule(stream=STREAMS, size=st.integers(1, 4))
    def append_at_head(self, stream: StreamId, size: int) -> None:
        head = self.both(lambda store: store.events.head(stream))
        self.append(stream, head, size)

    @rule(data=st.data())
    def repeat(self, data: st.DataObject) -> None:
        if self.batches:
            stream, expected, rows = data.draw(st.sampled_from(self.batches))
            self.both(lambda store: store.events.append(stream, expected, rows[0].batch_id, rows))

    @rule(stream=STREAMS, after=st.integers(0, 12), limit=st.none() | st.integers(1, 5))
    def read(self, stream: StreamId, after: int, limit: int | None) -> None:
        self.both(lambda store: store.events.read(stream, after, limit))
        self.both(lambda store: store.events.read_serial(stream, after + 1))

    @rule(stream=STREAMS, version=st.integers(1, 12), lower=st.booleans())
    def move_watermark(self, stream: StreamId, version: int, lower: bool) -> None:
        head = self.both(lambda store: store.events.head(stream))
        if head:
            version = min(version, head)
            if lower:
                self.both(lambda store: store.events.lower_watermark(stream, version - 1))
            else:
                self.both(lambda store: store.events.published(stream, version))
        self.both(lambda store: store.events.watermark(stream))

    @rule(key=st.sampled_from("kl"), version=st.integers(1, 9), delete=st.booleans())
    def change_view(self, key: str, version: int, delete: bool) -> None:
        if delete:
            self.both(lambda store: store.views.delete("v", "p", key, version))
        else:
            self.both(lambda store: store.views.put("v", "p", key, b"%d" % version, version))
        self.both(lambda store: store.views.scan("v", "p"))

    @invariant()
    def the_same_streams_are_pending(self) -> None:
        async def names(store: Store) -> set[StreamId]:
            return {pending.stream for pending in await store.events.pending()}

        self.both(names)

    def teardown(self) -> None:
        self.runner.run(self.sqlite.close())
        self.runner.close()
        self.folder.cleanup()


async def _outcome(call: Coroutine[Any, Any, Any]) -> Any:
    try:
        return await call
    except Exception as error:
        return type(error), str(error)


TestBothStores = BothStores.TestCase
TestBothStores.settings = settings(
    max_examples=25, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)
