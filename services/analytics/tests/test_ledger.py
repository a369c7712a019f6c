"""The ledger of a shift: its states partition it to the millisecond (AG-6), and work is added up over all of it."""

from __future__ import annotations

from analytics.domain.ledger import adherent_ms, between, present
from analytics.domain.levels import DAY_MS
from analytics.projections.rows import StoredRows
from contactcenter.agent.v1 import events_pb2 as pb
from contactcenter.contact.v1.types_pb2 import CHANNEL_CHAT, CHANNEL_VOICE
from switchlog.store.memory import MemoryStore

from .folds import deliver
from .people import People, counted, days, opened
from .scene import NOON, TENANT, S

MIN = 60 * S
Q = 15 * MIN
DAY = NOON - 12 * 60 * MIN
ANN = {"agent": "ann", "pool": "front", "team": "t1"}


def work(leg: int, channel: int = CHANNEL_CHAT, queue: str = "sales") -> dict:
    return ANN | {"contact": "c", "leg": leg, "queue": queue, "channel": channel}


def a_shift() -> People:
    """Signs in, checks in, gets ready, has two chats at once, wraps one up, takes a break, goes home."""
    log = People("agent")
    log.say(
        NOON, "ann", capacity_set=pb.CapacitySet(**ANN, capacities=[_slots(CHANNEL_CHAT, 3), _slots(CHANNEL_VOICE, 1)])
    )
    log.say(NOON, "ann", agent_signed_in=pb.AgentSignedIn(**ANN))
    log.say(NOON + MIN, "ann", agent_checked_in=pb.AgentCheckedIn(**ANN, mode=pb.AGENT_MODE_WEB))
    log.say(NOON + 2 * MIN, "ann", agent_ready=pb.AgentReady(**ANN))
    log.say(NOON + 5 * MIN, "ann", work_started=pb.WorkStarted(**work(1)))
    log.say(NOON + 10 * MIN, "ann", work_started=pb.WorkStarted(**work(2)))
    log.say(NOON + 20 * MIN, "ann", work_ended=pb.WorkEnded(**work(1)))
    log.say(NOON + 25 * MIN, "ann", work_ended=pb.WorkEnded(**work(2), wrap_up_follows=True))
    log.say(NOON + 25 * MIN, "ann", wrap_up_started=pb.WrapUpStarted(**work(2)))
    log.say(NOON + 26 * MIN + 1, "ann", wrap_up_ended=pb.WrapUpEnded(**work(2)))
    log.say(NOON + 30 * MIN, "ann", agent_not_ready=pb.AgentNotReady(**ANN, reason="break", planned=True))
    log.say(NOON + 40 * MIN, "ann", agent_checked_out=pb.AgentCheckedOut(**ANN))
    log.say(NOON + 41 * MIN, "ann", agent_signed_out=pb.AgentSignedOut(**ANN))
    return log


def _slots(channel: int, slots: int) -> pb.ChannelCapacity:
    return pb.ChannelCapacity(channel=channel, slots=slots)


async def folded(log: People, size: int = 4):
    views = MemoryStore().views
    await deliver(await opened(views, log), log.records, size)
    return views


async def spans_of(views, *starts: int) -> list:
    rows = StoredRows(views, "s1", "g")
    return [span for _, day in await rows.days_of(TENANT, "ann", min(starts), max(starts) + 1) for span in day.spans]


async def test_the_states_of_a_shift_partition_it_to_the_millisecond() -> None:
    """AG-6."""
    spans = between(await spans_of(await folded(a_shift()), DAY), DAY, DAY + DAY_MS)
    assert [(state, begin - NOON, end - NOON) for begin, end, state, *_ in spans] == [
        ("signed_in", 0, MIN),
        ("not_ready", MIN, 2 * MIN),
        ("ready", 2 * MIN, 5 * MIN),
        ("busy", 5 * MIN, 25 * MIN),
        ("wrap_up", 25 * MIN, 26 * MIN + 1),
        ("ready", 26 * MIN + 1, 30 * MIN),
        ("break", 30 * MIN, 40 * MIN),
        ("signed_in", 40 * MIN, 41 * MIN),
    ]
    assert sum(end - begin for begin, end, *_ in spans) == 41 * MIN
    assert spans[6][3:6] == ("break", True, "web")


