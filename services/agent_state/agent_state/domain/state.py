"""One class a phase: who is ``Ready`` always has a mode; what the agent works on stands beside it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from .events import Leg, Mode, Skill, Slots

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
    name: str
    wrap_up_ms: int = 0
    auto_ready: bool = True
    team: str = ""
    skills: tuple[Skill, ...] = ()
    capacity: tuple[Slots, ...] = ()


@dataclass(frozen=True, slots=True)
class Work:
    """A leg in hand; in wrap-up once ``wrap_up_ends_at`` (epoch milliseconds) is set."""

    leg: Leg
    wrap_up_ends_at: int | None = None

    @property
    def id(self) -> tuple[str, int]:
        return self.leg.contact, self.leg.leg


@dataclass(frozen=True, slots=True)
class WantedBreak:
    reason: str
    planned: bool


@dataclass(frozen=True, slots=True)
class Agent:
    """A registered agent. ``over`` holds the last legs that ended, so that news of their start, coming late, is known
    to be old."""

    profile: Profile
    presence: Presence = SignedOut()
    pool: str = ""
    leaving_to: str = ""
    works: tuple[Work, ...] = ()
    over: tuple[tuple[str, int], ...] = ()
    wanted_break: WantedBreak | None = None

    def work(self, contact: str, leg: int) -> Work | None:
        return next((work for work in self.works if work.id == (contact, leg)), None)

    def free_slots(self, channel: str) -> int:
        """Slots of ``channel`` free of work and wrap-up; negative after capacity was cut below the work in hand."""
        total = sum(slots.slots for slots in self.profile.capacity if slots.channel == channel)
        return total - sum(work.leg.channel == channel for work in self.works)


AgentState = Unregistered | Agent


class Activity(StrEnum):
    """What an agent is doing; exactly one at any time (AG-6)."""

    SIGNED_OUT = "signed_out"
    SIGNED_IN = "signed_in"
    READY = "ready"
    BUSY = "busy"
    WRAP_UP = "wrap_up"
    BREAK = "break"
    NOT_READY = "not_ready"


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
