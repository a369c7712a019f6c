"""Days that changed and were not published before a crash are published by who goes on (rule 27)."""

from __future__ import annotations

import pytest

from analytics.adapters.fed_facts import contacts_in
from analytics.app.ports import Rows, Where
from analytics.domain.counters import DAY
from analytics.projections.fed_rows import FedRows
from analytics.projections.queue_rows import QueueRows
from analytics.projections.rows import StoredRows
from analytics.projections.state_rows import clerk_rows, contact_rows, ticket_rows
from switchlog.store.memory import MemoryStore

from .scene import NOON, TENANT

WHERE = Where("external.events.v1", 0)
KEY = (TENANT, "ann", NOON - NOON % 86_400_000)


@pytest.mark.parametrize("kind", ["fed", "pools", "contacts", "clerks", "tickets"])
async def test_a_day_that_nobody_published_is_known_to_the_next_process(kind: str) -> None:
    rows = StoredRows(MemoryStore().views, "s1", "g")
    made: dict[str, Rows] = {
        "fed": FedRows(rows, contacts_in),
        "pools": QueueRows(rows),
        "contacts": contact_rows(rows),
        "clerks": clerk_rows(rows),
        "tickets": ticket_rows(rows),
    }
    kept = made[kind]
    board = await kept.board(WHERE)
    board.counters.contribute(3, TENANT, [(DAY, "ann", NOON, "t1", "busy_ms", 5)])
    board.settle()
    await kept.save(WHERE, board)
    board.stored()
    again = (await kept.board(WHERE)).counters
    assert again.days[KEY].quarters == {NOON: {"t1": {"busy_ms": 5}}}
    assert again.untold == {KEY}

    board.counters.untold.clear()  # published
    board.next += 1
    await kept.save(WHERE, board)
    assert (await kept.board(WHERE)).counters.untold == ({KEY} if kind == "clerks" else set())
