"""The oracle itself, against what the definitions say in numbers (AN-1, AN-4)."""

from __future__ import annotations

import ast
import sys
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from contactcenter.agent.v1 import events_pb2 as agent_pb
from contactcenter.contact.v1 import events_pb2 as contact_pb
from contactcenter.contact.v1.types_pb2 import CHANNEL_VOICE
from contactcenter.routing.v1 import events_pb2 as routing_pb

from .day import Day, made
from .day.streams import Streams
from .logs import decoded, records
from .oracle.calendar import intervals
from .oracle.decode import decode
from .oracle.recompute import GROUPS, Asked, Batch, recompute
from .oracle.topics import NotARepeat, Unordered

NOON = 1_763_985_600_000  # 2025-11-24T12:00:00Z
S = 1000
FOLDER = Path(__file__).parent
SMALL = Day(hours=4, contacts_an_hour=60, agents=6)


def stamp(at: int) -> Timestamp:
    found = Timestamp()
    found.FromMilliseconds(at)
    return found


def leaves(streams: Streams, contact: str, waited: int, outcome: str) -> None:
    """A stay of ``waited`` milliseconds that began at noon."""
    leg = {"leg": 1, "queue": "sales", "contact": contact, "channel": CHANNEL_VOICE, "queued_at": stamp(NOON)}
    streams.say("pool-front", routing_pb.ContactWaiting(**leg), NOON, NOON)
    number = routing_pb.DequeueOutcome.Value(f"DEQUEUE_OUTCOME_{outcome.upper()}")
    left = routing_pb.ContactDequeued(**leg, outcome=number, left_at=stamp(NOON + waited), waited_ms=waited)
    streams.say("pool-front", left, NOON + waited, NOON + waited)


def batch(streams: Streams) -> Batch:
    return recompute(decoded(streams).tables, "UTC", NOON)


def test_the_golden_vector_of_the_definitions():
    """A=1000, B=60, A_20=860, B_20=20, B_5=10 (kpis.md, ICMI)."""
    streams = Streams("acme")
    for n in range(1000):
        leaves(streams, f"a{n}", 20 * S if n < 860 else 20 * S + 1, "answered")
    for n in range(60):
        leaves(
            streams,
            f"b{n}",
            5 * S if n < 10 else 20 * S if n < 20 else 21 * S,
            "short_abandoned" if n < 10 else "abandoned",
        )
    (found,) = batch(streams).figures(Asked("acme", ("queue",), "15m", "cohort", 20)).values()
    expected = {"sl_positive": 83.02, "sl_answered": 86.00, "sl_strict": 81.13, "sl_ignore_early": 82.69}
    expected |= {"sl_short_credit": 82.08, "sl_excl_short": 81.90}
    assert {name: round(100 * found[name], 2) for name in expected} == expected


def test_the_identity_holds_in_every_cohort_interval():
    facts = decode(records(made(SMALL)))
    found = recompute(facts.tables, SMALL.tz, SMALL.end)
    gone = ("answered", "abandoned", "flowed_out", "callback", "timed_out", "blocked", "failed", "waiting")
    for step in ("15m", "30m", "1h", "1d", "1w", "1mo"):
        rows = found.figures(Asked(SMALL.tenant, ("queue", "channel"), step, "cohort", 20)).values()
        assert rows and all(row["offered"] == sum(row[name] for name in gone) for row in rows)


def test_counts_of_all_steps_add_up_to_the_same():
    facts = decode(records(made(SMALL)))
    found = recompute(facts.tables, SMALL.tz, SMALL.end)
    for attribution in ("cohort", "event"):
        totals = set()
        for step in ("15m", "30m", "1h", "1d", "1w", "1mo"):
            rows = found.figures(Asked(SMALL.tenant, ("queue",), step, attribution, 20)).values()
            names = ("offered", "answered", "abandoned", "talk_ms", "hold_ms", "wrap_up_ms", "trunk_ms", "busy_ms")
            totals.add(tuple(sum(row[name] for row in rows) for name in names))
        assert len(totals) == 1 and all(next(iter(totals)))


