"""Talk, hold, transfers, surveys, responses and trunks of contacts, in both attributions."""

from __future__ import annotations

import pytest

from analytics.projections.rows import StoredRows
from contactcenter.contact.v1 import events_pb2 as pb
from contactcenter.contact.v1.types_pb2 import CHANNEL_CHAT, CHANNEL_VOICE
from switchlog.store.memory import MemoryStore

from .folds import Crash, TearingViews, deliver
from .people import People, counted, opened
from .scene import NOON, TENANT, S

Q = 900 * S
MIN = 60 * S
WHERE = {"queue": "sales", "pool": "front", "leg": 1}
ANN = WHERE | {"agent": "ann", "team": "t1"}


def a_call() -> People:
    """A caller hears a menu, waits, talks over the edge of a quarter hour with a hold in it, and rates the agent."""
    log = People("contact")
    log.say(NOON, "c1", contact_started=pb.ContactStarted(channel=CHANNEL_VOICE))
    log.say(NOON, "c1", trunk_seized=pb.TrunkSeized(trunk="t", line="1"))
    log.say(NOON + S, "c1", system_connected=pb.SystemConnected(system="menu"))
    log.say(NOON + 10 * S, "c1", contact_queued=pb.ContactQueued(**WHERE))
    log.say(NOON + 14 * MIN, "c1", agent_connected=pb.AgentConnected(**ANN))
    log.say(NOON + 16 * MIN, "c1", contact_held=pb.ContactHeld(**ANN))
    log.say(NOON + 17 * MIN, "c1", contact_resumed=pb.ContactResumed(**ANN))
    log.say(NOON + 20 * MIN, "c1", agent_disconnected=pb.AgentDisconnected(**ANN))
    log.say(NOON + 21 * MIN, "c1", survey_answered=pb.SurveyAnswered(**ANN, score=4, max_score=5))
    log.say(NOON + 22 * MIN, "c1", trunk_released=pb.TrunkReleased(trunk="t", line="1"))
    log.say(NOON + 22 * MIN, "c1", contact_ended=pb.ContactEnded(reason=pb.END_REASON_CUSTOMER_ENDED))
    return log


async def folded(log: People, size: int = 3):
    views = MemoryStore().views
    await deliver(await opened(views, log), log.records, size)
    return views


async def test_in_cohort_everything_counts_to_the_quarter_hour_in_which_it_was_queued() -> None:
    views = await folded(a_call())
    assert await counted(views, "cohort") == {
        ("sales", NOON, "voice//"): {
            "started": 1, "system_connected": 1, "ivr_entered": 1, "trunk_seizures": 1, "trunk_ms": 22 * MIN,
            "queued": 1, "ended": 1,
        },
        ("sales", NOON, "voice/ann/t1"): {
            "connected": 1, "disconnected": 1, "talk_ms": 5 * MIN, "hold_ms": MIN, "score_5_n": 1, "score_5_sum": 4,
        },
    }  # fmt: skip


async def test_in_event_attribution_durations_are_split_at_the_edges_of_quarter_hours() -> None:
    views = await folded(a_call())
    assert await counted(views, "event") == {
        ("sales", NOON, "voice//"): {
            "started": 1, "system_connected": 1, "ivr_entered": 1, "trunk_seizures": 1, "trunk_ms": 15 * MIN,
            "queued": 1,
        },
        ("sales", NOON + Q, "voice//"): {"trunk_ms": 7 * MIN, "ended": 1},
        ("sales", NOON, "voice/ann/t1"): {"connected": 1, "talk_ms": MIN},
        ("sales", NOON + Q, "voice/ann/t1"): {
            "disconnected": 1, "talk_ms": 4 * MIN, "hold_ms": MIN, "score_5_n": 1, "score_5_sum": 4,
        },
    }  # fmt: skip


