"""Agents at their desks: what an open socket is told, in the moment it is known.

Everything here is in memory and never waits: facts come in from a reader of whole topics, frames go out.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from switchlog.clock import Clock
from switchlog.envelope import StreamId, timestamp

from ..domain.events import AgentEvent, WorkEnded, WorkStarted, WrapUpEnded, WrapUpStarted
from ..domain.evolve import evolve
from ..domain.state import Agent
from .foreign import OfferMade, OfferOver
from .shown import Json, shown_agent, shown_offer, shown_state

Send = Callable[[Json], None]
Seat = tuple[str, str]  # tenant, agent

REMEMBERED = 10_000  # offers that are over


@dataclass(eq=False)
class Desk:
    """One open socket: the agent as it was last told, how to tell it more, and how to give up.

    ``lost`` is called when a fact is missing, as when the reader of facts began after the snapshot: the socket is
    closed, and the client comes back to a new snapshot.
    """

    agent: Agent
    version: int
    send: Send
    lost: Callable[[], object]

    def take(self, version: int, event: AgentEvent | None) -> None:
        """The agent's next fact (``None``: one that this version does not know); repeats change nothing."""
        if version > self.version + 1:
            self.lost()
        elif version == self.version + 1:
            self.version = version
            if event is not None:
                self._fold(version, event)

    def _fold(self, version: int, event: AgentEvent) -> None:
        try:
            self._tell(version, event)
        except ValueError:  # a fact that cannot follow: somebody else put it on the topic
            self.lost()

    def _tell(self, version: int, event: AgentEvent) -> None:
        before, changed = shown_state(self.agent), evolve(self.agent, event)
        assert isinstance(changed, Agent)  # who is registered stays so
        self.agent = changed
        if (change := contact_change(event)) is not None:
            self.send({"type": "contact", "version": version, "data": change})
        if (state := shown_state(changed)) != before:
            self.send({"type": "state", "version": version, "data": state})


def contact_change(event: AgentEvent) -> Json | None:
    """What a fact says about a contact of the agent: ``state`` is assigned, wrap_up or ended."""
    match event:
        case WorkStarted(_, leg):
            change: Json = {"state": "assigned"}
        case WorkEnded(_, leg, wrap_up_follows) if not wrap_up_follows:
            change = {"state": "ended"}
        case WrapUpStarted(_, leg, ends_at):
            change = {"state": "wrap_up", "wrap_up_ends_at": timestamp(ends_at)}
        case WrapUpEnded(_, leg, by):
            change = {"state": "ended", "by": by.value}
        case _:
            return None
    return {**change, "contact": leg.contact, "leg": leg.leg, "queue": leg.queue, "channel": leg.channel}


@dataclass
class Desks:
    """All desks of this process, and the offers that stand; ``delay`` is told how long each offer was under way, ms."""

    clock: Clock
    delay: Callable[[int], None] = lambda milliseconds: None
    _desks: dict[Seat, set[Desk]] = field(default_factory=lambda: defaultdict(set))
    _offers: dict[Seat, dict[str, OfferMade]] = field(default_factory=lambda: defaultdict(dict))
    _over: OrderedDict[tuple[str, str], None] = field(default_factory=OrderedDict)
    _heard: dict[StreamId, int] = field(default_factory=dict)

    # -- facts in ------------------------------------------------------------------------------------------------------

    def offered(self, tenant: str, offer: OfferMade) -> None:
        """Told by several readers, pushed once; never after it is over."""
        standing = self._standing((tenant, offer.agent))
        if offer.offer_id in standing or (tenant, offer.offer_id) in self._over or self._stale(offer):
            return
        standing[offer.offer_id] = offer
        now = self.clock.now()
        frame = {"type": "offer", "data": {**shown_offer(offer), "arrived_at": timestamp(now)}}
        if self._tell((tenant, offer.agent), frame):
            self.delay(now - offer.offered_at)

    def over(self, tenant: str, end: OfferOver) -> None:
        """The offer can no longer be accepted."""
        if (tenant, end.offer_id) in self._over:
            return
        self._over[tenant, end.offer_id] = None
        if len(self._over) > REMEMBERED:
            self._over.popitem(last=False)
        seat = (tenant, end.agent)
        self._standing(seat).pop(end.offer_id, None)
        self._tell(seat, {"type": "offer_gone", "data": {"offer_id": end.offer_id, "reason": end.how.value}})

    def changed(self, stream: StreamId, version: int, event: AgentEvent | None) -> None:
        """The agent's own fact."""
        self._heard[stream] = max(version, self._heard.get(stream, 0))
        for desk in list(self._desks.get((stream.tenant, stream.name.removeprefix("agent-")), ())):
            desk.take(version, event)

    # -- desks ---------------------------------------------------------------------------------------------------------

    def __len__(self) -> int:
        return sum(map(len, self._desks.values()))

    def heard(self, stream: StreamId) -> int:
        """The last version of an agent that this process was told of; a snapshot must not be older."""
        return self._heard.get(stream, 0)

    def open(
        self,
        tenant: str,
        agent: Agent,
        version: int,
        stored: Iterable[OfferMade],
        send: Send,
        lost: Callable[[], object],
    ) -> Desk:
        """Send the snapshot and everything after it; ``stored`` are offers that were made before this process began."""
        for offer in stored:
            if not self._stale(offer) and (tenant, offer.offer_id) not in self._over:
                self._standing((tenant, agent.id)).setdefault(offer.offer_id, offer)
        desk = Desk(agent, version, send, lost)
        offers = sorted(
            self._standing((tenant, agent.id)).values(), key=lambda offer: (offer.offered_at, offer.offer_id)
        )
        send(
            {
                "type": "snapshot",
                "version": version,
                "data": {
                    **shown_agent(agent, version),
                    "offers": [shown_offer(offer) for offer in offers],
                },
            }
        )
        self._desks[tenant, agent.id].add(desk)
        return desk

    def close(self, tenant: str, desk: Desk) -> None:
        seat = (tenant, desk.agent.id)
        self._desks[seat].discard(desk)
        if not self._desks[seat]:
            del self._desks[seat]

    def _standing(self, seat: Seat) -> dict[str, OfferMade]:
        """The offers before an agent; those long past their time are forgotten, whatever became of them."""
        standing = self._offers[seat]
        for offer_id in [id for id, offer in standing.items() if self._stale(offer)]:
            del standing[offer_id]
        return standing

    def _stale(self, offer: OfferMade) -> bool:
        # deadlines move by an outage of the bus, so what is only just late still stands
        return offer.expires_at + 60_000 < self.clock.now()

    def _tell(self, seat: Seat, frame: Json) -> int:
        desks = list(self._desks.get(seat, ()))
        for desk in desks:
            desk.send(frame)
        return len(desks)
