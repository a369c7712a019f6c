"""I1 to I5 of a whole contact centre, from its topics and its stores alone (trust, Invariants)."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from switchlog.store import Store

from .people import Book

ENDS = {"OfferAccepted", "OfferDeclined", "OfferExpired", "OfferWithdrawn"}
DECISIONS = {"ContactWaiting", "ContactOffered", "ContactAssigned"}
GRACE_MS = 2_000


@dataclass
class Found:
    """What is wrong, by kind, and what is worth knowing."""

    lost: list[str] = field(default_factory=list)
    duplicates: list[str] = field(default_factory=list)
    holes: list[str] = field(default_factory=list)
    contradictions: list[str] = field(default_factory=list)
    repeats: int = 0
    stored_before: int = 0
    done_by_retry: int = 0

    def all(self) -> list[str]:
        return [*self.lost, *self.duplicates, *self.holes, *self.contradictions]


def by_stream(facts: Iterable[Any]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = defaultdict(list)
    for fact in facts:
        found[fact.stream].append(fact)
    return found


def first_occurrences(facts: Sequence[Any]) -> list[Any]:
    return list({fact.version: fact for fact in reversed(facts)}.values())[::-1]


def published(found: Found, streams: dict[str, list[Any]]) -> None:
    """I1, P1, P2, P5: versions 1, 2, 3 ... in the order of their first occurrence; repeats are the same bytes."""
    for stream, facts in streams.items():
        known: dict[int, Any] = {}
        for fact in facts:
            known.setdefault(fact.version, fact)
            if known[fact.version].value != fact.value or known[fact.version].headers != fact.headers:
                found.contradictions.append(f"{stream} v{fact.version} was published twice, with other bytes")
        if list(known) != list(range(1, len(known) + 1)):
            found.holes.append(f"{stream}: first occurrences are {list(known)[:20]} ...")
        found.repeats += len(facts) - len(known)


async def stored(
    found: Found, tenant: str, store: Store, streams: dict[str, list[Any]], older_than: int | None = None
) -> int:
    """I5: what is stored (and recorded before, epoch ms) is what is published; returns the number of events."""
    events = 0
    for stream in await store.events.streams(tenant, limit=100_000):
        rows = await store.events.read(stream)
        events += len(rows)
        on_topic = {fact.version: fact.value for fact in streams.get(stream.name, ())}
        if [row.version for row in rows] != list(range(1, len(rows) + 1)):
            found.holes.append(f"{stream.name}: stored versions are not 1 to {len(rows)}")
        due = [row for row in rows if older_than is None or row.recorded_at < older_than]
        if missing := [row.version for row in due if row.version not in on_topic]:
            found.lost.append(f"{stream.name}: {missing[:10]} are stored and not published")
        if [row.version for row in rows if on_topic.get(row.version, row.value) != row.value]:
            found.contradictions.append(f"{stream.name}: other bytes published than stored")
        if beyond := set(on_topic) - {row.version for row in rows}:
            found.contradictions.append(f"{stream.name}: {sorted(beyond)[:10]} are published and not stored")
    return events


def acknowledged(found: Found, book: Book, streams: dict[str, list[Any]]) -> None:
    """I2: what was answered stands where it was answered, and everything was done once."""
    at = {(stream, fact.version): fact for stream, facts in streams.items() for fact in facts}
    for done in book.done:
        fact = at.get((done.stream, done.version))
        if fact is None:
            found.lost.append(f"{done.what} was answered {done.stream} v{done.version}, which is nowhere")
        elif done.unknown:
            found.stored_before += fact.at_ms < done.asked_at
            found.done_by_retry += fact.at_ms >= done.asked_at
    firsts = [fact for facts in streams.values() for fact in first_occurrences(facts)]
    messages = Counter(
        (fact.data.message_id, fact.stream) for fact in firsts if fact.name in ("MessageReceived", "MessageSent")
    )
    found.duplicates += [f"message {id} stands {n} times" for (id, _), n in messages.items() if n > 1]
    found.lost += [
        f"message {id} was acknowledged and is nowhere"
        for id, contact in book.said.items()
        if (id, f"contact-{contact}") not in messages
    ]
    begun = {fact.stream.removeprefix("contact-") for fact in firsts if fact.name == "ContactStarted"}
    found.lost += [f"contact-{contact} never began" for contact in book.contacts - begun]
    found.duplicates += [f"contact-{contact} began for nobody" for contact in begun - book.contacts]


def assignments(found: Found, pool: Sequence[Any], slots: int) -> None:
    """I3: a leg is assigned once, a contact is with one agent at a time, an agent has what fits.

    For a load without transfers: a contact counts as with its agent until the work after it is over.
    """
    legs: set[tuple[str, int]] = set()
    active: dict[str, str] = {}
    load: Counter[str] = Counter()
    for fact in pool:
        data = fact.data
        match fact.name:
            case "ContactOffered":
                load[data.agent] += 1
                if load[data.agent] > slots:
                    found.contradictions.append(f"{data.agent} had {load[data.agent]} of {slots} at v{fact.version}")
            case "OfferDeclined" | "OfferExpired" | "OfferWithdrawn" | "CapacityReleased":
                load[data.agent] -= 1
                if fact.name == "CapacityReleased" and active.get(data.contact) == data.agent:
                    del active[data.contact]
            case "ContactAssigned":
                if (data.contact, data.leg) in legs:
                    found.duplicates.append(f"{data.contact} leg {data.leg} was assigned twice")
                if data.contact in active and active[data.contact] != data.agent:
                    found.contradictions.append(f"{data.contact} is with {active[data.contact]} and {data.agent}")
                legs.add((data.contact, data.leg))
                active[data.contact] = data.agent


def agents_own(found: Found, streams: dict[str, list[Any]], slots: int) -> None:
    """I3 from the agents' own streams: work that began and is not over never exceeds what fits."""
    for stream, facts in streams.items():
        held: set[tuple[str, int]] = set()
        for fact in first_occurrences(facts) if stream.startswith("agent-") else ():
            leg = (fact.data.contact, fact.data.leg) if hasattr(fact.data, "contact") else ("", 0)
            if fact.name == "WorkStarted":
                held.add(leg)
            elif fact.name == "WrapUpEnded" or (fact.name == "WorkEnded" and not fact.data.wrap_up_follows):
                held.discard(leg)
            if len(held) > slots:
                found.contradictions.append(f"{stream} worked on {len(held)} of {slots} at v{fact.version}")


