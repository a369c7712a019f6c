"""Request bodies of agents' commands."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from switchlog.web import Body

from .. import wire
from ..domain.commands import ForcedState, ForceState, RegisterAgent
from ..domain.events import Capacity, Card, Forced, Mode, Skill, Slots

ID = r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$"
Id = Annotated[str, Field(pattern=ID)]
Key = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,63}$")]
Reason = Annotated[str, Field(pattern=ID, description="The reason's id, such as lunch.")]
Channel = StrEnum("Channel", sorted(wire.CHANNELS))  # type: ignore[misc]  # the contract's list, not a second one


class SkillIn(Body):
    skill: Id
    level: int = Field(default=1, ge=1, le=100)


class SlotsIn(Body):
    channel: Channel
    slots: int = Field(ge=0, le=100)
    cost: int = Field(default=0, ge=0, le=10_000)
    interruptible: bool = False

    def slots_of(self) -> Slots:
        return Slots(self.channel.value, self.slots, self.cost, self.interruptible)


class AgentIn(Body):
    """The whole of an agent: what is not named is gone."""

    name: str = Field(min_length=1, max_length=200)
    team: Id
    pool: Id
    skills: list[SkillIn] = Field(default=[], max_length=200)
    capacity: list[SlotsIn] = Field(default=[], max_length=20)
    units: int = Field(default=0, ge=0, le=100_000)
    wrap_up_s: float = Field(default=0, ge=0, le=86_400)
    auto_ready: bool = True
    priority: int = Field(default=0, ge=-1000, le=1000)
    queues: list[Id] = Field(default=[], max_length=200)
    languages: list[Annotated[str, Field(max_length=35)]] = Field(default=[], max_length=50)
    ranks: dict[Id, Annotated[int, Field(ge=-1000, le=1000)]] = Field(default={}, max_length=200)
    attributes: dict[Key, Annotated[str, Field(max_length=128)]] = Field(default={}, max_length=50)

    def command(self, agent: str, only_new: bool) -> RegisterAgent:
        """The command for ``agent``."""
        return RegisterAgent(
            agent,
            Card(
                self.name,
                int(self.wrap_up_s * 1000),
                self.auto_ready,
                self.priority,
                tuple(self.queues),
                tuple(self.languages),
                tuple(sorted(self.ranks.items())),
                tuple(sorted(self.attributes.items())),
            ),
            self.team,
            self.pool,
            tuple(Skill(one.skill, one.level) for one in self.skills),
            Capacity(tuple(one.slots_of() for one in self.capacity), self.units),
            only_new,
        )


class TeamIn(Body):
    name: Annotated[str, Field(max_length=128)] = ""


class CheckInIn(Body):
    mode: Mode = Mode.WEB


class NotReadyIn(Body):
    reason: Reason
    planned: bool = False


class EndWrapUpIn(Body):
    """Without ``contact`` every wrap-up of the agent ends, without ``leg`` every one of the contact."""

    contact: Id | None = None
    leg: int | None = Field(default=None, ge=1, le=10_000)


class PoolIn(Body):
    pool: Id


class ForceStateIn(Body):
    state: ForcedState
    reason: Reason = "supervisor"

    def command(self, by: str) -> ForceState:
        return ForceState(self.state, Forced(by, self.reason))