async def test_a_contact_counts_to_no_queue_until_it_is_queued_and_then_to_its_first() -> None:
    log = a_call()
    before, log.records = log.records, log.records[:3]
    views = MemoryStore().views
    folding = await opened(views, log)
    await deliver(folding, log.records)
    started = {"started": 1, "system_connected": 1, "ivr_entered": 1, "trunk_seizures": 1}
    assert await counted(views, "cohort") == {("", NOON, "voice//"): started}
    await deliver(folding, before[:4])
    assert await counted(views, "cohort") == {("sales", NOON, "voice//"): started | {"queued": 1, "open": 1}}


async def test_a_call_that_ends_in_the_menu_is_contained_and_one_that_was_blocked_is_not() -> None:
    log = People("contact")
    for who, reason in (
        ("m", pb.END_REASON_SELF_SERVED),
        ("h", pb.END_REASON_NEVER_QUEUED),
        ("b", pb.END_REASON_BLOCKED),
    ):
        log.say(NOON, who, contact_started=pb.ContactStarted(channel=CHANNEL_VOICE))
        if who != "b":
            log.say(NOON, who, system_connected=pb.SystemConnected())
        log.say(NOON + Q, who, contact_ended=pb.ContactEnded(reason=reason))
    views = await folded(log)
    assert await counted(views, "event") == {
        ("", NOON, "voice//"): {"started": 3, "system_connected": 2, "ivr_entered": 2},
        ("", NOON + Q, "voice//"): {"ivr_contained": 2, "answered_by_system": 1, "blocked_unqueued": 1, "ended": 3},
    }


async def test_without_a_machine_the_start_counts_as_connected() -> None:
    """kpis.md: where SystemConnected is absent, as in chat, t_sys = t_arr."""
    log = People("contact")
    log.say(NOON, "c", contact_started=pb.ContactStarted(channel=CHANNEL_CHAT))
    log.say(NOON + Q, "c", contact_queued=pb.ContactQueued(**WHERE))
    found = await counted(await folded(log), "event")
    assert found["sales", NOON, "chat//"] == {"started": 1, "system_connected": 1}


async def test_a_transfer_starts_a_leg_of_its_own() -> None:
    """CA-1: figures split by leg."""
    log = People("contact")
    log.say(NOON, "c", contact_started=pb.ContactStarted(channel=CHANNEL_CHAT))
    log.say(NOON, "c", contact_queued=pb.ContactQueued(**WHERE))
    log.say(NOON + MIN, "c", agent_connected=pb.AgentConnected(**ANN))
    log.say(NOON + 3 * MIN, "c", contact_transferred=pb.ContactTransferred(**ANN, to_queue="care"))
    log.say(NOON + 3 * MIN, "c", agent_disconnected=pb.AgentDisconnected(**ANN))
    log.say(NOON + 3 * MIN, "c", contact_queued=pb.ContactQueued(leg=2, queue="care", pool="front"))
    bob = {"leg": 2, "queue": "care", "agent": "bob", "team": "t2"}
    log.say(NOON + 4 * MIN, "c", agent_connected=pb.AgentConnected(**bob))
    log.say(NOON + 9 * MIN, "c", contact_ended=pb.ContactEnded(reason=pb.END_REASON_CUSTOMER_ENDED))
    found = await counted(await folded(log), "cohort")
    one = {"connected": 1, "disconnected": 1}
    assert found["sales", NOON, "chat/ann/t1"] == one | {"transferred": 1, "talk_ms": 2 * MIN}
    assert found["care", NOON, "chat/bob/t2"] == one | {"talk_ms": 5 * MIN}
    assert found["care", NOON, "chat//"] == {"queued": 1}
    assert found["sales", NOON, "chat//"] == {"started": 1, "system_connected": 1, "queued": 1, "ended": 1}


