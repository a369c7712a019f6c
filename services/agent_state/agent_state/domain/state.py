"""One class a phase: who is ``Ready`` always has a mode; what the agent works on stands beside it."""

from __future__ import annotations

from dataclasses import dataclass

from .events import Activity, Capacity, Card, Leg, Mode, Skill, Standing

BREAK = "break"


@dataclass(frozen=True, slots=True)
class Unregistered:
    pass


@dataclass(frozen=True, slots=True)
class SignedOut:
    pass


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Logged in only: gets no offers and is not staffed (AG-1)."""


@dataclass(frozen=True, slots=True)
class Ready:
    mode: Mode


@dataclass(frozen=True, slots=True)
class NotReady:
    mode: Mode
    reason: str = ""
    planned: bool = False


Presence = SignedOut | SignedIn | Ready | NotReady


@dataclass(frozen=True, slots=True)
class Profile:
    card: Card
    team: str = ""
    skills: tuple[Skill, ...] = ()
    capacity: Capacity = Capacity()


@dataclass(frozen=True, slots=True)
class Work:
    """A leg in hand; in wrap-up once ``wrap_up_ends_at`` is set. Times are epoch milliseconds.

    ``wrap_up_ms`` is its queue's limit; 0: the agent's own.
    """

    leg: Leg
    started_at: int
    wrap_up_ends_at: int | None = None
    wrap_up_ms: int = 0

    @property
    def id(self) -> tuple[str, int]:
        return self.leg.contact, self.leg.leg


@dataclass(frozen=True, slots=True)
class WantedBreak:
    break_id: str
    reason: str
    planned: bool


@dataclass(frozen=True, slots=True)
class Agent:
    """A registered agent. ``since`` is when the present activity began, epoch milliseconds; ``over`` holds the last
    legs that ended, so that news of their start, coming late, is known to be old."""

    id: str
    profile: Profile
    since: int = 0
    presence: Presence = SignedOut()
    pool: str = ""
    leaving_to: str = ""
    works: tuple[Work, ...] = ()
    over: tuple[tuple[str, int], ...] = ()
    wanted_break: WantedBreak | None = None

    def work(self, contact: str, leg: int) -> Work | None:
        return next((work for work in self.works if work.id == (contact, leg)), None)

    def free_slots(self, channel: str) -> int:
        """How many more of ``channel`` fit; negative after capacity was cut below the work in hand."""
        capacity = self.profile.capacity
        costs = {slots.channel: slots.cost for slots in capacity.channels}
        total = sum(slots.slots for slots in capacity.channels if slots.channel == channel)
        free = total - sum(work.leg.channel == channel for work in self.works)
        cost = costs.get(channel, 0)
        if not (capacity.units and cost):
            return free
        return min(free, (capacity.units - sum(costs.get(work.leg.channel, 0) for work in self.works)) // cost)


AgentState = Unregistered | Agent


def activity(state: AgentState) -> Activity:
    """Presence decides who is away, work what the others do, and readiness the rest."""
    match state:
        case Unregistered() | Agent(presence=SignedOut()):
            return Activity.SIGNED_OUT
        case Agent(presence=SignedIn()):
            return Activity.SIGNED_IN
        case Agent(works=works) if any(work.wrap_up_ends_at is None for work in works):
            return Activity.BUSY
        case Agent(works=works) if works:
            return Activity.WRAP_UP
        case Agent(presence=NotReady(reason=reason)):
            return Activity.BREAK if reason == BREAK else Activity.NOT_READY
        case _:
            return Activity.READY


def mode(presence: Presence) -> Mode | None:
    """By what means the agent works now; ``None`` unless checked in."""
    return presence.mode if isinstance(presence, Ready | NotReady) else None


def standing(agent: Agent) -> Standing:
    """What a pool that the agent joins must know."""
    doing = activity(agent)
    return Standing(
        skills=agent.profile.skills,
        capacity=agent.profile.capacity,
        priority=agent.profile.card.priority,
        queues=agent.profile.card.queues,
        ranks=agent.profile.card.ranks,
        attributes=agent.profile.card.attributes,
        activity=doing,
        mode=mode(agent.presence),
        takes_offers=isinstance(agent.presence, Ready),
        idle_since=agent.since if doing == Activity.READY else None,
    )