def test_durations_are_split_where_the_interval_ends():
    """Talk from 12:14 to 12:17 with a hold over the edge: one minute before it, two after, less the hold."""
    streams, quarter = Streams("acme"), NOON + 900 * S
    place = {"leg": 1, "queue": "sales", "pool": "front", "agent": "ann", "team": "t1"}
    for at, fact in (
        (NOON, contact_pb.ContactStarted(channel=CHANNEL_VOICE)),
        (NOON, contact_pb.ContactQueued(leg=1, queue="sales", pool="front", channel=CHANNEL_VOICE)),
        (quarter - 60 * S, contact_pb.AgentConnected(**place, channel=CHANNEL_VOICE)),
        (quarter - 10 * S, contact_pb.ContactHeld(**place)),
        (quarter + 5 * S, contact_pb.ContactResumed(**place)),
        (quarter + 120 * S, contact_pb.AgentDisconnected(**place)),
    ):
        streams.say("contact-c1", fact, at, at)
    event = batch(streams).figures(Asked("acme", ("agent",), "15m", "event", 20))
    assert [(row["talk_ms"], row["hold_ms"]) for _, row in sorted(event.items())] == [
        (50 * S, 10 * S),
        (115 * S, 5 * S),
    ]
    cohort = batch(streams).figures(Asked("acme", ("agent",), "15m", "cohort", 20))
    assert [(row["start"], row["talk_ms"], row["hold_ms"]) for row in cohort.values()] == [(NOON, 165 * S, 15 * S)]


def test_the_states_of_a_shift_partition_it():
    """AG-6: their sum equals the shift to the millisecond."""
    facts = decode(records(made(SMALL)))
    found = recompute(facts.tables, SMALL.tz, SMALL.end).db
    found.execute(
        """select agent, sum(end_ - start) filter (state <> 'signed_out'), max(start) filter (state = 'signed_out'),
            min(start) filter (state = 'signed_in') from agent_steps group by agent"""
    )
    rows = found.fetchall()
    assert rows and all(total == signed_out - signed_in for _, total, signed_out, signed_in in rows)


def test_busy_time_of_two_chats_at_once_is_their_union():
    streams = Streams("acme")
    who = {"agent": "ann", "team": "t1", "pool": "front"}
    for at, fact in (
        (0, agent_pb.AgentSignedIn(**who)),
        (0, agent_pb.AgentCheckedIn(**who)),
        (0, agent_pb.AgentReady(**who)),
        (10, agent_pb.WorkStarted(**who, contact="a", leg=1, queue="web")),
        (20, agent_pb.WorkStarted(**who, contact="b", leg=1, queue="web")),
        (30, agent_pb.WorkEnded(**who, contact="a", leg=1, queue="web")),
        (50, agent_pb.WorkEnded(**who, contact="b", leg=1, queue="web")),
        (60, agent_pb.AgentCheckedOut(**who)),
        (60, agent_pb.AgentSignedOut(**who)),
    ):
        streams.say("agent-ann", fact, NOON + at * S, NOON + at * S)
    (of_agent,) = batch(streams).figures(Asked("acme", ("agent",), "15m", "event", 20)).values()
    assert (of_agent["busy_ms"], of_agent["ready_ms"], of_agent["signed_in_ms"]) == (40 * S, 20 * S, 60 * S)
    assert of_agent["occupancy"] == pytest.approx(40 / 60)
    (of_queue,) = batch(streams).figures(Asked("acme", ("queue",), "15m", "event", 20)).values()
    assert of_queue["busy_ms"] == 40 * S


@pytest.mark.parametrize("day, quarters", [("2025-10-26", 100), ("2026-03-29", 92), ("2026-03-30", 96)])
def test_days_of_summer_time_have_more_or_fewer_quarters(day, quarters):
    midnight = round(datetime.fromisoformat(day).replace(tzinfo=ZoneInfo("Europe/Berlin")).timestamp() * 1000)
    (found,) = [one for one in intervals("1d", "Europe/Berlin", midnight, midnight) if one[0] == midnight]
    assert found[1] - found[0] == quarters * 900 * S
    inside = [one for one in intervals("15m", "Europe/Berlin", *found) if found[0] <= one[0] < found[1]]
    assert len(inside) == quarters


