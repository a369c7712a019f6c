"""Contacts, agents and tickets in any batches, repeated, with gaps to heal and crashes anywhere: as in one pass."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.domain.ledger import between
from analytics.domain.levels import DAY_MS
from analytics.projections.rows import StoredRows
from contactcenter.agent.v1 import events_pb2 as agent
from contactcenter.contact.v1 import events_pb2 as contact
from contactcenter.ticket.v1 import events_pb2 as ticket
from switchlog.store.memory import MemoryStore

from .folds import Crash, TearingViews, deliver
from .people import People, counted, days, opened
from .scene import NOON, TENANT, S

DAYS = (NOON - DAY_MS // 2, NOON + DAY_MS // 2, NOON + DAY_MS // 2 + DAY_MS)

WHO = st.sampled_from(["a", "b"])
AFTER = st.integers(0, 3_000 * S)
LEG = st.integers(1, 2)
CONTACT = st.sampled_from(
    [
        "contact_started", "system_connected", "contact_queued", "agent_connected", "contact_held", "contact_resumed",
        "agent_disconnected", "contact_transferred", "message_received", "message_sent", "survey_answered",
        "trunk_seized", "trunk_released", "contact_ended",
    ]
)  # fmt: skip
AGENT = st.sampled_from(
    [
        "agent_signed_in", "agent_checked_in", "agent_ready", "agent_not_ready", "agent_checked_out",
        "agent_signed_out", "work_started", "work_ended", "wrap_up_started", "wrap_up_ended", "capacity_set",
    ]
)  # fmt: skip
TICKET = st.sampled_from(
    ["ticket_opened", "ticket_commented", "ticket_resolved", "ticket_reopened", "complaint_marked"]
)
told = st.one_of(
    st.tuples(st.just("contact"), st.lists(st.tuples(CONTACT, WHO, AFTER, LEG), max_size=25)),
    st.tuples(st.just("agent"), st.lists(st.tuples(AGENT, WHO, AFTER, LEG), max_size=25)),
    st.tuples(st.just("ticket"), st.lists(st.tuples(TICKET, WHO, AFTER, LEG), max_size=25)),
)


def log_of(kind: str, acts: list, repeats: list[int]) -> People:
    log, at = People(kind), NOON
    for what, who, after, leg in acts:
        at += after
        log.say(at, who, **{what: fact_of(kind, what, leg)})
    for n in repeats:
        if log.records:
            log.again(log.records[n % len(log.records)])
    return log


def fact_of(kind: str, what: str, leg: int):
    queue = ("sales", "care")[leg - 1]
    made = getattr(
        {"contact": contact, "agent": agent, "ticket": ticket}[kind], "".join(map(str.title, what.split("_")))
    )()
    for name, value in {"leg": leg, "queue": queue, "agent": "ann", "team": f"t{leg}", "contact": "c"}.items():
        if name in made.DESCRIPTOR.fields_by_name:
            setattr(made, name, value)
    if what == "message_sent":
        made.sender = contact.SENDER_KIND_AGENT
    if what == "ticket_commented":
        made.visibility, made.author = ticket.COMMENT_VISIBILITY_PUBLIC, ("", "bob")[leg - 1]
    if what == "capacity_set":
        made.capacities.add(channel=2, slots=leg)
    return made


async def stored(views) -> dict:
    cells = {of: await counted(views, of) for of in ("cohort", "event")}
    return cells | {"days": await days(views, DAYS)}


@settings(deadline=None, max_examples=200)
@given(
    told,
    st.lists(st.integers(0, 100), max_size=5),
    st.sets(st.integers(1, 24), max_size=3),
    st.lists(st.tuples(st.integers(0, 30), st.integers(1, 9)), max_size=3),
    st.integers(1, 12),
    st.sampled_from([2, 1000]),
)
def test_live_equals_one_pass(story, repeats, lost, crashes, size, at_once) -> None:
    """Rule 27: ``lost`` records are healed from the owner when a later one shows the gap; ``crashes`` are (rows written
    before it, batch size)."""
    kind, acts = story
    log, whole = log_of(kind, acts, repeats), log_of(kind, acts, [])

    async def both() -> tuple[dict, dict]:
        expected = MemoryStore()
        await deliver(await opened(expected.views, whole), whole.records)
        last = {record.key: record.offset for record in whole.records}  # after it only repeats come: they show no gap
        records = [r for r in log.records if r.offset not in lost or r.offset >= last[r.key] or first(log, r)]
        store = MemoryStore()
        with patch("analytics.app.folding.AT_ONCE", at_once):
            for budget, crashing in crashes:
                try:
                    await deliver(await opened(TearingViews(store.views, budget), log), records, crashing)
                except Crash:
                    pass
            await deliver(await opened(store.views, log), records, size)
        return await stored(store.views), await stored(expected.views)

    live, once = asyncio.run(both())
    assert live == once


async def test_what_changed_of_contacts_is_to_be_told_once_it_is_stored() -> None:
    """Not before: who publishes in the middle of a batch reads the old rows and would take the change for told."""
    acts = [("contact_started", "a", 0, 1), ("contact_queued", "a", S, 1), ("agent_connected", "a", S, 1)]
    log, noted = log_of("contact", acts, []), []

    class Watched(TearingViews):
        async def put(self, view: str, *row) -> None:
            noted.append(set(folding.changed) | set(folding.changed_days))
            await super().put(view, *row)

    folding = await opened(Watched(MemoryStore().views), log)
    await deliver(folding, log.records)
    assert noted and not any(noted)
    assert {queue for _, queue, _, _ in folding.changed} == {"sales", ""}


def first(log: People, record) -> bool:
    """A stream begins at whatever comes first: that one is not lost here."""
    return record.offset == min(other.offset for other in log.records if other.key == record.key)


@settings(deadline=None, max_examples=150)
@given(st.lists(st.tuples(AGENT, st.just("a"), AFTER, LEG), max_size=40))
def test_the_spans_of_a_ledger_follow_each_other_and_are_all_of_the_time_signed_in(acts) -> None:
    """AG-6: to the millisecond, whatever happens, and the sums by quarter hour are the same time."""
    log = log_of("agent", acts, [])

    async def found() -> tuple[list, dict]:
        store = MemoryStore()
        await deliver(await opened(store.views, log), log.records, 7)
        rows = StoredRows(store.views, "s1", "g")
        parts = await rows.days_of(TENANT, "a", DAYS[0], DAYS[-1] + DAY_MS)
        return between((span for _, day in parts for span in day.spans), 0, 1 << 45), await days(store.views, DAYS)

    spans, sums = asyncio.run(found())
    assert all(one[1] <= other[0] for one, other in pairwise(spans))
    signed_in = signed_in_by_hand(acts)
    assert sum(end - begin for begin, end, *_ in spans) == signed_in
    total = sum(one.get("signed_in_ms", 0) for key, one in sums.items() if len(key) > 1)
    assert total == signed_in


def signed_in_by_hand(acts: list) -> int:
    """Of all but the span that still goes on: the time up to the last change of where the agent stands."""
    spans, state, at, since = 0, standing_by_hand({}), NOON, NOON
    known: dict = {}
    for what, _, after, leg in acts:
        at += after
        known = known_after(known, what, leg)
        after_it = standing_by_hand(known)
        if after_it != state:
            spans += (at - since) if state[0] != "out" else 0
            state, since = after_it, at
    return spans


def known_after(known: dict, what: str, leg: int) -> dict:
    mode = known.get("mode", False) or what == "agent_checked_in"
    presence = {"agent_signed_in": "in", "agent_checked_out": "in", "agent_signed_out": "out"}.get(what)
    if presence or what in ("agent_checked_in", "agent_ready", "agent_not_ready"):
        known = known | {"presence": presence or "checked in", "ready": what == "agent_ready"}
    works = dict(known.get("works", {}))
    if what == "work_started":
        works.setdefault(leg, False)
    elif what == "wrap_up_started":
        works[leg] = True
    elif what in ("work_ended", "wrap_up_ended"):
        works.pop(leg, None)
    slots = leg if what == "capacity_set" else known.get("slots", 0)
    return known | {"works": works, "team": leg, "slots": slots, "mode": mode}


def standing_by_hand(known: dict) -> tuple:
    presence, works = known.get("presence", "out"), known.get("works", {})
    if presence != "checked in":
        state = presence
    elif works:
        state = "wrap-up" if all(works.values()) else "busy"
    else:
        state = "ready" if known.get("ready") else "not ready"
    here = presence == "checked in"
    return state, here and known.get("mode"), known.get("team"), known.get("slots", 0)
