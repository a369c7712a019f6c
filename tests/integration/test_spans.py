"""One connected story of spans, from the visitor's message to the end of the contact."""

from __future__ import annotations

from switchlog.telemetry import context_from
from switchlog.testing import eventually
from switchlog.testing.otlp import SeenSpan

from .centre import STORY
from .centre.centre import Centre
from .centre.log import Fact
from .centre.tenant import Tenant

pytestmark = STORY

Key = tuple[str, str]
# by service: what must have happened on the way, each in a span that can be reached from the visitor's message
ON_THE_WAY = {
    "ContactQueued",
    "ContactWaiting",
    "ContactOffered",
    "OfferAccepted",
    "ContactAssigned",
    "AgentConnected",
    "WorkStarted",
    "RecordingStarted",
    "ContactDequeued",
    "AgentDisconnected",
    "ContactEnded",
    "WorkEnded",
    "RecordingStored",
}


async def test_every_step_is_reached_from_the_visitors_message_by_parents_and_links(
    centre: Centre, tenant: Tenant
) -> None:
    """OB-1: the agent's client sends the offer's traceparent along; over Kafka spans are joined by links."""
    await tenant.queue()
    ann, visitor = await tenant.agent("ann", wrap_up_s=0), await tenant.visitor()
    await visitor.say("Is anybody there?")
    offer = await ann.offer(visitor.contact)
    ann.continues(offer["traceparent"])
    await ann.accepts(offer["offer_id"])
    await ann.contact_is(visitor.contact, "assigned")
    await visitor.status("connected")
    await ann.ends(visitor.contact)
    await tenant.fact("recording-", "RecordingStored")
    await ann.is_in("ready")
    facts = [fact for fact in await tenant.log.settled(tenant.id) if about(fact, visitor.contact)]
    assert {fact.name for fact in facts} >= ON_THE_WAY
    queued = next(fact for fact in facts if fact.name == "ContactQueued")

    def connected() -> bool:
        spans = {(span.trace_id, span.span_id): span for span in centre.otlp.spans}
        reached = reach(span_of(queued), spans)
        lost = {fact.name for fact in facts if span_of(fact) not in reached}
        assert not lost, f"not reached from the visitor's message: {sorted(lost)}"
        begun = {key[0] for key in reached if not spans[key].parent_id}
        rest = [span for key, span in spans.items() if key[0] in begun and key not in reached]
        assert not rest, f"spans of the same traces out of reach: {[(one.service, one.name) for one in rest]}"
        assert spans[span_of(queued)].name == "receive /v1/ws"
        services = {spans[key].service for key in reached}
        assert services >= {"ingress_chat", "routing", "agent_state", "recording", "ticketing", "customers"}, services
        return True

    await eventually(connected, within_s=15, every_s=0.5)


def reach(start: Key, spans: dict[Key, SeenSpan]) -> set[Key]:
    """``start`` and whatever hangs on it: children by parent, others by a link to what is reached."""
    reached, grown = {start}, True
    while grown:
        more = {
            key
            for key, span in spans.items()
            if key not in reached and ((key[0], span.parent_id) in reached or reached.intersection(span.links))
        }
        reached |= more
        grown = bool(more)
    return reached & spans.keys()


def span_of(fact: Fact) -> Key:
    """The span in which ``fact`` was caused."""
    context = context_from(fact.event.meta.traceparent)
    assert context is not None, f"{fact.name} carries no trace"
    return f"{context.trace_id:032x}", f"{context.span_id:016x}"


def about(fact: Fact, contact: str) -> bool:
    """Whether it tells of ``contact`` after its door: what came before the message is another story."""
    if fact.name in ("ContactStarted", "AgentObserved"):
        return False
    return fact.stream == f"contact-{contact}" or getattr(fact.data, "contact", "") == contact
