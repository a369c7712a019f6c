"""The board's index: contacts that ask alike wait in one line, and each line knows who of its agents is free.

Queues whose contacts ask the same share a line, so an agent stands in as many lines as there are demands it can meet,
however many queues there are; a change of it only marks them, and a line that is asked looks again at whom was marked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from routing.domain.expressions import Expressions, holds_of
from routing.domain.members import Agent, Contact, Demand, away, refusal
from routing.domain.observed import Attributes, Capacity
from routing.domain.policies import Policy
from routing.domain.ranked import Key, Ranked
from routing.domain.settings import Setting, policy_of

MEMBERS_KEPT = 1_000_000
CHANGED_KEPT = 4
NOT_LOOKED_AT = "NOT_LOOKED_AT"

Head = tuple[Key, str, str]
"""(key, id, share) of a contact that is first."""

Place = tuple[str, str]
"""Where a line looks for its agents, such as ("skill", "billing"): an agent's places lead to all it may serve."""


class LineKey(NamedTuple):
    """One kind of agents that meet a demand: without ``queue`` those who serve every queue, with it those who name it,
    with a group those of that team who do not serve the queue anyway. Nobody is of two kinds."""

    demand: Demand
    setting: Setting


@dataclass(slots=True, eq=False)
class Line:
    """Who waits for the same, who of the qualified is free, and why the others are not.

    Contacts wait by share: those of queues with a weight by queue, all others together under "". ``stale`` are the
    members that changed since they were last looked at, ``looked_at`` says after which change of agents that was.
    """

    demand: Demand
    policy: Policy
    waiting: dict[str, Ranked] = field(default_factory=dict)
    members: dict[str, str] = field(default_factory=dict)
    free: Ranked = field(default_factory=Ranked)
    refused: Counter[str] = field(default_factory=Counter)
    stale: dict[str, None] = field(default_factory=dict)
    looked_at: int = -1
    channel: str = field(init=False)

    def __post_init__(self) -> None:
        self.channel = self.demand.channel

    def ahead(self, contact: Contact) -> int:
        """How many of those who wait come before ``contact``."""
        key = self.policy.order(contact)
        return sum(waiting.before(contact.id, key) for waiting in self.waiting.values())


