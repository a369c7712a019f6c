"""The board's index: contacts that wait alike stand in one line, and each line knows who is free for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from routing.domain.members import Agent, Contact, lacks, refusal
from routing.domain.observed import Skills
from routing.domain.policies import Policy
from routing.domain.ranked import Key, Ranked

LineKey = tuple[str, str, Skills]
MAX_LINES = 512


@dataclass(slots=True)
class Line:
    """Who waits for the same (queue, channel, skills), who of the qualified is free, and why the others are not."""

    waiting: Ranked = field(default_factory=Ranked)
    free: Ranked = field(default_factory=Ranked)
    why_not: dict[str, str] = field(default_factory=dict)
    refused: Counter[str] = field(default_factory=Counter)


class Lines:
    """All lines of a board. Building one looks at every agent, once; after that a change costs O(lines * log n)."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self._lines: dict[LineKey, Line] = {}
        self._serves: dict[str, list[LineKey]] = {}

    def line(self, contact: Contact, agents: Iterable[Agent]) -> Line:
        key = (contact.queue, contact.channel, contact.required)
        return self._lines.get(key) or self._open(key, agents)

    def served_by(self, agent: Agent) -> Iterator[Line]:
        """The lines that ``agent`` is free for."""
        for key in self._serves.get(agent.id, ()):
            if agent.id in self._lines[key].free:
                yield self._lines[key]

    def wait(self, contact: Contact, agents: Iterable[Agent]) -> None:
        self.line(contact, agents).waiting.put(contact.id, self.policy.order(contact))

    def stop_waiting(self, contact: Contact) -> None:
        line = self._lines.get((contact.queue, contact.channel, contact.required))
        if line:
            line.waiting.drop(contact.id)

    def requalify(self, agent: Agent) -> None:
        """After a change of skills or queues."""
        self.forget(agent)
        self._serves[agent.id] = [key for key in self._lines if not lacks(agent, key[0], key[2])]
        self.update(agent)

    def update(self, agent: Agent) -> None:
        """After any other change of ``agent``."""
        rank = self.policy.rank(agent)
        reasons: dict[str, str] = {}
        for key in self._serves.get(agent.id, ()):
            channel = key[1]
            if channel not in reasons:
                reasons[channel] = refusal(agent, channel)
            _stand(self._lines[key], agent.id, reasons[channel], rank)

    def forget(self, agent: Agent) -> None:
        for key in self._serves.pop(agent.id, ()):
            line = self._lines[key]
            _count(line, line.why_not.pop(agent.id, ""), "")
            line.free.drop(agent.id)

    def _open(self, key: LineKey, agents: Iterable[Agent]) -> Line:
        if len(self._lines) >= MAX_LINES:
            self._close_idle_lines()
        line = self._lines[key] = Line()
        for agent in agents:
            if not lacks(agent, key[0], key[2]):
                self._serves.setdefault(agent.id, []).append(key)
                _stand(line, agent.id, refusal(agent, key[1]), self.policy.rank(agent))
        return line

    def _close_idle_lines(self) -> None:
        """An index is a cache: what nobody waits in is rebuilt when somebody does."""
        self._lines = {key: line for key, line in self._lines.items() if len(line.waiting)}
        self._serves = {agent: [k for k in keys if k in self._lines] for agent, keys in self._serves.items()}


def _stand(line: Line, agent_id: str, reason: str, rank: Key) -> None:
    """Put the agent among the free, or among those refused for ``reason``."""
    before = line.why_not.get(agent_id, "")
    if reason and reason == before:
        return
    _count(line, before, reason)
    line.why_not[agent_id] = reason
    if reason:
        line.free.drop(agent_id)
    else:
        line.free.put(agent_id, rank)


def _count(line: Line, before: str, after: str) -> None:
    if before != after:
        line.refused[before] -= 1
        line.refused[after] += 1