async def test_sums_by_quarter_hour_add_up_to_the_spans() -> None:
    found = await days(await folded(a_shift()), (DAY,))
    sums: dict[str, int] = {}
    for (_, *where), one in found.items():
        for name, n in one.items() if where else ():
            sums[name] = sums.get(name, 0) + n
    assert sums == {
        "signed_in_ms": 41 * MIN, "checked_in_ms": 39 * MIN, "ready_ms": 7 * MIN - 1, "busy_ms": 21 * MIN + 1,
        "in_wrap_up_ms": MIN + 1, "not_ready_ms": MIN, "break_ms": 10 * MIN, "handled": 2, "wrap_up_ms": MIN + 1,
        "slot_ms": 15 * MIN + 16 * MIN + 1, "chat_slot_ms": 31 * MIN + 1, "chat_busy_ms": 21 * MIN + 1,
        "chat_capacity_ms": 3 * 28 * MIN,
    }  # fmt: skip
    assert found["ann", NOON, "t1"]["busy_ms"] == 10 * MIN
    assert found["ann", NOON + Q, "t1"]["busy_ms"] == 11 * MIN + 1


async def test_a_queues_busy_time_is_the_union_and_its_slot_time_the_sum() -> None:
    found = await counted(await folded(a_shift()), "event")
    assert found == {
        ("sales", NOON, "chat/ann/t1"): {"busy_ms": 10 * MIN, "slot_ms": 15 * MIN},
        ("sales", NOON + Q, "chat/ann/t1"): {"busy_ms": 11 * MIN + 1, "slot_ms": 16 * MIN + 1},
    }


async def test_a_shift_over_midnight_is_whole_again_when_it_is_read() -> None:
    log = People("agent")
    late = DAY + DAY_MS - 5 * MIN
    log.say(late, "ann", agent_signed_in=pb.AgentSignedIn(**ANN))
    log.say(late + 10 * MIN, "ann", agent_signed_out=pb.AgentSignedOut(**ANN))
    spans = await spans_of(await folded(log), DAY, DAY + DAY_MS)
    assert sorted((begin - late, end - late) for begin, end, *_ in spans) == [(0, 5 * MIN), (5 * MIN, 10 * MIN)]
    assert [span[:2] for span in between(spans, DAY, DAY + 2 * DAY_MS)] == [(late, late + 10 * MIN)]
    assert [span[:2] for span in between(spans, DAY + DAY_MS, DAY + 2 * DAY_MS)] == [(late + 5 * MIN, late + 10 * MIN)]


async def test_an_agents_time_does_not_go_back() -> None:
    log = People("agent")
    log.say(NOON, "ann", agent_signed_in=pb.AgentSignedIn(**ANN))
    log.say(NOON + 9 * MIN, "ann", agent_checked_in=pb.AgentCheckedIn(**ANN))
    log.say(NOON + 4 * MIN, "ann", agent_ready=pb.AgentReady(**ANN))
    log.say(NOON + 10 * MIN, "ann", agent_signed_out=pb.AgentSignedOut(**ANN))
    spans = between(await spans_of(await folded(log), DAY), DAY, DAY + DAY_MS)
    assert [(state, begin - NOON, end - NOON) for begin, end, state, *_ in spans] == [
        ("signed_in", 0, 9 * MIN),
        ("ready", 9 * MIN, 10 * MIN),
    ]


async def test_who_begins_in_the_middle_of_an_agents_life_learns_where_the_agent_stands() -> None:
    log = People("agent")
    log.versions["agent-ann"] = 900
    standing = pb.AgentStanding(state=pb.AGENT_STATE_READY, takes_offers=True, mode=pb.AGENT_MODE_PHONE)
    log.say(NOON, "ann", joined_pool=pb.JoinedPool(**ANN, standing=standing))
    log.say(NOON + MIN, "ann", agent_checked_out=pb.AgentCheckedOut(**ANN))
    spans = await spans_of(await folded(log), DAY)
    assert [(one[2], one[5]) for one in spans] == [("ready", "phone")]


async def test_help_is_counted_with_how_long_it_took() -> None:
    """AG-7."""
    log = People("agent")
    log.say(NOON, "ann", help_requested=pb.HelpRequested(**ANN, help_id="h"))
    log.say(NOON + MIN, "ann", help_given=pb.HelpGiven(**ANN, help_id="h", waited_ms=MIN))
    found = await days(await folded(log), (DAY,))
    assert found["ann", NOON, "t1"] == {"help_requests": 1, "help_wait_ms": MIN}


async def test_adherence_is_time_at_work_within_the_planned_shift() -> None:
    spans = between(await spans_of(await folded(a_shift()), DAY), DAY, DAY + DAY_MS)
    assert adherent_ms(spans, [(NOON + 3 * MIN, NOON + 35 * MIN)]) == 27 * MIN
    assert present(spans, [(NOON + 40 * MIN, NOON + 60 * MIN)])
    assert not present(spans, [(NOON + 41 * MIN, NOON + 60 * MIN)])
