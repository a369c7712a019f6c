"""What people do in a day enacted again: as recorded where it was, else drawn from what was recorded of others.

Every draw has a generator of its own, made of the seed and of whom it is about: what changes for one contact does not
change the luck of another, so days under different rules are compared like with like.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from random import Random
from statistics import median_low

from ...domain import observed as seen
from ...domain.commands import AcceptOffer, DeclineOffer, Input
from ...domain.events import AgentObserved, ContactObserved
from .patience import Patience, kaplan_meier
from .recorded import LATE, After, Leg, Recorded, Reply

AT_ONCE = Reply("accept", "", 0)
Kind = tuple[str, str]
"""(queue, channel); an empty word stands for all."""


class Unserved(Exception):
    """Nobody was served that day, so there is no service to draw."""


class Statistics:
    """What a day tells of people in general; made once, shared by all seeds."""

    def __init__(self, day: Recorded) -> None:
        self.day = day
        self._served: dict[Kind, list[Leg]] = defaultdict(list)
        self._replies: dict[str, list[Reply]] = defaultdict(list)
        waits: dict[Kind, list[tuple[int, bool]]] = defaultdict(list)
        for leg in day.legs.values():
            for kind in _kinds(leg):
                waits[kind].append((self.waited(leg), leg.left))
                if leg.connect is not None and leg.complete:
                    self._served[kind].append(leg)
        for reply in day.replies.values():
            if reply.kind != "open":
                self._replies[reply.agent].append(reply)
                self._replies[""].append(reply)
        self._patience = {kind: kaplan_meier(found) for kind, found in waits.items()}
        self.backs = [story for story in day.misses.values() if len(story) > 1]
        moves = [leg.moved[0].after_ms for leg in day.legs.values() if leg.moved]
        self.moves_after = median_low(moves) if moves else 0

    def waited(self, leg: Leg) -> int:
        """Until it left the queue, or so far; never negative."""
        return max(0, (leg.left_at if leg.left_at >= 0 else self.day.end) - leg.queued_at)

    def served_like(self, leg: Leg) -> Sequence[Leg]:
        """Legs of its queue and channel that were served to the end, or of its channel, or any.

        Raises ``Unserved`` where there is none, unless it was being served itself when the day ended: then nothing.
        """
        found = next((self._served[kind] for kind in _kinds(leg) if kind in self._served), None)
        if found is None and leg.assigned_at < 0:
            raise Unserved("nobody was served to the end that day: there is no service time to draw")
        return found or ()

    def patience_of(self, leg: Leg) -> Patience:
        return next(self._patience[kind] for kind in _kinds(leg) if kind in self._patience)

    def replies_of(self, agent: str) -> Sequence[Reply]:
        return self._replies.get(agent) or self._replies.get("") or (AT_ONCE,)


class People:
    """One seed's people. Each answer is the same whenever it is asked, so equal rules lead to equal days."""

    def __init__(self, known: Statistics, seed: int) -> None:
        self._known, self._day, self._seed = known, known.day, seed

    def reply(self, offer_id: str, agent: str) -> Reply:
        """As recorded if this very offer went to this agent, else as the agent answered some other offer."""
        recorded = self._day.replies.get(offer_id)
        if recorded is not None and recorded.agent == agent and recorded.kind != "open":
            return recorded
        rang = recorded.after_ms if recorded is not None and recorded.agent == agent else -1
        answers = [one for one in self._known.replies_of(agent) if one.after_ms > rang]
        if not answers:
            return Reply("none", agent, 0)
        drawn = self._chance("reply", offer_id, agent).choice(answers)
        return Reply(drawn.kind, agent, drawn.after_ms, LATE, _order(drawn.kind, offer_id, agent))

    def connect(self, leg: Leg) -> After | None:
        """From assignment to connection; one that was cut short takes longer than was seen. ``None``: not known."""
        leg = self._story(leg)
        if leg.connect is not None:
            return leg.connect
        rang = self._cut_after(leg)
        like = [one.connect for one in self._known.served_like(leg) if one.connect]
        if not like:
            return None
        longer = [one for one in like if one.after_ms > rang]
        drawn = self._chance("connect", leg.contact, leg.leg).choice(longer or like)
        return drawn._replace(order=LATE, after_ms=max(drawn.after_ms, rang + 1))

    def work(self, leg: Leg) -> Sequence[After]:
        """What follows a connection: talk, wrap-up, the end. One that was cut short goes on longer than was seen."""
        leg = self._story(leg)
        if leg.connect is not None and leg.complete:
            return leg.work
        seen_ms = self._day.end - leg.connected_at if leg.connected_at >= 0 else -1
        like = self._known.served_like(leg)
        if not like:
            return leg.work
        drawn = self._chance("work", leg.contact, leg.leg).choice([one for one in like if _over(one) > seen_ms] or like)
        more = [one for one in drawn.work if not _queues_again(one)]
        rest = [one for one in more if one.after_ms > seen_ms] or [more[-1]._replace(after_ms=seen_ms + 1)]
        return [*leg.work, *(one._replace(order=LATE) for one in rest)]

    def leaves_at(self, leg: Leg) -> int | None:
        """When one who was never seen to leave does so unless connected: later than was seen; ``None``: never."""
        chance, last = 1.0 - self._chance("patience", leg.contact).random(), self.last_leg(leg)
        stayed = last.queued_at + self._known.waited(last) - leg.queued_at
        after = self._known.patience_of(leg).beyond(stayed, chance)
        return None if after is None else leg.queued_at + after

    def missed(self, offer_id: str, agent: str) -> Sequence[After]:
        """Set not ready after a missed offer, and when ready again."""
        recorded = self._day.replies.get(offer_id)
        if recorded is not None and recorded.kind == "none" and recorded.agent == agent:
            return self._day.misses.get(offer_id, ())
        if not self._known.backs:
            return [After(0, LATE, 0, AgentObserved("", 0, seen.AgentNotReady(agent, "no_answer")))]
        return [one._replace(order=LATE) for one in self._chance("missed", offer_id, agent).choice(self._known.backs)]

    def last_leg(self, leg: Leg) -> Leg:
        """Where a leg that a rule moved on came to in the end."""
        while leg.moved and (leg.contact, leg.leg + 1) in self._day.legs:
            leg = self._day.legs[leg.contact, leg.leg + 1]
        return leg

    @property
    def moves_after(self) -> int:
        """How long an ingress takes to answer an overflow."""
        return self._known.moves_after

    def _story(self, leg: Leg) -> Leg:
        """A leg that was moved on has its service where it went."""
        return leg if leg.connect is not None else self.last_leg(leg)

    def _cut_after(self, leg: Leg) -> int:
        if leg.assigned_at < 0:
            return -1
        return (leg.gone_at if leg.gone_at >= 0 else self._day.end) - leg.assigned_at

    def _chance(self, *about: object) -> Random:
        return Random("|".join(map(str, (self._seed, *about))))


def _kinds(leg: Leg) -> tuple[Kind, ...]:
    return (leg.queue, leg.channel), ("", leg.channel), ("", "")


def _over(leg: Leg) -> int:
    return max((one.after_ms for one in leg.work), default=0)


def _order(kind: str, offer_id: str, agent: str) -> Input | None:
    if kind == "accept":
        return AcceptOffer(offer_id, agent, f"accept-{offer_id}")
    return DeclineOffer(offer_id, agent, f"decline-{offer_id}") if kind == "decline" else None


def _queues_again(one: After) -> bool:
    """A transfer belongs to the contact that was transferred: it is not drawn for another."""
    return isinstance(one.item, ContactObserved) and isinstance(one.item.fact, seen.ContactQueued)
