"""Counts what the topics say: the demo's figures come from the facts themselves, as any subscriber would see them."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from contactcenter.contact.v1.events_pb2 import ContactEvent
from contactcenter.routing.v1.events_pb2 import DequeueOutcome, RoutingEvent
from switchlog.bus.record import Raw
from switchlog.bus.tail import Tail

from .plan import TENANT

CONTACTS, ROUTING = "contact.events.v1", "routing.events.v1"

OURS = f"{TENANT}/".encode()

Leg = tuple[str, int]  # contact id, leg


@dataclass
class Counts:
    """Facts of the demo's tenant since the start; instants in epoch ms as recorded, of each leg's first offer only."""

    facts: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    queued_at: dict[Leg, int] = field(default_factory=dict)
    offered_at: dict[Leg, int] = field(default_factory=dict)
    offers: dict[str, Leg] = field(default_factory=dict)

    @property
    def queued_to_offered_ms(self) -> list[int]:
        """How long each leg waited for its first offer; the two topics may arrive in any order."""
        return [at - self.queued_at[leg] for leg, at in self.offered_at.items() if leg in self.queued_at]

    def seen_after_ms(self, offer_id: str, arrived_ms: int) -> int | None:
        """From queued to the agent's screen, for a first offer that arrived there at ``arrived_ms``."""
        queued = self.queued_at.get(self.offers[offer_id]) if offer_id in self.offers else None
        return None if queued is None else arrived_ms - queued

    def take(self, raw: Raw) -> None:
        """One record of either topic."""
        if not (raw.key or b"").startswith(OURS):
            return  # others' centres may be on the same topics
        if raw.topic == CONTACTS:
            self._contact(ContactEvent.FromString(raw.value or b""))
        else:
            self._routing(RoutingEvent.FromString(raw.value or b""))

    def _contact(self, event: ContactEvent) -> None:
        fact = event.WhichOneof("fact") or ""
        self.facts[fact] += 1
        if fact == "contact_queued":
            leg = (event.meta.stream.removeprefix("contact-"), event.contact_queued.leg)
            self.queued_at[leg] = event.meta.recorded_at.ToMilliseconds()

    def _routing(self, event: RoutingEvent) -> None:
        fact = event.WhichOneof("fact") or ""
        self.facts[fact] += 1
        if fact == "contact_offered" and event.contact_offered.attempt <= 1:
            offered = event.contact_offered
            self.offers[offered.offer_id] = leg = (offered.contact, offered.leg)
            self.offered_at[leg] = event.meta.recorded_at.ToMilliseconds()
        elif fact == "contact_dequeued":
            name = DequeueOutcome.Name(event.contact_dequeued.outcome)
            self.outcomes[name.removeprefix("DEQUEUE_OUTCOME_").lower()] += 1


def observer(bootstrap: str, counts: Counts) -> Tail:
    """Reads both topics from now on."""
    return Tail(bootstrap, [CONTACTS, ROUTING], counts.take)


def percentiles(values: list[int]) -> Mapping[str, int | None]:
    """p50 and p99 by nearest rank; ``None`` when there is nothing."""
    ordered = sorted(values)
    if not ordered:
        return {"p50": None, "p99": None}
    return {name: ordered[min(len(ordered) - 1, int(len(ordered) * q))] for name, q in (("p50", 0.5), ("p99", 0.99))}
