"""Routing facts by the million: contacts that wait, leave and are served, as fast as protobuf can write them.

What was made is told at the same time as plain numbers (``Plan``), so that millions can be counted again without
reading them back.
"""

from __future__ import annotations

import heapq
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any, NamedTuple

from contactcenter.contact.v1.types_pb2 import CHANNEL_VOICE
from contactcenter.routing.v1 import events_pb2 as pb

QUARTER_MS = 900_000
OUTCOMES = (
    *(pb.DEQUEUE_OUTCOME_ANSWERED, pb.DEQUEUE_OUTCOME_ABANDONED, pb.DEQUEUE_OUTCOME_FLOWED_OUT),
    *(pb.DEQUEUE_OUTCOME_TIMED_OUT, pb.DEQUEUE_OUTCOME_CALLBACK),
)
WEIGHTS = (80, 12, 4, 2, 2)
SERVED = -1
RENEWED = 20_000
"""A protobuf message keeps every text that was ever set in it: after so many facts the messages are made anew."""
_LAST = (("content-type", b"application/protobuf"),)


class Fact(NamedTuple):
    """Key and value of a record, when it was recorded (epoch milliseconds), and its CloudEvents headers."""

    key: bytes
    value: bytes
    at: int
    headers: list[tuple[str, bytes]]


@dataclass
class Plan:
    """Per contact its queue's number, t_enq, wait (ms) and outcome (its number in ``DequeueOutcome``)."""

    queue: array[int] = field(default_factory=lambda: array("i"))
    t_enq: array[int] = field(default_factory=lambda: array("q"))
    wait_ms: array[int] = field(default_factory=lambda: array("i"))
    outcome: array[int] = field(default_factory=lambda: array("b"))


@dataclass
class Bulk:
    """``contacts`` evenly from ``start`` to ``end``, over ``queues`` in ``pools``; with ``offers`` two facts more.

    Who was answered is served for some minutes by an agent, who has no wrap-up then.
    """

    tenant: str
    contacts: int
    queues: int
    start: int
    end: int
    pools: int = 4
    seed: int = 1
    offers: bool = True
    plan: Plan = field(default_factory=Plan)

    def facts(self) -> Iterator[Fact]:
        """In the order in which they are recorded, per pool with its quarter hours' finality."""
        writers = [_Writer(self.tenant, f"bulk{n}") for n in range(self.pools)]
        yield from (writer.defined(n, self.start) for n in range(self.queues) for writer in [writers[n % self.pools]])
        chance, step = Random(self.seed), (self.end - self.start) / max(1, self.contacts)
        due: list[_Due] = []
        quarter = self.start - self.start % QUARTER_MS
        for n in range(self.contacts):
            at = round(self.start + n * step)
            while due and due[0].at <= at:
                yield from self._happens(writers, due)
            while at >= quarter + QUARTER_MS + 20_000:
                quarter += QUARTER_MS
                yield from self._final(writers, quarter, at)
            queue = n * 7919 % self.queues
            outcome = chance.choices(OUTCOMES, WEIGHTS)[0]
            wait = round(chance.expovariate(1 / 18_000))
            self._note(queue, at, wait, outcome)
            yield writers[queue % self.pools].waits(n, queue, at)
            heapq.heappush(due, _Due(at + wait, n, queue, at, outcome))
        while due:
            yield from self._happens(writers, due)
        while quarter < self.end:
            quarter += QUARTER_MS
            yield from self._final(writers, quarter, self.end + 3_600_000)

    def _note(self, queue: int, at: int, wait: int, outcome: int) -> None:
        self.plan.queue.append(queue)
        self.plan.t_enq.append(at)
        self.plan.wait_ms.append(wait)
        self.plan.outcome.append(outcome)

    def _happens(self, writers: list[_Writer], due: list[_Due]) -> Iterator[Fact]:
        """The next that is due: it leaves, or its agent is done with it."""
        at, n, queue, queued_at, outcome = one = heapq.heappop(due)
        writer = writers[queue % self.pools]
        if outcome == SERVED:
            yield writer.served(n, at)
            return
        if outcome == pb.DEQUEUE_OUTCOME_ANSWERED:
            heapq.heappush(due, one._replace(at=at + 60_000 + n % 240 * 1000, outcome=SERVED))
            if self.offers:
                yield writer.offered(n, queue, at)
                yield writer.accepted(n, queue, at)
        yield writer.left(n, queue, queued_at, at, outcome)

    def _final(self, writers: list[_Writer], quarter: int, at: int) -> Iterator[Fact]:
        for queue in range(self.queues):
            yield writers[queue % self.pools].final(queue, quarter, at)


def _copy(event: pb.RoutingEvent) -> pb.RoutingEvent:
    fresh = pb.RoutingEvent()
    fresh.CopyFrom(event)
    return fresh


