"""A seeded day of another switch, as the feed writes it: calls, agents' states, planned shifts, costs."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from zlib import crc32

from contactcenter.contact.v1.types_pb2 import CHANNEL_CHAT, CHANNEL_VOICE
from contactcenter.external.v1 import events_pb2 as pb
from contactcenter.routing.v1.events_pb2 import DEQUEUE_OUTCOME_CALLBACK, DEQUEUE_OUTCOME_TIMED_OUT

from .streams import Published, Streams
from .world import MINUTE, S, stamp

SOURCE, PARTS = "pbx", 16
BEGAN = 1_762_300_800_000  # 2025-11-05T00:00:00Z
HOUR = 60 * MINUTE
QUEUES = ("orders", "service")
OUTCOMES = {"timed_out": DEQUEUE_OUTCOME_TIMED_OUT, "callback": DEQUEUE_OUTCOME_CALLBACK}


class Feed:
    """Lines with ids of their own, collected by time."""

    def __init__(self) -> None:
        self.lines: list[tuple[int, pb.CallFactFed]] = []

    def say(self, at: int, fact: str, **more: object) -> None:
        number = pb.FedFact.Value(f"FED_FACT_{fact.upper()}")
        line = f"l{len(self.lines)}"
        self.lines.append((at, pb.CallFactFed(source=SOURCE, line_id=line, fact=number, at=stamp(at), **more)))


def made(
    tenant: str = "seeded-fed", seed: int = 3, hours: int = 6, calls: int = 300, whole: bool = True
) -> Sequence[Published]:
    """A feed in the order in which it was given: mostly by time, some lines late. ``whole``: its end is told too.

    It is given in two parts an hour apart, each with all lines of its contacts.
    """
    chance, feed = Random(seed), Feed()
    for n in range(8):
        _shift(feed, chance, f"fed-{n + 1}", f"crew-{1 + n % 2}", hours)
    for n in range(calls):
        _call(feed, chance, f"x{n}", BEGAN + round(chance.random() * hours * HOUR))
    streams = Streams(tenant)
    for part in range(PARTS):
        streams.say(_stream(part), pb.FeedOpened(source=SOURCE, any_order=True), BEGAN, BEGAN)
    began = {line.contact: at for at, line in reversed(feed.lines)}
    half, given_at = BEGAN + hours * HOUR // 2, BEGAN + 24 * HOUR
    given = sorted(
        (began[line.contact] > half if line.contact else at > half, at + chance.randrange(10 * MINUTE), n)
        for n, (at, line) in enumerate(feed.lines)
    )
    for second, _, n in given:
        at, line = feed.lines[n]
        part = crc32((line.contact or line.agent or line.line_id).encode()) % PARTS
        streams.say(_stream(part), line, at, given_at + HOUR * second)
    for part in range(PARTS if whole else 0):
        ended = pb.FeedEnded(source=SOURCE, accepted=len(given))
        streams.say(_stream(part), ended, given_at + HOUR, given_at + HOUR)
    return streams.said


def _stream(part: int) -> str:
    return f"feed-{SOURCE}-{part}"


def _shift(feed: Feed, chance: Random, agent: str, team: str, hours: int) -> None:
    """Planned from the second hour on, or over a midnight; some come late, one in four not at all."""
    who = {"agent": agent, "team": team}
    begin, end = BEGAN + (-HOUR // 2 if agent.endswith("7") else HOUR), BEGAN + (hours + 2) * HOUR
    feed.say(BEGAN, "shift_planned", **who, planned_from=stamp(begin), planned_to=stamp(end))
    if agent.endswith(("4", "8")):
        return
    at = BEGAN + chance.randrange(30 * MINUTE)
    feed.say(at, "agent_signed_in", **who)
    feed.say(at + 5 * S, "agent_checked_in", **who)
    at += 9 * S
    while at < end - HOUR:
        feed.say(at, "agent_ready", **who)
        at += chance.randrange(20 * MINUTE, 90 * MINUTE)
        feed.say(at, "agent_not_ready", **who, reason=chance.choice(("break", "training")))
        at += chance.randrange(MINUTE, 12 * MINUTE)
    feed.say(at, "agent_checked_out", **who)
    feed.say(at + 3 * S, "agent_signed_out", **who)


def _call(feed: Feed, chance: Random, name: str, at: int) -> None:
    """Through a trunk and a queue to an agent, or not; some go on to the other queue."""
    channel = CHANNEL_CHAT if chance.random() < 0.2 else CHANNEL_VOICE
    of = {"contact": name}
    feed.say(at, "contact_started", **of, channel=channel)
    feed.say(at + 1, "trunk_seized", **of)
    if chance.random() < 0.05:
        at += 20 * S
        feed.say(at, "contact_ended", **of, reason=chance.choice(("self_served", "blocked", "")))
        return
    at += chance.randrange(2 * S, 20 * S)
    queue = chance.choice(QUEUES)
    feed.say(at, "contact_queued", **of, queue=queue)
    if chance.random() < 0.15:  # on to the other one
        at += chance.randrange(5 * S, 60 * S)
        feed.say(at, "contact_flowed_out", **of, queue=queue)
        queue = QUEUES[1 - QUEUES.index(queue)]
        feed.say(at + 7, "contact_queued", **of, queue=queue)
    at = _waits(feed, chance, of, queue, at + 10)
    if at:
        feed.say(at, "trunk_released", **of)
        feed.say(at + 3, "contact_ended", **of)
    if chance.random() < 0.3:
        feed.say(at or BEGAN, "cost_booked", **of, amount_micros=chance.randrange(1, 9_000_000), currency="CNY")


def _waits(feed: Feed, chance: Random, of: dict[str, str], queue: str, at: int) -> int:
    """When the call is over; 0: it waits still."""
    who = {"agent": f"fed-{chance.choice((1, 2, 3, 5, 6, 7))}"}
    who["team"] = f"crew-{1 + (int(who['agent'][-1]) - 1) % 2}"
    left = at + chance.randrange(S, 90 * S)
    fate = chance.random()
    if fate < 0.01:
        return 0
    if fate < 0.3:
        feed.say(left, "contact_abandoned", **of, queue=queue)
        return left + 5
    if fate < 0.35:
        feed.say(left, "contact_dequeued", **of, queue=queue, outcome=chance.choice(list(OUTCOMES.values())))
        return left + 5
    if chance.random() < 0.3:
        feed.say(at + (left - at) // 3, "contact_offered", **of, queue=queue, agent="fed-3", team="crew-1")
        word = chance.choice(("offer_expired", "offer_declined", ""))
        if word:
            feed.say(at + (left - at) // 2, word, **of, queue=queue, agent="fed-3", team="crew-1")
    feed.say(left - 2, "contact_offered", **of, queue=queue, **who)
    feed.say(left, "contact_answered", **of, queue=queue, **who)
    return _talks(feed, chance, of | who, left)


def _talks(feed: Feed, chance: Random, of: dict[str, str], at: int) -> int:
    talk = chance.randrange(20 * S, 6 * MINUTE)
    if chance.random() < 0.2:
        feed.say(at + talk // 4, "contact_held", **of)
        feed.say(at + talk // 2, "contact_resumed", **of)
    if chance.random() < 0.1:
        feed.say(at + talk - 9, "contact_transferred", **of, to_queue="elsewhere")
    end = at + talk
    feed.say(end, "agent_disconnected", **of)
    if chance.random() < 0.7:
        feed.say(end + 1, "wrap_up_started", **of)
        feed.say(end + chance.randrange(2 * S, 90 * S), "wrap_up_ended", **of)
    if chance.random() < 0.3:
        feed.say(end + 4 * S, "survey_answered", contact=of["contact"], score=chance.randrange(1, 6))
    return end + 6 * S
