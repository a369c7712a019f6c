"""The board of a pool: everything a decision may look at, mutable behind ``evolve`` and indexed by ``Lines``."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from routing.domain.definitions import Hours, Parameters, Workflow
from routing.domain.estimate import Learned
from routing.domain.events import DEFAULT_POLICY, Calendar, Queue
from routing.domain.expressions import NO_EXPRESSIONS, Expressions
from routing.domain.lines import Lines
from routing.domain.members import Agent, Contact, Demand, Phase
from routing.domain.policies import POLICIES, Policy
from routing.domain.settings import Setting, policy_of
from routing.domain.surge import Crowd

COMMANDS_KEPT = 10_000
QUARTER_MS = 15 * 60 * 1000
SHARE = 1_000_000

Finality = tuple[str, int, int]
"""(queue, end of a quarter hour, T in milliseconds)."""


def quarter_end(at: int) -> int:
    """The end of the quarter hour that ``at`` falls into."""
    return (at // QUARTER_MS + 1) * QUARTER_MS


@dataclass(slots=True)
class Board:
    """One pool. ``offers`` leads from open offers to contacts; ``finalities`` are waited for, by queue and end.

    ``commands`` holds the ids of the last 10 000 orders, oldest first, so that a repeat has no effect. ``policy_name``
    and ``parameters`` are the pool's, ``chosen`` what was chosen for queues beside their definition. ``turns`` counts
    the offers made by rotation. ``shares`` say how far each weighted queue has come in its share of the agents' time,
    and ``share_clock`` how far the one served last. ``calendars`` are what was last heard of the queues' calendars,
    ``origins`` the first queues of contacts that overflowed and are not queued anew yet, oldest first. ``learned`` is
    what waits taught, by queue and priority, ``crowds`` the arrivals of queues that watch for surges. ``waiting``
    counts by queue who waits without an offer, ``conditional`` are those whose plan has conditions, ``ringing`` those
    who ring agents of queues that ring several at once.
    """

    tenant: str
    pool: str
    generation: int = 0
    date: str = ""
    policy_name: str = DEFAULT_POLICY
    parameters: Parameters = ()
    chosen: dict[str, tuple[str, Parameters]] = field(default_factory=dict)
    queues: dict[str, Queue] = field(default_factory=dict)
    agents: dict[str, Agent] = field(default_factory=dict)
    contacts: dict[str, Contact] = field(default_factory=dict)
    offers: dict[str, str] = field(default_factory=dict)
    finalities: dict[tuple[str, int], Finality] = field(default_factory=dict)
    commands: dict[str, None] = field(default_factory=dict)
    hours: dict[str, Hours] = field(default_factory=dict)
    workflows: dict[str, Workflow] = field(default_factory=dict)
    calendars: dict[str, Calendar] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)
    last_seen: tuple[str, int] = ("", 0)
    turns: int = 0
    shares: dict[str, int] = field(default_factory=dict)
    share_clock: int = 0
    learned: dict[tuple[str, int], Learned] = field(default_factory=dict)
    crowds: dict[str, Crowd] = field(default_factory=dict)
    expressions: Expressions = NO_EXPRESSIONS
    waiting: Counter[str] = field(default_factory=Counter, init=False)
    conditional: dict[str, None] = field(default_factory=dict, init=False)
    ringing: dict[str, None] = field(default_factory=dict, init=False)
    lines: Lines = field(init=False)
    weighted: bool = field(default=False, init=False)
    _settings: dict[tuple[str, str], Setting] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self.reindex()

    @property
    def policy(self) -> Policy:
        return policy_of(Setting(self.policy_name, self.parameters))

    def setting(self, contact: Contact) -> Setting:
        """By what agents and contacts are ordered where ``contact`` looks for its agent."""
        known = contact.demand.queue, contact.demand.order_by
        if known not in self._settings:
            self._settings[known] = self._setting(*known)
        return self._settings[known]

    def policy_for(self, contact: Contact) -> Policy:
        return policy_of(self.setting(contact))

    def _setting(self, queue: str, order_by: str) -> Setting:
        defined = self.queue(queue)
        name, parameters = self.chosen.get(queue) or (defined.policy, defined.parameters)
        if name in POLICIES:
            return Setting(name, parameters, order_by)
        return Setting(self.policy_name, parameters or self.parameters, order_by)

    def share_of(self, queue: str) -> str:
        """Whose share a contact of ``queue`` takes: queues without a weight have one together."""
        return queue if self.queue(queue).weight else ""

    def share_at(self, share: str) -> int:
        """How far ``share`` has come: who has come least far is served next (start-time fair queueing)."""
        return max(self.shares.get(share, 0), self.share_clock)

    def take_share(self, share: str) -> None:
        """A contact of ``share`` was served: the greater its weight, the less far it comes by that."""
        self.share_clock = self.share_at(share)
        self.shares[share] = self.share_clock + SHARE // max(self.queue(share).weight, 1)

    def queue(self, id: str) -> Queue:
        """The queue as defined, or by its defaults: a contact may outrun its queue's definition."""
        return self.queues.get(id) or Queue(id)

    def is_open(self, queue: str) -> bool:
        """By its definition and by its hours, as last heard."""
        calendar = self.calendars.get(queue)
        return self.queue(queue).open and (calendar is None or calendar.open)

    def threshold(self, queue: str, end: int) -> int:
        """T of the quarter hour until ``end``: by the calendar as last heard, else the queue's own."""
        calendar = self.calendars.get(queue)
        if calendar is None:
            return self.queue(queue).threshold_ms
        given = calendar.threshold_ms if end > calendar.since else calendar.threshold_before_ms
        return given or self.queue(queue).threshold_ms

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

    def use(self, expressions: Expressions) -> None:
        """Decide by ``expressions`` from now on."""
        self.expressions = expressions
        self.reindex()

    def reindex(self) -> None:
        """Build the lines anew: after a change of policies or queues, or from a carry."""
        self._settings = {}
        self.weighted = any(queue.weight for queue in self.queues.values())
        self.lines = Lines(self.agents, self.expressions)
        self.waiting = Counter(one.queue for one in self.contacts.values() if one.phase is Phase.WAITING)
        self.conditional = {one.id: None for one in self.contacts.values() if one.plan.conditions}
        self.ringing = {one.id: None for one in self.contacts.values() if self._rings_more(one)}
        for contact in self.contacts.values():
            if contact.phase is Phase.WAITING:
                self.wait(contact)

    def define(self, queue: Queue) -> None:
        """``queue`` is served so from now on; who waits there stands where it belongs by that."""
        before = self.queue(queue.id)
        self.queues[queue.id] = queue
        self.watch(queue.id)
        self.settle(queue.id)
        if before.weight or queue.weight:
            self.weighted = any(one.weight for one in self.queues.values())

    def watch(self, queue: str) -> None:
        """Arrivals of a queue are counted as long as it watches for surges, or until the one that is on has ended."""
        crowd = self.crowds.get(queue)
        if crowd and self.queue(queue).surge is None and not crowd.started_at:
            del self.crowds[queue]

    def settle(self, queue: str) -> None:
        """Put in line anew who waits in ``queue`` or looks for its agents there."""
        self._settings = {known: setting for known, setting in self._settings.items() if known[0] != queue}
        for contact in self.contacts.values():
            self.rings(contact)
            if contact.phase is Phase.WAITING and queue in (contact.queue, contact.demand.queue):
                self.wait_elsewhere(contact, contact.demand)

    def may_ring(self, contact: Contact) -> bool:
        """Whether one more agent may be rung for it: as many at once as its queue wants, none once it is assigned."""
        wanted = max(self.queue(contact.queue).ring_agents, 1)
        return contact.phase is not Phase.ASSIGNED and len(contact.rings) < wanted

    def rings(self, contact: Contact) -> None:
        """After a change of its offers, or of its queue."""
        if self._rings_more(contact):
            self.ringing[contact.id] = None
        else:
            self.ringing.pop(contact.id, None)

    def _rings_more(self, contact: Contact) -> bool:
        return contact.phase is Phase.OFFERED and self.queue(contact.queue).ring_agents > 1

    def wait_elsewhere(self, contact: Contact, demand: Demand) -> None:
        """``contact`` asks for ``demand`` from now on, or is ordered by something else than before."""
        self.lines.stop_waiting(contact)
        contact.demand = demand
        if contact.phase is Phase.WAITING:
            self.wait(contact)

    def wait(self, contact: Contact) -> None:
        self.lines.wait(contact, self.setting(contact), self.share_of(contact.queue))
