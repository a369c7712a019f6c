"""A quarter hour as routing really published it once (``histories/``, protobuf as JSON, one fact a line)."""

from __future__ import annotations

from pathlib import Path

from google.protobuf import json_format

from analytics import wire
from analytics.domain.floor import census, state
from analytics.domain.formulas import identity_holds, level
from analytics.domain.levels import merged
from analytics.projections.rows import StoredRows
from contactcenter.routing.v1.events_pb2 import RoutingEvent
from switchlog.store.memory import MemoryStore

from .folds import deliver, opened, stored_cells
from .recomputed import folded, recompute
from .scene import Log

HISTORY = Path(__file__).parent / "histories" / "a-busy-quarter.jsonl"


def history() -> Log:
    log = Log()
    for line in HISTORY.read_text().splitlines():
        event = json_format.Parse(line, RoutingEvent())
        log.put(f"{event.meta.tenant_id}/{event.meta.stream}".encode(), event.SerializeToString(deterministic=True))
    return log


async def test_a_recorded_quarter_is_folded_as_it_is_recomputed() -> None:
    log, views = history(), MemoryStore().views
    folding, buried = await opened(views, log)
    await deliver(folding, log.records, 25)
    cells = await stored_cells(views, "t1", ["q1"])
    expected = recompute(log.records)
    assert not buried
    assert folded(cells, wire.CHANNEL_NUMBERS) == expected
    assert sum(counts["offered"] for counts in expected.values()) >= 30
    for cell in cells:
        assert identity_holds(level(merged(cell.groups.values()), [0] * len(cell.waiting), 20))


async def test_its_agents_stand_where_its_facts_leave_them() -> None:
    log, views = history(), MemoryStore().views
    folding, _ = await opened(views, log)
    await deliver(folding, log.records)
    agents = [agent async for agent in StoredRows(views, "s1", "g").agents("t1", "p1")]
    found = census(agent for agent in agents if agent.here)
    assert found["checked_in"] == 8 == sum(found[word] for word in ("ready", "ringing", "busy", "wrap_up", "not_ready"))
    open_offers = {offer: agent.agent for agent in agents for offer in agent.offers}
    assert open_offers == _open_offers(log)
    assert {state(agent) for agent in agents} <= {"ready", "ringing", "busy", "wrap_up", "not_ready", "break"}


def _open_offers(log: Log) -> dict[str, str]:
    """Offer -> agent, by subtraction."""
    found: dict[str, str] = {}
    for record in log.records:
        event = RoutingEvent.FromString(record.value or b"")
        kind = event.WhichOneof("fact") or ""
        if kind == "contact_offered":
            found[event.contact_offered.offer_id] = event.contact_offered.agent
        elif kind.startswith("offer_"):
            found.pop(getattr(event, kind).offer_id, None)
    return found
