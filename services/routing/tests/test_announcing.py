"""Position and estimated wait, told to who waits and scored by how it came out (RT-7)."""

from __future__ import annotations

from routing.domain import observed as seen
from routing.domain.commands import StartDay
from routing.domain.events import ContactDequeued, ContactWaiting, Event
from routing.domain.replay import replay
from routing.domain.state import Board

from .scene import Scene, only_offer


def floor(**options: object) -> Scene:
    pool = Scene()
    pool.queue("q1", announce_wait=True, **options)
    return pool


def waiting(events: list[Event]) -> ContactWaiting:
    return next(event for event in events if isinstance(event, ContactWaiting))


def serve(pool: Scene, contact: str, agent: str, ms: int) -> None:
    """The agent talks for ``ms``; whoever is next is offered and accepts at once."""
    pool.later(ms)
    for offered in [event for event in pool.done(contact, agent) if hasattr(event, "offer_id")]:
        pool.accept(offered.offer_id, agent)
        pool.contact(seen.AgentConnected(offered.contact, 1, agent, pool.now))


def test_who_is_served_at_once_is_first_and_has_no_wait() -> None:
    pool = floor()
    pool.ready("a1")
    told = waiting(pool.queued("c1"))
    assert (told.position, told.estimated_wait_p50_ms, told.estimated_wait_p90_ms) == (1, 0, 0)


def test_who_waits_is_told_its_place_and_longer_waits_the_further_behind() -> None:
    pool = floor()
    pool.ready("a1")
    pool.served("c0")
    told = [waiting(pool.later(10).queued(f"c{n}")) for n in range(1, 5)]
    assert [one.position for one in told] == [1, 2, 3, 4]
    waits = [one.estimated_wait_p50_ms for one in told]
    assert waits == sorted(waits)
    assert 0 < waits[0] < told[0].estimated_wait_p90_ms


def test_the_more_urgent_is_told_a_place_before_the_others() -> None:
    """Under the policy in force, not by arrival."""
    pool = floor()
    pool.ready("a1")
    pool.served("c0")
    pool.queued("c1")
    pool.later(10).queued("c2")
    assert waiting(pool.later(10).queued("c3", priority=1)).position == 1


def test_with_nobody_signed_in_there_is_a_place_and_no_estimate() -> None:
    told = waiting(floor().queued("c1"))
    assert (told.position, told.estimated_wait_p50_ms) == (1, 0)


def test_a_queue_that_announces_nothing_says_nothing() -> None:
    pool = Scene()
    pool.queue("q1")
    pool.ready("a1")
    pool.served("c0")
    assert waiting(pool.queued("c1")).position == 0
    assert pool.board.learned == {}


def test_the_outcome_repeats_what_was_told_and_teaches() -> None:
    pool = floor()
    pool.ready("a1")
    pool.served("c0")
    told = waiting(pool.queued("c1"))
    pool.later(30_000)
    offered = only_offer(pool.done("c0", "a1"))
    pool.accept(offered.offer_id, "a1")
    events = pool.contact(seen.AgentConnected("c1", 1, "a1", pool.now))
    left = next(event for event in events if isinstance(event, ContactDequeued))
    assert left.estimated_wait_p50_ms == told.estimated_wait_p50_ms > 0
    learned = pool.board.learned["q1", 0]
    assert (learned.served, learned.service_ms, learned.told) == (1, 30_000, 1)


def test_it_is_carried_into_the_next_day() -> None:
    pool = floor()
    pool.ready("a1")
    pool.served("c0")
    for n in range(1, 6):
        pool.queued(f"c{n}", priority=n % 2)
    for n in ("c0", "c1", "c3", "c5"):
        serve(pool, n, "a1", 20_000)
    pool.tell(StartDay("2025-06-16", "carry", "Asia/Shanghai"))
    pool.queued("c9")
    assert set(pool.board.learned) == {("q1", 0), ("q1", 1)}
    assert replay(pool.log, Board("t1", "p1")) is None