def test_weeks_begin_on_monday_and_months_on_the_first():
    weeks, months = (list(intervals(step, "Asia/Shanghai", NOON, NOON)) for step in ("1w", "1mo"))
    shown = [datetime.fromtimestamp(start / 1000, ZoneInfo("Asia/Shanghai")) for start, _ in [*weeks, *months]]
    assert all(at.hour == at.minute == 0 for at in shown)
    assert all(at.weekday() == 0 for at in shown[: len(weeks)]) and all(at.day == 1 for at in shown[len(weeks) :])


def test_zones_that_are_not_whole_hours_off_have_whole_local_hours():
    found = [datetime.fromtimestamp(start / 1000, UTC) for start, _ in intervals("1h", "Asia/Kathmandu", NOON, NOON)]
    assert {at.minute for at in found} == {15}  # +05:45


def test_a_repeat_counts_once_and_a_contradiction_is_told():
    said = records(made(SMALL))
    again = [*said, *(one._replace(offset=one.offset + 1_000_000) for one in said[::7])]
    assert decode(again).repeats == len(said[::7])
    first = next(one for one in said if one.key == said[-1].key)
    changed = first._replace(value=first.value + b"\xf8\x07\x01", offset=10_000_000)  # an unknown field more
    with pytest.raises(NotARepeat):
        decode([*said, changed])


def test_a_hole_in_a_stream_is_told():
    said = records(made(SMALL))
    stream = said[0].key
    gone = [one for one in said if one.key == stream][1]
    with pytest.raises(Unordered):
        decode([one for one in said if one != gone])


def test_the_same_seed_gives_the_same_bytes():
    assert made(SMALL) == made(SMALL)
    assert made(SMALL) != made(Day(seed=2, hours=4, contacts_an_hour=60, agents=6))


def test_a_day_has_everything_that_a_definition_speaks_of():
    """Each outcome, each way an offer ends, transfers, holds, wrap-ups with and without, both ends of a menu."""
    tables = decode(records(made(Day()))).tables
    outcomes = set(tables["contact_dequeued"]["outcome"].to_pylist())
    assert outcomes == {
        *("answered", "abandoned", "short_abandoned", "flowed_out", "callback", "timed_out", "blocked", "failed")
    }
    some = (
        *(
            "offer_accepted",
            "offer_declined",
            "offer_expired",
            "offer_withdrawn",
            "contact_transferred",
            "contact_held",
        ),
        *(
            "contact_resumed",
            "wrap_up_ended",
            "survey_answered",
            "complaint_marked",
            "timer_elapsed",
            "agent_not_ready",
        ),
        *("contact_overflowed", "trunk_released", "message_sent", "ticket_resolved", "pool_day_started"),
    )
    assert all(tables[name].num_rows for name in some)
    assert len(set(tables["work_ended"]["wrap_up_follows"].to_pylist())) == 2
    fcr = recompute(tables, Day().tz, Day().end).db.execute("select once, settled from first_resolutions").fetchall()
    assert len(set(fcr)) >= 2  # some come back
    assert tables["contact_waiting"].num_rows > tables["contact_dequeued"].num_rows  # some wait still


def test_the_oracle_knows_nothing_of_any_service():
    """Only published stubs, Arrow, DuckDB and a Kafka client."""
    allowed = {"contactcenter", "google", "pyarrow", "duckdb", "aiokafka", *sys.stdlib_module_names}
    for path in [*FOLDER.glob("oracle/*.py"), *FOLDER.glob("day/*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            names = [one.name for one in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module or ""]
            assert {name.partition(".")[0] for name in names} <= allowed, path.name


def test_every_group_is_known_to_the_sql():
    cells = (FOLDER / "oracle" / "sql" / "50_cells.sql").read_text()
    for group in GROUPS:
        assert ", ".join(("end_", "name", *group)) in cells
