"""A pool's log for tests: facts as routing would publish them, on a partition with offsets of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from google.protobuf.timestamp_pb2 import Timestamp

from contactcenter.agent.v1 import events_pb2 as agent_pb
from contactcenter.contact.v1.types_pb2 import CHANNEL_CHAT, CHANNEL_VOICE
from contactcenter.routing.v1 import config_pb2, events_pb2

TENANT = "acme"
NOON = 1_763_985_600_000  # 2025-11-24T12:00:00Z, a quarter hour
S = 1000
CHANNELS = {"chat": CHANNEL_CHAT, "voice": CHANNEL_VOICE}


def stamp(at: int) -> Timestamp:
    made = Timestamp()
    made.FromMilliseconds(at)
    return made


class Rec(NamedTuple):
    """A ``Raw`` record."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]] = ()


@dataclass
class Log:
    """The streams of some pools, in one partition."""

    tenant: str = TENANT
    topic: str = "routing.events.v1"
    records: list[Rec] = field(default_factory=list)
    versions: dict[str, int] = field(default_factory=dict)

    def say(self, at: int, pool: str = "front", **fact: Any) -> Rec:
        stream = f"pool-{pool}"
        version = self.versions[stream] = self.versions.get(stream, 0) + 1
        event = events_pb2.RoutingEvent(**fact)
        event.meta.tenant_id, event.meta.stream, event.meta.version = self.tenant, stream, version
        event.meta.recorded_at.FromMilliseconds(at)
        return self.put(f"{self.tenant}/{stream}".encode(), event.SerializeToString(deterministic=True))

    def put(self, key: bytes | None, value: bytes | None) -> Rec:
        record = Rec(self.topic, 0, len(self.records), key, value)
        self.records.append(record)
        return record

    def again(self, record: Rec) -> None:
        """The same event once more, as a relay may send it."""
        self.put(record.key, record.value)

    # --- facts -------------------------------------------------------------------------------------------------------

    def defined(self, at: int, queue: str = "sales", **more: Any) -> Rec:
        return self.defined_in(at, queue, "front", **more)

    def defined_in(self, at: int, queue: str, pool: str, **more: Any) -> Rec:
        given = {"service_level_threshold_ms": 20_000} | more
        definition = config_pb2.QueueDefinition(queue=queue, **given)
        return self.say(at, pool, queue_defined=events_pb2.QueueDefined(definition=definition))

    def waits(
        self, at: int, contact: str, queue: str = "sales", channel: str = "chat", leg: int = 1, pool: str = "front"
    ) -> Rec:
        fact = events_pb2.ContactWaiting(
            leg=leg, queue=queue, contact=contact, channel=CHANNELS[channel], queued_at=stamp(at)
        )
        return self.say(at, pool, contact_waiting=fact)

    def leaves(
        self,
        at: int,
        contact: str,
        queued_at: int,
        outcome: str = "answered",
        *,
        queue: str = "sales",
        channel: str = "chat",
        leg: int = 1,
        accepted_at: int = 0,
        pool: str = "front",
        agent: str = "",
        team: str = "",
    ) -> Rec:
        fact = events_pb2.ContactDequeued(
            leg=leg,
            queue=queue,
            contact=contact,
            channel=CHANNELS[channel],
            outcome=events_pb2.DequeueOutcome.Value(f"DEQUEUE_OUTCOME_{outcome.upper()}"),
            queued_at=stamp(queued_at),
            left_at=stamp(at),
            waited_ms=at - queued_at,
            agent=agent,
            team=team,
        )
        if accepted_at:
            fact.accepted_at.FromMilliseconds(accepted_at)
        return self.say(at, pool, contact_dequeued=fact)

    def offers(
        self,
        at: int,
        contact: str,
        agent: str,
        offer_id: str,
        leg: int = 1,
        queue: str = "sales",
        pool: str = "front",
        channel: str = "chat",
    ) -> Rec:
        fact = events_pb2.ContactOffered(
            leg=leg, queue=queue, contact=contact, agent=agent, offer_id=offer_id, channel=CHANNELS[channel]
        )
        return self.say(at, pool, contact_offered=fact)

    def offer_ends(
        self, at: int, how: str, contact: str, agent: str, offer_id: str, leg: int = 1, pool: str = "front"
    ) -> Rec:
        kind = {
            "accepted": events_pb2.OfferAccepted,
            "declined": events_pb2.OfferDeclined,
            "expired": events_pb2.OfferExpired,
            "withdrawn": events_pb2.OfferWithdrawn,
        }[how]
        fact = kind(leg=leg, queue="sales", contact=contact, agent=agent, offer_id=offer_id)
        return self.say(at, pool, **{f"offer_{how}": fact})

    def final(self, at: int, interval_end: int, threshold_s: int = 20, queue: str = "sales") -> Rec:
        fact = events_pb2.TimerElapsed(
            kind=events_pb2.TIMER_KIND_FINALITY,
            queue=queue,
            interval_end=stamp(interval_end),
            threshold_ms=threshold_s * S,
        )
        return self.say(at, timer_elapsed=fact)

    def agent(self, at: int, pool: str = "front", **fact: Any) -> Rec:
        """What the pool saw of an agent's fact that happened at the very time."""
        event = agent_pb.AgentEvent(**fact)
        event.meta.occurred_at.FromMilliseconds(at)
        return self.say(at, pool, agent_observed=events_pb2.AgentObserved(fact=event))

    def joins(self, at: int, agent: str = "ann", state: int = agent_pb.AGENT_STATE_READY, **standing: Any) -> Rec:
        ready = state == agent_pb.AGENT_STATE_READY
        known = agent_pb.AgentStanding(state=state, takes_offers=ready, **standing)
        return self.agent(at, joined_pool=agent_pb.JoinedPool(agent=agent, pool="front", team="t1", standing=known))
