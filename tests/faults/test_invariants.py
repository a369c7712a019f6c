"""The invariants of a centre see what they are for; no server is needed."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from switchlog.envelope import Cause, StreamId, compose
from switchlog.store.memory import MemoryStore

from .invariants import (
    Found,
    acknowledged,
    agents_own,
    assignments,
    by_stream,
    contacts_end,
    next_decisions,
    offers_end,
    published,
    stored,
)
from .people import Book, Done
from .rules import Counted, codec


def fact(name: str, version: int, stream: str = "pool-front", at: int = 0, value: bytes = b"", **data: Any) -> Any:
    told = SimpleNamespace(**data)
    return SimpleNamespace(
        name=name, version=version, stream=stream, at_ms=at, value=value or name.encode(), headers={}, data=told
    )


def offered(version: int, offer: str, agent: str = "ann", expires: int = 8_000, at: int = 0) -> Any:
    until = SimpleNamespace(ToMilliseconds=lambda: expires)
    return fact("ContactOffered", version, at=at, offer_id=offer, agent=agent, contact=offer, expires_at=until)


def test_a_hole_on_a_topic_shows_and_a_repeat_does_not() -> None:
    """I1, P2."""
    found = Found()
    published(found, by_stream([fact("A", 1), fact("B", 2), fact("A", 1)]))
    assert not found.all() and found.repeats == 1
    published(found, by_stream([fact("A", 1), fact("C", 3)]))
    assert len(found.holes) == 1


def test_a_repeat_with_other_bytes_shows() -> None:
    """P5."""
    found = Found()
    published(found, by_stream([fact("A", 1), fact("A", 1, value=b"other")]))
    assert len(found.contradictions) == 1


async def test_what_is_stored_and_not_published_shows_and_the_other_way_round() -> None:
    """I5."""
    store, stream = MemoryStore(), StreamId("acme", "count-1")
    rows = compose(stream, 0, [(Cause(c, "", "t"), [Counted(c)]) for c in "ab"], codec("counts"), "batch", 1)
    await store.events.append(stream, 0, "batch", rows)
    first = fact("Counted", 1, "count-1", value=rows[0].value)
    second = fact("Counted", 2, "count-1", value=rows[1].value)
    for facts, lost, contradicted in (
        ([first, second], 0, 0),
        ([first], 1, 0),
        ([first, second, fact("Counted", 3, "count-1")], 0, 1),
    ):
        found = Found()
        assert await stored(found, "acme", store, by_stream(facts)) == 2
        assert (len(found.lost), len(found.contradictions)) == (lost, contradicted)


def test_what_was_acknowledged_and_is_nowhere_shows() -> None:
    """I2."""
    found, book = Found(), Book(contacts={"c1", "c2"}, said={"m1": "c1", "m2": "c1"})
    book.done.append(Done("end", "contact-c1", 9, 0, unknown=False))
    heard = [
        fact("ContactStarted", 1, "contact-c1"),
        fact("MessageReceived", 2, "contact-c1", message_id="m1"),
        fact("MessageReceived", 3, "contact-c1", message_id="m1"),
        fact("ContactStarted", 1, "contact-c3"),
    ]
    acknowledged(found, book, by_stream(heard))
    assert len(found.lost) == 3, found.lost  # the command, message m2, contact c2
    assert len(found.duplicates) == 2, found.duplicates  # message m1, contact c3


def test_an_unknown_outcome_was_settled_by_what_stood_before_or_by_the_retry() -> None:
    found, book = Found(), Book()
    book.done += [Done("end", "contact-c1", 1, 500, unknown=True), Done("end", "contact-c1", 2, 500, unknown=True)]
    acknowledged(found, book, by_stream([fact("A", 1, "contact-c1", at=400), fact("B", 2, "contact-c1", at=600)]))
    assert (found.stored_before, found.done_by_retry) == (1, 1)


def test_an_agent_with_more_than_fits_and_a_leg_assigned_twice_show() -> None:
    """I3."""
    assigned = {"contact": "c1", "leg": 1, "agent": "ann"}
    found = Found()
    assignments(found, [offered(1, "o1"), fact("ContactAssigned", 2, **assigned), offered(3, "o2")], slots=2)
    assert not found.all()
    assignments(found, [offered(1, "o1"), offered(2, "o2"), offered(3, "o3")], slots=2)
    assignments(found, [fact("ContactAssigned", 1, **assigned), fact("ContactAssigned", 2, **assigned)], slots=2)
    assert (len(found.contradictions), len(found.duplicates)) == (1, 1)


def test_a_contact_with_two_agents_at_once_shows() -> None:
    """I3."""
    found = Found()
    both = [fact("ContactAssigned", n, contact="c1", leg=n, agent=agent) for n, agent in ((1, "ann"), (2, "bob"))]
    assignments(found, both, slots=2)
    assert len(found.contradictions) == 1


def test_work_beyond_what_fits_shows_on_the_agents_own_stream() -> None:
    """I3."""
    began = [fact("WorkStarted", n, "agent-ann", contact=f"c{n}", leg=1) for n in (1, 2)]
    found = Found()
    agents_own(found, {"agent-ann": began}, slots=2)
    assert not found.all()
    agents_own(found, {"agent-ann": began}, slots=1)
    assert len(found.contradictions) == 1


@pytest.mark.parametrize(
    "ended_at,outages,takeover,late",
    [(9_000, [], None, False), (10_500, [], None, True), (10_500, [(1_000, 3_000)], None, False),
     (30_000, [], 29_000, False), (32_000, [], 29_000, True), (None, [], None, True)],
)  # fmt: skip
def test_an_offer_ends_in_time_unless_an_outage_or_a_takeover_moved_that(
    ended_at: int | None, outages: list[tuple[int, int]], takeover: int | None, late: bool
) -> None:
    """I4."""
    pool = [offered(1, "o1")]
    pool += [fact("PoolTaken", 2, at=takeover)] if takeover else []
    pool += [fact("OfferExpired", 3, at=ended_at, offer_id="o1")] if ended_at else []
    found = Found()
    offers_end(found, pool, outages)
    assert bool(found.contradictions) == late


def test_a_contact_that_was_queued_and_has_no_end_shows() -> None:
    found = Found()
    contacts_end(found, {"contact-c1": [fact("ContactQueued", 1, "contact-c1")], "contact-c2": [fact("Started", 1)]})
    assert len(found.lost) == 1


def test_the_next_decision_is_the_first_of_the_next_owner() -> None:
    pool = [
        fact("PoolTaken", 1, at=0),
        fact("ContactOffered", 2, at=900),
        fact("PoolTaken", 3, at=5_000),
        fact("OfferExpired", 4, at=5_500),
        fact("ContactOffered", 5, at=6_000),
    ]
    assert next_decisions(pool, [1_000, 7_000]) == [5.0, float("inf")]
