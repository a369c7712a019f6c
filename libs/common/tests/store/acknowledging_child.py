"""A process to be killed: appends to many streams at once and prints each acknowledgement.

Arguments: the file, and ``too-early`` for the planted bug that answers before the commit.
"""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path

from switchlog.envelope import Row, StreamId
from switchlog.ids import new_id
from switchlog.store.sqlite import engine, open_sqlite


def row(version: int, batch_id: str) -> Row:
    return Row(version, new_id(), batch_id, "c", "", "", "t", b"v" * 500, (), 1)


class HastyWriter(engine.Writer):
    """The planted bug: whoever waits is answered, and then it is committed."""

    def _commit(self, jobs: list[engine.Job]) -> None:
        self._connection.execute("BEGIN IMMEDIATE")
        for job in jobs:
            job.run(self._connection)
        engine.answer(jobs)
        time.sleep(0.005)  # a slow disk
        self._connection.execute("COMMIT")


async def main(file: Path) -> None:
    store = await open_sqlite(file)

    async def writer(n: int) -> None:
        stream = StreamId("acme", f"s-{n}")
        head = await store.events.head(stream)
        while True:
            batch = new_id()
            rows = [row(head + 1, batch), row(head + 2, batch)]
            head = await store.events.append(stream, head, batch, rows)
            sys.stdout.write(f"{n} {head} {batch}\n")
            sys.stdout.flush()
            await store.events.published(stream, head)

    await asyncio.gather(*(writer(n) for n in range(8)))


if "too-early" in sys.argv:
    engine.Writer._commit = HastyWriter._commit  # type: ignore[method-assign]
asyncio.run(main(Path(sys.argv[1])))
