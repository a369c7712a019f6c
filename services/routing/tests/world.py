"""Contacts and agents outside, their facts as the topics carry them, and what the inbox makes of those."""

from __future__ import annotations

import uuid
from itertools import count
from typing import Any

from contactcenter.agent.v1 import events_pb2 as agent_pb
from contactcenter.contact.v1 import events_pb2 as contact_pb
from contactcenter.contact.v1.types_pb2 import CHANNEL_CHAT, SkillRequirement
from routing.adapters import inbox
from routing.app.ports import Arrived
from routing.domain.commands import Order
from routing.domain.observed import Skills
from switchlog.bus.record import Kept, Received, read_event
from switchlog.envelope import Cause, Codec, StreamId, compose

TENANT = "t1"
POOL = StreamId(TENANT, "pool-p1")


class World:
    """Every method gives the inputs that a pool would find in its inbox, at rising offsets."""

    def __init__(self, now: int) -> None:
        self.now = now
        self._versions: dict[str, int] = {}
        self._offsets = count()

    def contact(self, id: str, **fact: Any) -> list[Arrived]:
        return self._seen(self.record(f"contact-{id}", contact_pb.ContactEvent(**fact), "contact.events.v1"))

    def agent(self, id: str, **fact: Any) -> list[Arrived]:
        return self._seen(self.record(f"agent-{id}", agent_pb.AgentEvent(**fact), "agent.events.v1"))

    def queued(self, id: str, leg: int = 1, **options: Any) -> list[Arrived]:
        given = {"leg": leg, "queue": "q1", "pool": "p1", "channel": CHANNEL_CHAT} | options
        skills = [SkillRequirement(skill=s, min_level=level) for s, level in given.pop("skills", ())]
        return self.contact(id, contact_queued=contact_pb.ContactQueued(**given, required_skills=skills))

    def connected(self, id: str, agent: str) -> list[Arrived]:
        fact = contact_pb.AgentConnected(leg=1, queue="q1", pool="p1", agent=agent)
        return self.contact(id, agent_connected=fact)

    def abandoned(self, id: str) -> list[Arrived]:
        return self.contact(id, contact_abandoned=contact_pb.ContactAbandoned(leg=1, queue="q1", pool="p1"))

    def joined(self, id: str, slots: int = 1, skills: Skills = (), **options: Any) -> list[Arrived]:
        standing = agent_pb.AgentStanding(state=agent_pb.AGENT_STATE_READY, takes_offers=True, **options)
        standing.capacities.add(channel=CHANNEL_CHAT, slots=slots)
        standing.skills.extend(agent_pb.Skill(skill=skill, level=level) for skill, level in skills)
        return self.agent(id, joined_pool=agent_pb.JoinedPool(agent=id, pool="p1", team="team1", standing=standing))

    def ready(self, id: str) -> list[Arrived]:
        return self.agent(id, agent_ready=agent_pb.AgentReady(agent=id, pool="p1"))

    def not_ready(self, id: str) -> list[Arrived]:
        return self.agent(id, agent_not_ready=agent_pb.AgentNotReady(agent=id, pool="p1", reason="lunch"))

    def wrap_up(self, id: str, contact: str) -> list[Arrived]:
        fact = agent_pb.WrapUpStarted(agent=id, pool="p1", contact=contact, leg=1, queue="q1")
        return self.agent(id, wrap_up_started=fact)

    def work_ended(self, id: str, contact: str, **options: Any) -> list[Arrived]:
        fact = agent_pb.WorkEnded(agent=id, pool="p1", contact=contact, leg=1, queue="q1", **options)
        return self.agent(id, work_ended=fact)

    def order(self, order: Order, expires_in_ms: int = 5000) -> Arrived:
        cause = Cause(order.command_id, "d" * 64, "somebody")
        (arrived,) = self._taken([inbox.ordered(POOL, order, cause, self.now + expires_in_ms)])
        return arrived

    def record(self, stream: str, message: Any, topic: str) -> Received:
        """The fact as a consumer reads it from its topic."""
        version = self._versions.get(stream, 0)
        codec: Codec[Any] = Codec("somebody", topic, type(message), lambda event: event, lambda event: event)
        where, batch = StreamId(TENANT, stream), uuid.UUID(int=version).hex
        cause = Cause(uuid.uuid5(uuid.NAMESPACE_OID, f"{stream}{version}").hex, "", "somebody")
        (row,) = compose(where, version, [(cause, [message])], codec, batch, self.now)
        self._versions[stream] = version + 1
        return read_event(Kept(topic, 0, version, where.key.encode(), row.value, row.headers))

    def _seen(self, received: Received) -> list[Arrived]:
        return self._taken(list(inbox.forwarded(received)))

    def _taken(self, records: list[Any]) -> list[Arrived]:
        raws = [Kept(inbox.TOPIC, 0, next(self._offsets), one.key, one.value, one.headers) for one in records]
        return [arrived for raw in raws if (arrived := inbox.taken(raw))]