class Lines:
    """All lines of a board, whose ``agents`` are read only. An index is a cache: it may be built anew at any time."""

    def __init__(self, agents: Mapping[str, Agent], expressions: Expressions) -> None:
        self._agents = agents
        self._expressions = expressions
        self._lines: dict[tuple[Demand, Setting], list[Line]] = {}
        self._filed: dict[Place, dict[LineKey, Line]] = {}
        self._found_at: dict[Place, dict[str, None]] = {}
        self._places: dict[str, list[Place]] = {}
        self._serves: dict[str, list[Line]] = {}
        self._reasons: dict[str, dict[str, str]] = {}
        self._waits: dict[str, tuple[str, list[Line]]] = {}
        self._changed: dict[str, None] = {}
        self._settled: dict[str, tuple[Capacity, str, list[str]]] = {}
        self._holds: dict[str, dict[tuple[str, Attributes], bool]] = {}
        self._members = self._changes = 0
        for agent in agents.values():
            self.requalify(agent)

    # contacts

    def of(self, contact: Contact, setting: Setting) -> list[Line]:
        """The lines in which ``contact`` waits or would, each up to date."""
        lines = self._waits[contact.id][1] if contact.id in self._waits else self._open(contact.demand, setting)
        for line in lines:
            if line.looked_at != self._changes:
                self._look_again(line)
        return lines

    def wait(self, contact: Contact, setting: Setting, share: str = "") -> None:
        lines = self._open(contact.demand, setting)
        self._waits[contact.id] = share, lines
        for line in lines:
            line.waiting.setdefault(share, Ranked()).put(contact.id, line.policy.order(contact))

    def stop_waiting(self, contact: Contact) -> None:
        share, lines = self._waits.pop(contact.id, ("", []))
        for line in lines:
            line.waiting[share].drop(contact.id)
            if not line.waiting[share]:
                del line.waiting[share]

    # agents

    def heads(self, agent: Agent) -> list[Head]:
        """The first contact of each line and share that ``agent`` is free for and has not let go."""
        free = [channel for channel, _ in agent.capacity.slots if not self._reason(agent, channel)]
        return [
            (*first, share)
            for line in (self._serves.get(agent.id, ()) if free else ())
            if line.waiting and line.channel in free
            for share, waiting in line.waiting.items()
            if (first := waiting.first(agent.declined))
        ]

    def requalify(self, agent: Agent) -> None:
        """After a change of what it may serve."""
        self.forget(agent)
        self._serves[agent.id] = []
        self._places[agent.id] = places = _places(agent)
        for place in places:
            self._found_at.setdefault(place, {})[agent.id] = None
            for line in self._filed.get(place, {}).values():
                self._enlist(agent, line)

    def update(self, agent: Agent) -> None:
        """After any other change of ``agent``."""
        self._changes += 1
        self._reasons.pop(agent.id, None)
        if agent.id not in self._changed:
            if len(self._changed) >= CHANGED_KEPT:
                self._settle()
            self._changed[agent.id] = None

    def forget(self, agent: Agent) -> None:
        self._changes += 1
        for known in (self._reasons, self._holds, self._changed, self._settled):
            known.pop(agent.id, None)
        for place in self._places.pop(agent.id, ()):
            del self._found_at[place][agent.id]
        for line in self._serves.pop(agent.id, ()):
            line.refused[line.members.pop(agent.id)] -= 1
            line.stale.pop(agent.id, None)
            line.free.drop(agent.id)
            self._members -= 1

    # inside

    def _open(self, demand: Demand, setting: Setting) -> list[Line]:
        lines = self._lines.get((demand, setting))
        if lines is None:
            if self._members >= MEMBERS_KEPT:
                self._close_idle_lines()
            lines = self._lines[demand, setting] = [self._line(LineKey(kind, setting)) for kind in _kinds(demand)]
        return lines

    def _line(self, key: LineKey) -> Line:
        place = _place(key.demand)
        filed = self._filed.setdefault(place, {})
        if key not in filed:
            filed[key] = line = Line(key.demand, policy_of(key.setting))
            for id in self._found_at.get(place, ()):
                self._enlist(self._agents[id], line)
        return filed[key]

    def _enlist(self, agent: Agent, line: Line) -> None:
        if not _meets(agent, line.demand) or not self._targeted(agent, line.demand):
            return
        self._serves[agent.id].append(line)
        line.members[agent.id] = NOT_LOOKED_AT
        line.refused[NOT_LOOKED_AT] += 1
        line.stale[agent.id] = None
        self._members += 1

    def _targeted(self, agent: Agent, demand: Demand) -> bool:
        """The expression is evaluated once for an agent, whatever lines ask it, until the agent changes."""
        if not demand.expression:
            return True
        asked, known = (demand.expression, demand.given), self._holds.setdefault(agent.id, {})
        if asked not in known:
            known[asked] = holds_of(self._expressions, demand.expression, agent, demand.given)
        return known[asked]

    def _settle(self) -> None:
        """Mark those who changed in their lines, but for those who are no more available than they were: most agents
        who become free are given the next contact in the same moment, and nobody need look at them again."""
        for id in self._changed:
            agent = self._agents[id]
            refused = [self._reason(agent, channel) for channel, _ in agent.capacity.slots]
            standing = agent.capacity, away(agent), refused
            if standing != self._settled.get(id) or not all(refused):
                self._settled[id] = standing
                for line in self._serves[id]:
                    line.stale[id] = None
        self._changed.clear()

    def _look_again(self, line: Line) -> None:
        changing = [id for id in self._changed if id in line.members]
        line.stale.update(dict.fromkeys(changing))
        for id in line.stale:
            agent, before = self._agents[id], line.members[id]
            reason = self._reason(agent, line.channel)
            if reason != before:
                line.members[id] = reason
                line.refused[before] -= 1
                line.refused[reason] += 1
            if not reason:
                line.free.put(id, line.policy.rank(agent, line.demand))
            elif not before:
                line.free.drop(id)
        line.stale, line.looked_at = dict.fromkeys(changing), self._changes

    def _reason(self, agent: Agent, channel: str) -> str:
        reasons = self._reasons.get(agent.id)
        if reasons is None:
            reasons = self._reasons[agent.id] = {}
        reason = reasons.get(channel)
        if reason is None:
            reason = reasons[channel] = refusal(agent, channel)
        return reason

    def _close_idle_lines(self) -> None:
        """What nobody waits in is built anew when somebody does."""
        busy = {id(line) for _, lines in self._waits.values() for line in lines}
        self._lines = {k: lines for k, lines in self._lines.items() if all(id(line) in busy for line in lines)}
        for filed in self._filed.values():
            for key in [key for key, line in filed.items() if id(line) not in busy]:
                self._members -= len(filed.pop(key).members)
        self._serves = {agent: [one for one in lines if id(one) in busy] for agent, lines in self._serves.items()}


def _kinds(demand: Demand) -> list[Demand]:
    """The demand once for each kind of agents that meet it: who serve every queue, who name it, and further teams."""
    own = demand._replace(groups=())
    return [own._replace(queue=""), own, *(own._replace(groups=(team,)) for team in demand.groups)]


def _place(demand: Demand) -> Place:
    if demand.agent:
        return "agent", demand.agent
    if demand.groups:
        return "team", demand.groups[0]
    if demand.queue:
        return "queue", demand.queue
    return ("skill", demand.skills[0][0]) if demand.skills else ("every", "")


def _places(agent: Agent) -> list[Place]:
    """Where the lines are that it may serve; each such line has exactly one of these places."""
    own = [("agent", agent.id), ("team", agent.team)]
    if agent.queues:
        return [*own, *(("queue", queue) for queue in agent.queues)]
    return [*own, ("every", ""), *(("skill", skill) for skill in agent.skills)]


def _meets(agent: Agent, demand: Demand) -> bool:
    """Whether it is of this kind and has the skills."""
    if demand.agent and demand.agent != agent.id:
        return False
    if demand.groups:
        of_kind = agent.team in demand.groups and bool(agent.queues) and demand.queue not in agent.queues
    else:
        of_kind = demand.queue in agent.queues if demand.queue else not agent.queues
    return of_kind and all(agent.skills.get(skill, 0) >= level for skill, level in demand.skills)
