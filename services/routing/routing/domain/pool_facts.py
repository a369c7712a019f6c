"""What happens to a pool as a whole: owners, days, definitions. Times are epoch milliseconds."""

from __future__ import annotations

from dataclasses import dataclass

from routing.domain.definitions import Hours, Parameters, Queue, SurgeAction, Workflow
from routing.domain.estimate import Learned
from routing.domain.members import Agent, Contact
from routing.domain.surge import Crowd


@dataclass(frozen=True, slots=True)
class Calendar:
    """What the calendar last said of a queue: ``open``, and T from ``since`` on and before; T 0: the queue's own."""

    open: bool = True
    threshold_ms: int = 0
    since: int = 0
    threshold_before_ms: int = 0


@dataclass(frozen=True, slots=True)
class PoolTaken:
    owner: str
    generation: int


@dataclass(frozen=True, slots=True)
class PoolDayStarted:
    """A local day (``date`` as YYYY-MM-DD in ``time_zone``) begins; its carry follows."""

    date: str
    carry_id: str
    time_zone: str = ""


@dataclass(frozen=True, slots=True)
class PoolCarried:
    """The ``piece``-th part (from 1) of what the day begins with; ``finalities`` are (queue, interval end, T).

    ``policy`` and ``parameters`` are the pool's, ``chosen`` those of queues; ``origins`` are (contact, first queue).
    ``turns``, ``shares`` and ``share_clock`` are the board's, in every piece. ``learned`` are (queue, priority, what
    their waits taught), ``crowds`` the arrivals of queues that watch for surges.
    """

    carry_id: str
    piece: int
    generation: int = 0
    policy: str = ""
    queues: tuple[Queue, ...] = ()
    agents: tuple[Agent, ...] = ()
    contacts: tuple[Contact, ...] = ()
    finalities: tuple[tuple[str, int, int], ...] = ()
    commands: tuple[str, ...] = ()
    parameters: Parameters = ()
    chosen: tuple[tuple[str, str, Parameters], ...] = ()
    hours: tuple[Hours, ...] = ()
    workflows: tuple[Workflow, ...] = ()
    calendars: tuple[tuple[str, Calendar], ...] = ()
    origins: tuple[tuple[str, str], ...] = ()
    turns: int = 0
    shares: tuple[tuple[str, int], ...] = ()
    share_clock: int = 0
    learned: tuple[tuple[str, int, Learned], ...] = ()
    crowds: tuple[tuple[str, Crowd], ...] = ()


@dataclass(frozen=True, slots=True)
class PoolOpened:
    date: str
    carry_id: str
    state_digest: bytes
    pieces: int


@dataclass(frozen=True, slots=True)
class QueueDefined:
    """The last one counts. ``removed``: it is in the pool no more, but in ``to_pool``, if any."""

    queue: Queue
    command_id: str = ""
    removed: bool = False
    to_pool: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class HoursDefined:
    hours: Hours
    command_id: str = ""
    removed: bool = False


@dataclass(frozen=True, slots=True)
class WorkflowDefined:
    """For contacts that are queued from now on."""

    workflow: Workflow
    command_id: str = ""
    removed: bool = False


@dataclass(frozen=True, slots=True)
class PolicyChosen:
    """How agents are chosen from now on, in ``queue``; empty: in the pool, where no queue says otherwise."""

    policy: str
    command_id: str = ""
    queue: str = ""
    parameters: Parameters = ()
    reason: str = ""


@dataclass(frozen=True, slots=True)
class SurgeStarted:
    """``arrivals`` came in ``window_ms``, usual are ``usual_milli`` thousandths; chance does that in ``chance_ppm``."""

    queue: str
    arrivals: int
    window_ms: int
    usual_milli: int
    chance_ppm: int


@dataclass(frozen=True, slots=True)
class SurgeStepTaken:
    """A step of the playbook is in force from now on; ``reversed``: no longer."""

    queue: str
    step: str
    action: SurgeAction
    reversed: bool = False
    to_queue: str = ""
    to_pool: str = ""
    to_team: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class SurgeEnded:
    queue: str
    arrivals: int
    window_ms: int
    usual_milli: int
