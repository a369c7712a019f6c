"""What may be asked of an agent's stream."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from .events import Capacity, Card, EndedBy, Forced, Leg, Mode, Skill


@dataclass(frozen=True, slots=True)
class RegisterAgent:
    """Make the agent as described, or bring it up to date; with ``only_new`` an existing one is refused (AG-4)."""

    agent: str
    card: Card
    team: str
    pool: str
    skills: tuple[Skill, ...] = ()
    capacity: Capacity = Capacity()
    only_new: bool = False


@dataclass(frozen=True, slots=True)
class SignIn:
    pass


@dataclass(frozen=True, slots=True)
class CheckIn:
    mode: Mode


@dataclass(frozen=True, slots=True)
class BeReady:
    pass


@dataclass(frozen=True, slots=True)
class BeNotReady:
    reason: str
    planned: bool = False


@dataclass(frozen=True, slots=True)
class RequestBreak:
    break_id: str
    reason: str
    planned: bool = False


@dataclass(frozen=True, slots=True)
class ApproveBreak:
    approved_by: str


@dataclass(frozen=True, slots=True)
class EndWrapUp:
    """Of one leg; of any with ``leg`` 0; of all the agent has when ``contact`` is empty."""

    contact: str = ""
    leg: int = 0
    by: EndedBy = EndedBy.AGENT


@dataclass(frozen=True, slots=True)
class CheckOut:
    pass


@dataclass(frozen=True, slots=True)
class SignOut:
    pass


class ForcedState(StrEnum):
    READY = "ready"
    NOT_READY = "not_ready"
    SIGNED_OUT = "signed_out"


@dataclass(frozen=True, slots=True)
class ForceState:
    """A supervisor decides where the agent stands (RT-8); work in hand goes on."""

    state: ForcedState
    forced: Forced


@dataclass(frozen=True, slots=True)
class StartWork:
    """Routing has assigned the leg to this agent; ``wrap_up_ms`` is its queue's limit of a wrap-up, 0: none."""

    work: Leg
    offer_id: str = ""
    wrap_up_ms: int = 0


@dataclass(frozen=True, slots=True)
class EndWork:
    """The agent has left the leg, whoever ended it; who was never connected has nothing to wrap up."""

    work: Leg
    connected: bool = True


@dataclass(frozen=True, slots=True)
class MissOffer:
    """An offer expired unanswered (RT-2)."""

    offer: str


@dataclass(frozen=True, slots=True)
class ChangePool:
    to_pool: str


@dataclass(frozen=True, slots=True)
class ReleaseFromPool:
    """The pool has let the agent go."""

    pool: str


# of an agent who is registered
DailyCommand = (
    SignIn
    | CheckIn
    | BeReady
    | BeNotReady
    | RequestBreak
    | ApproveBreak
    | EndWrapUp
    | CheckOut
    | SignOut
    | ForceState
    | StartWork
    | EndWork
    | MissOffer
    | ChangePool
    | ReleaseFromPool
)
AgentCommand = RegisterAgent | DailyCommand