def offers_end(found: Found, pool: Sequence[Any], outages: Sequence[tuple[int, int]] = ()) -> None:
    """I4: each offer ends within its time and 2 s; an outage (epoch ms, from and to) and a takeover move that."""
    ended = {fact.data.offer_id: fact for fact in pool if fact.name in ENDS}
    takeovers = [fact.at_ms for fact in pool if fact.name == "PoolTaken"]
    for fact in pool:
        if fact.name != "ContactOffered":
            continue
        end = ended.get(fact.data.offer_id)
        if end is None:
            found.contradictions.append(f"offer {fact.data.offer_id} of {fact.data.contact} never ended")
            continue
        until = fact.data.expires_at.ToMilliseconds()
        until += sum(to - since for since, to in outages if since < until and to > fact.at_ms)
        allowed = max([until, *(at for at in takeovers if fact.at_ms < at <= end.at_ms)]) + GRACE_MS
        if end.at_ms > allowed:
            found.contradictions.append(f"offer {fact.data.offer_id} ended {(end.at_ms - until) / 1000:.1f} s late")


def contacts_end(found: Found, streams: dict[str, list[Any]]) -> None:
    """Nothing is stuck: who was queued has been answered or has left, and it is over."""
    for stream, facts in streams.items():
        names = Counter(fact.name for fact in first_occurrences(facts))
        if names["ContactQueued"] and names["ContactEnded"] != 1:
            found.lost.append(f"{stream} has {names['ContactEnded']} ends: {dict(names)}")
        if names["AgentConnected"] > names["ContactQueued"]:
            found.duplicates.append(f"{stream}: connected more often than queued")


def next_decisions(pool: Sequence[Any], killed_at: Iterable[int]) -> list[float]:
    """Seconds from each kill of the owner (epoch ms) to the first decision of the next one."""
    taken = [fact for fact in pool if fact.name == "PoolTaken"]
    found = []
    for at in killed_at:
        after = next((fact for fact in taken if fact.at_ms >= at), None)
        made = [fact for fact in pool if after and fact.version > after.version and fact.name in DECISIONS]
        found.append((made[0].at_ms - at) / 1000 if made else float("inf"))
    return found