class _Due(NamedTuple):
    """What a contact does next: leave so, or, ``SERVED``, end with its agent."""

    at: int
    n: int
    queue: int
    queued_at: int
    outcome: int


class _Writer:
    """One pool's stream: messages made once, and only what differs set for each fact."""

    def __init__(self, tenant: str, pool: str) -> None:
        self.key, self._version = f"{tenant}/pool-{pool}".encode(), 0
        self._events: dict[str, Any] = {}
        self._headers: dict[str, list[tuple[str, bytes]]] = {}
        for name in (
            "queue_defined",
            "contact_waiting",
            "contact_offered",
            "offer_accepted",
            "contact_dequeued",
            "timer_elapsed",
            "agent_observed",
        ):
            event = self._events[name] = pb.RoutingEvent()
            event.meta.event_id, event.meta.tenant_id, event.meta.stream = "0" * 32, tenant, f"pool-{pool}"
            fact = getattr(event, name)
            fact.SetInParent()
            if hasattr(fact, "channel"):
                fact.channel = CHANNEL_VOICE
            if hasattr(fact, "leg"):
                fact.leg = 1
            self._headers[name] = _headers(event.meta, fact)

    def defined(self, queue: int, at: int) -> Fact:
        definition = self._events["queue_defined"].queue_defined.definition
        definition.queue, definition.open, definition.service_level_threshold_ms = f"queue-{queue}", True, 20_000
        return self._said("queue_defined", at)

    def waits(self, n: int, queue: int, at: int) -> Fact:
        fact = self._events["contact_waiting"].contact_waiting
        fact.contact, fact.queue = f"c{n}", f"queue-{queue}"
        _set(fact.queued_at, at)
        return self._said("contact_waiting", at)

    def offered(self, n: int, queue: int, at: int) -> Fact:
        return self._offer("contact_offered", n, queue, at)

    def accepted(self, n: int, queue: int, at: int) -> Fact:
        return self._offer("offer_accepted", n, queue, at)

    def _offer(self, name: str, n: int, queue: int, at: int) -> Fact:
        fact = getattr(self._events[name], name)
        fact.contact, fact.queue, fact.offer_id = f"c{n}", f"queue-{queue}", f"o{n}"
        fact.agent, fact.team = f"agent-{n % 50}", f"team-{n % 5}"
        return self._said(name, at)

    def left(self, n: int, queue: int, queued_at: int, at: int, outcome: int) -> Fact:
        fact = self._events["contact_dequeued"].contact_dequeued
        fact.contact, fact.queue, fact.outcome, fact.waited_ms = f"c{n}", f"queue-{queue}", outcome, at - queued_at
        answered = outcome == pb.DEQUEUE_OUTCOME_ANSWERED
        fact.agent, fact.team = (f"agent-{n % 50}", f"team-{n % 5}") if answered else ("", "")
        _set(fact.queued_at, queued_at)
        _set(fact.left_at, at)
        return self._said("contact_dequeued", at)

    def served(self, n: int, at: int) -> Fact:
        observed = self._events["agent_observed"].agent_observed.fact
        work = observed.work_ended
        work.agent, work.contact, work.leg = f"agent-{n % 50}", f"c{n}", 1
        _set(observed.meta.occurred_at, at)
        return self._said("agent_observed", at)

    def final(self, queue: int, quarter: int, at: int) -> Fact:
        fact = self._events["timer_elapsed"].timer_elapsed
        fact.kind, fact.queue, fact.threshold_ms = pb.TIMER_KIND_FINALITY, f"queue-{queue}", 20_000
        _set(fact.interval_end, quarter)
        return self._said("timer_elapsed", at)

    def _said(self, name: str, at: int) -> Fact:
        event = self._events[name]
        self._version += 1
        if self._version % RENEWED == 0:
            self._events = {kind: _copy(kept) for kind, kept in self._events.items()}
            event = self._events[name]
        event.meta.version = self._version
        _set(event.meta.occurred_at, at)
        _set(event.meta.recorded_at, at)
        headers = [*self._headers[name], ("ce_streamversion", str(self._version).encode()), *_LAST]
        return Fact(self.key, event.SerializeToString(), at, headers)


def _headers(meta: Any, fact: Any) -> list[tuple[str, bytes]]:
    """Those that stand before the version, as relays write them; the time is always the same."""
    said = {
        "ce_specversion": "1.0",
        "ce_id": meta.event_id,
        "ce_type": fact.DESCRIPTOR.full_name,
        "ce_dataschema": pb.RoutingEvent.DESCRIPTOR.full_name,
        "ce_source": "/switchlog/routing",
        "ce_subject": meta.stream,
        "ce_time": "2025-11-03T00:00:00.000Z",
        "ce_tenantid": meta.tenant_id,
    }
    return [(name, value.encode()) for name, value in said.items()]


def _set(stamp: Any, at: int) -> None:
    stamp.seconds, stamp.nanos = at // 1000, at % 1000 * 1_000_000
