"""What this service needs from elsewhere, the telephone switch above all."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Protocol

from switchlog.calendars import calendar

from ..domain.commands import Place
from ..domain.events import SkillRequirement


@dataclass(frozen=True, slots=True)
class CallArrived:
    """A caller is on a line; ``call`` is the switch's own id and stays the same over reconnects to the switch."""

    call: str
    called: str
    caller: str
    trunk: str


@dataclass(frozen=True, slots=True)
class AgentAnswered:
    """The agent whom we rang for ``offer_id`` has picked up and both hear each other."""

    call: str
    agent: str
    offer_id: str


@dataclass(frozen=True, slots=True)
class AgentHungUp:
    call: str
    agent: str


@dataclass(frozen=True, slots=True)
class CallerHungUp:
    call: str
    lost: bool = False


SwitchEvent = CallArrived | AgentAnswered | AgentHungUp | CallerHungUp


class TelephoneSwitch(Protocol):
    """A switch that we steer. Every call may be repeated with the same ids and then changes nothing."""

    def events(self) -> AsyncIterator[SwitchEvent]:
        """What happens at the switch, from now on, until cancelled; a gateway redelivers what was not handled."""
        ...

    async def ring_agent(self, call: str, agent: str, offer_id: str) -> None:
        """Ring the agent's device and bridge when it answers. Raises ``NotNow`` while the switch is away."""
        ...

    async def hold(self, call: str, *, held: bool) -> None: ...

    async def take_message(self, call: str) -> None:
        """Let the caller speak to a machine until the caller hangs up."""
        ...

    async def hang_up(self, call: str) -> None:
        """End the caller's leg; nothing to do when it is gone."""
        ...


@dataclass(frozen=True, slots=True)
class EntryPoint:
    """An access number: ``called`` as the switch reports it, and where its calls wait.

    Outside ``hours`` (an id; empty: always open) a call is ended (``when_closed`` = end), may leave a message, or waits
    in ``closed_queue`` (queue; none: in ``queue`` all the same). The agent who served the caller within the last
    ``last_agent_days`` (0: nobody) is preferred, for ``last_agent_wait_s`` seconds (0: as the queue says).
    """

    tenant: str
    id: str
    called: str
    queue: str
    name: str = ""
    greeting: str = "greeting"
    priority: int = 0
    hours: str = ""
    when_closed: str = "end"
    closed_queue: str = ""
    last_agent_days: int = 0
    last_agent_wait_s: int = 0


@dataclass(frozen=True, slots=True)
class Holiday:
    """A date with spans of its own; none: closed."""

    name: str = ""
    spans: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Hours:
    """Opening hours in words: spans such as ``09:00-12:30`` by week day and, in their stead, by date."""

    tenant: str
    id: str
    time_zone: str
    name: str = ""
    weekly: dict[str, list[str]] = field(default_factory=dict)
    holidays: dict[str, Holiday] = field(default_factory=dict)

    def is_open(self, at: int) -> bool:
        """At ``at``, epoch milliseconds."""
        dates = {date: holiday.spans for date, holiday in self.holidays.items()}
        return calendar(self.time_zone, self.weekly, dates).is_open(at)


class OpeningHours(Protocol):
    """Raises ``NotFound`` for an unknown id."""

    async def get(self, tenant: str, id: str) -> Hours: ...

    async def put(self, hours: Hours, now: int) -> None: ...

    async def all(self, tenant: str) -> list[Hours]: ...


class EntryPoints(Protocol):
    """Raises ``NotFound`` for an unknown number or id."""

    async def by_number(self, called: str) -> EntryPoint: ...

    async def get(self, tenant: str, id: str) -> EntryPoint: ...

    async def put(self, entry_point: EntryPoint, now: int) -> None:
        """Raises ``Rejected("NUMBER_TAKEN")``."""
        ...

    async def all(self, tenant: str) -> list[EntryPoint]: ...


@dataclass(frozen=True, slots=True)
class QueueRow:
    """A queue as routing published it; of two rows the greater ``revision`` counts.

    ``open``: it takes newcomers, or has a rule of its own for those who come when it is closed; ``takes_channel``: it
    takes calls of this service.
    """

    tenant: str
    queue: str
    pool: str
    open: bool
    revision: int
    required_skills: tuple[SkillRequirement, ...] = ()
    priority: int = 0
    takes_channel: bool = True


class Queues(Protocol):
    """Where a queue's calls wait; raises ``NotNow`` until its table was read once."""

    def place(self, tenant: str, queue: str, priority: int = 0) -> Place:
        """Raises ``Rejected``: ``QUEUE_UNKNOWN``, ``QUEUE_CLOSED`` or ``CHANNEL_NOT_TAKEN``."""
        ...

    def moved_to(self, tenant: str, queue: str, pool: str, priority: int = 0) -> Place:
        """Where routing itself has moved a call: taken there even when the queue is closed by now."""
        ...


@dataclass(frozen=True, slots=True)
class Caller:
    """A person by reference, and the agent whom they spoke with last, at ``served_at`` (epoch milliseconds)."""

    customer_ref: str
    last_agent: str = ""
    served_at: int = 0


class Customers(Protocol):
    """References to people; the number itself goes no further than their owner."""

    async def by_phone(self, tenant: str, number: str, cause: str) -> Caller:
        """Who calls; somebody new when the number is withheld."""
        ...


@dataclass(frozen=True, slots=True)
class Ring:
    """What an agent was rung for: the answer belongs to this leg, whatever has happened to the call meanwhile."""

    leg: int
    team: str = ""


class CallIds(Protocol):
    """Which contact a call of the switch is, and what each ring is for; kept over restarts in the view store."""

    async def rang(self, contact: str, offer_id: str, ring: Ring, now: int) -> None: ...

    async def ring(self, contact: str, offer_id: str) -> Ring:
        """Raises ``NotFound``."""
        ...

    async def remember(self, call: str, tenant: str, contact: str, now: int) -> None: ...

    async def contact(self, call: str) -> tuple[str, str]:
        """``(tenant, contact id)``; raises ``NotFound``."""
        ...

    async def call(self, tenant: str, contact: str) -> str:
        """Raises ``NotFound``."""
        ...