async def test_replies_of_robots_are_no_answers_and_the_first_human_one_counts_from_the_hand_over() -> None:
    log = People("contact")
    log.say(NOON, "c", contact_started=pb.ContactStarted(channel=CHANNEL_CHAT))
    log.say(NOON, "c", message_received=pb.MessageReceived(sender=pb.SENDER_KIND_CUSTOMER))
    log.say(NOON + S, "c", message_sent=pb.MessageSent(sender=pb.SENDER_KIND_ROBOT, sender_id="bot"))
    log.say(NOON + 10 * S, "c", contact_queued=pb.ContactQueued(**WHERE))
    log.say(NOON + 20 * S, "c", agent_connected=pb.AgentConnected(**ANN))
    log.say(NOON + 25 * S, "c", message_sent=pb.MessageSent(**ANN, sender=pb.SENDER_KIND_AGENT))
    log.say(NOON + 26 * S, "c", message_sent=pb.MessageSent(**ANN, sender=pb.SENDER_KIND_AGENT))
    log.say(NOON + 40 * S, "c", message_received=pb.MessageReceived(**ANN, sender=pb.SENDER_KIND_CUSTOMER))
    log.say(NOON + 50 * S, "c", message_received=pb.MessageReceived(**ANN, sender=pb.SENDER_KIND_CUSTOMER))
    log.say(NOON + 58 * S, "c", message_sent=pb.MessageSent(**ANN, sender=pb.SENDER_KIND_AGENT))
    found = await counted(await folded(log), "cohort")
    assert found["sales", NOON, "chat/ann/t1"] == {
        "connected": 1, "first_responses": 1, "first_response_ms": 15 * S, "next_responses": 1,
        "next_response_ms": 18 * S,
    }  # fmt: skip


async def test_nothing_is_open_once_everybody_has_gone_and_every_trunk_is_free() -> None:
    """The share of contacts in ``durations_final``."""
    log = a_call()
    log.records, log.versions["contact-c1"] = log.records[:9], 9
    log.say(NOON + 22 * MIN, "c1", contact_ended=pb.ContactEnded(reason=pb.END_REASON_CUSTOMER_ENDED))
    assert (await counted(await folded(log), "cohort"))["sales", NOON, "voice//"]["open"] == 1
    log.say(NOON + 22 * MIN, "c1", trunk_released=pb.TrunkReleased(trunk="t", line="1"))
    assert await counted(await folded(log), "cohort") == await counted(await folded(a_call()), "cohort")


@pytest.mark.parametrize("size", [1, 4, 100])
async def test_a_crash_between_any_two_rows_loses_nothing_and_doubles_nothing(size: int) -> None:
    """Rule 27, for states and the counters made from them."""
    log = a_call()
    for record in list(log.records[3:6]):
        log.again(record)
    expected = {of: await counted(await folded(log), of) for of in ("cohort", "event")}
    whole = TearingViews(MemoryStore().views)
    await deliver(await opened(whole, log), log.records, size)
    for budget in range(whole.written + 1):
        store = MemoryStore()
        for crashing in (size, 3):
            try:
                await deliver(await opened(TearingViews(store.views, budget), log), log.records, crashing)
            except Crash:
                pass
        await deliver(await opened(store.views, log), log.records, 5)
        assert {of: await counted(store.views, of) for of in ("cohort", "event")} == expected, budget


async def test_a_contact_that_is_not_in_memory_any_more_is_read_when_something_comes() -> None:
    log, views = a_call(), MemoryStore().views
    folding = await opened(views, log)
    await deliver(folding, log.records[:6])
    folding.board.forget(0)
    assert not folding.board.states and not folding.board.counters.cells
    log.again(log.records[0])
    await deliver(folding, log.records, 2)
    assert await counted(views, "cohort") == await counted(await folded(a_call()), "cohort")


async def test_an_agents_day_has_what_the_agent_did_in_all_queues() -> None:
    views = await folded(a_call())
    (found,) = [day async for day in StoredRows(views, "s1", "g").days(TENANT, NOON - 12 * 3600 * S)]
    assert found.agent == "ann"
    assert found.quarters[NOON + Q]["t1"] == {"talk_ms": 4 * MIN, "hold_ms": MIN, "score_5_n": 1, "score_5_sum": 4}
