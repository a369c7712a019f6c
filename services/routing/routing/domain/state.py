"""The board of a pool: everything a decision may look at, mutable behind ``evolve`` and indexed by ``Lines``."""

from __future__ import annotations

from dataclasses import dataclass, field

from routing.domain.events import DEFAULT_POLICY, Queue
from routing.domain.lines import Lines
from routing.domain.members import Agent, Contact, Phase
from routing.domain.policies import POLICIES, Policy

COMMANDS_KEPT = 10_000
QUARTER_MS = 15 * 60 * 1000

Finality = tuple[str, int, int]
"""(queue, end of a quarter hour, T in milliseconds)."""


def quarter_end(at: int) -> int:
    """The end of the quarter hour that ``at`` falls into."""
    return (at // QUARTER_MS + 1) * QUARTER_MS


@dataclass(slots=True)
class Board:
    """One pool. ``offers`` leads from open offers to contacts; ``finalities`` are waited for, by queue and end.

    ``commands`` holds the ids of the last 10 000 orders, oldest first, so that a repeat has no effect.
    """

    tenant: str
    pool: str
    generation: int = 0
    date: str = ""
    policy_name: str = DEFAULT_POLICY
    queues: dict[str, Queue] = field(default_factory=dict)
    agents: dict[str, Agent] = field(default_factory=dict)
    contacts: dict[str, Contact] = field(default_factory=dict)
    offers: dict[str, str] = field(default_factory=dict)
    finalities: dict[tuple[str, int], Finality] = field(default_factory=dict)
    commands: dict[str, None] = field(default_factory=dict)
    last_seen: tuple[str, int] = ("", 0)
    lines: Lines = field(default_factory=lambda: Lines(POLICIES[DEFAULT_POLICY]))

    @property
    def policy(self) -> Policy:
        return POLICIES[self.policy_name]

    def queue(self, id: str) -> Queue:
        """The queue as defined, or by its defaults: a contact may outrun its queue's definition."""
        return self.queues.get(id) or Queue(id)

    def stream(self, kind: str, id: str) -> str:
        return f"{self.tenant}/{kind}-{id}"

    def offered(self, offer_id: str) -> Contact | None:
        """The contact of an open offer."""
        return self.contacts.get(self.offers.get(offer_id, ""))

    def version_of(self, source: str) -> int | None:
        """How far the board has seen ``source``; ``None`` when it is not on the board (rule 22)."""
        kind, _, id = source.removeprefix(f"{self.tenant}/").partition("-")
        known = self.agents.get(id) if kind == "agent" else self.contacts.get(id) if kind == "contact" else None
        return known.version if known else None

    def is_news(self, source: str, version: int, seen: int) -> bool:
        """Whether ``version`` of ``source`` was not observed before; ``seen`` is what the durable table says."""
        return version > max(self.version_of(source) or 0, seen)

    def reindex(self) -> None:
        """Build the lines anew: after a change of policy, or from a carry."""
        self.lines = Lines(self.policy)
        for contact in self.contacts.values():
            if contact.phase is Phase.WAITING:
                self.lines.wait(contact, self.agents.values())
