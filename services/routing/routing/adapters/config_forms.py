"""The file of a whole centre: what may stand in it, section by section, each part as its owner's API takes it.

Agents, teams and entry points belong to other services, whose own forms decide in the end; these say the same earlier.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from switchlog.web import Body

from .forms import (
    Channel,
    HoursIn,
    Id,
    IntervalTargetIn,
    MaybeId,
    Name,
    Parameters,
    PolicyIn,
    Priority,
    QueueIn,
    Seconds,
    Share,
    WorkflowIn,
)

PolicyRef = Annotated[str, Field(pattern=r"^([A-Za-z0-9][A-Za-z0-9._-]{0,63}|[a-z0-9-]{1,50}@[0-9]{1,6})?$")]
Origin = Annotated[str, Field(max_length=256, pattern=r"^https?://[A-Za-z0-9.\[\]:-]+$")]
Attribute = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,63}$")]
Many = Field(max_length=1_000_000)


class PoolEntry(Body):
    """``policy`` is ``name@version`` or one of the section ``policies``."""

    policy: PolicyRef = ""
    parameters: Parameters = {}


class PoolPart(Body):
    """As the owner takes it."""

    policy: str
    parameters: Parameters = {}


class QueueEntry(QueueIn):
    """A queue of the file: ``policy`` and ``target`` may be names of the sections ``policies`` and ``targets``."""

    policy: PolicyRef = ""
    target: MaybeId = ""


class TargetEntry(Body):
    """What queues promise; what a queue says itself counts more."""

    service_level_threshold_s: Annotated[float, Field(ge=1, le=86_400)] = 20.0
    service_level_target: Share = 0.0
    thresholds_s: Annotated[list[Annotated[int, Field(ge=1, le=86_400)]], Field(max_length=32)] = []
    short_abandon_s: Seconds = 0.0
    interval_targets: Annotated[list[IntervalTargetIn], Field(max_length=32)] = []


class HoursEntry(HoursIn):
    """``pools``: also told of it, beside those whose queues use it."""

    pools: Annotated[list[Id], Field(max_length=100)] = []


class SkillEntry(Body):
    name: Name = ""


class TeamEntry(Body):
    name: Name = ""


class ChatDoor(Body):
    """A public door for chats; ``when_closed`` says what becomes of who comes outside the hours."""

    channel: Literal["chat"]
    site_key: Annotated[str, Field(min_length=8, max_length=128, pattern=r"^[A-Za-z0-9._-]+$")]
    queue: Id
    name: Name = ""
    allowed_origins: Annotated[list[Origin], Field(max_length=32)] = []
    languages: Annotated[list[Name], Field(max_length=32)] = []
    declared_attributes: Annotated[list[Id], Field(max_length=32)] = []
    priority: Priority = 0
    reconnect_grace_s: Annotated[float, Field(ge=0, le=3600)] = 60.0
    hours: MaybeId = ""
    when_closed: Literal["end", "message", "queue"] = "end"
    closed_queue: MaybeId = ""
    last_agent_days: Annotated[int, Field(ge=0, le=366)] = 0
    last_agent_wait_s: Annotated[int, Field(ge=0, le=3600)] = 0


class VoiceDoor(Body):
    """An access number."""

    channel: Literal["voice"]
    called: Annotated[str, Field(min_length=1, max_length=32, pattern=r"^[0-9+*#A-Za-z.-]+$")]
    queue: Id
    name: Name = ""
    greeting: Id = "greeting"
    priority: Priority = 0
    hours: MaybeId = ""
    when_closed: Literal["end", "message", "queue"] = "end"
    closed_queue: MaybeId = ""
    last_agent_days: Annotated[int, Field(ge=0, le=366)] = 0
    last_agent_wait_s: Annotated[int, Field(ge=0, le=3600)] = 0


Door = Annotated[ChatDoor | VoiceDoor, Field(discriminator="channel")]


class AgentSkill(Body):
    skill: Id
    level: Annotated[int, Field(ge=1, le=100)] = 1


class AgentSlots(Body):
    channel: Channel
    slots: Annotated[int, Field(ge=0, le=100)]
    cost: Annotated[int, Field(ge=0, le=10_000)] = 0
    interruptible: bool = False


class AgentEntry(Body):
    """The whole of an agent: what is not named is gone."""

    name: Annotated[str, Field(min_length=1, max_length=200)]
    team: Id
    pool: Id
    skills: Annotated[list[AgentSkill], Field(max_length=200)] = []
    capacity: Annotated[list[AgentSlots], Field(max_length=20)] = []
    units: Annotated[int, Field(ge=0, le=100_000)] = 0
    wrap_up_s: Seconds = 0.0
    auto_ready: bool = True
    priority: Priority = 0
    queues: Annotated[list[Id], Field(max_length=200)] = []
    languages: Annotated[list[Annotated[str, Field(max_length=35)]], Field(max_length=50)] = []
    ranks: Annotated[dict[Id, Priority], Field(max_length=200)] = {}
    attributes: Annotated[dict[Attribute, Name], Field(max_length=50)] = {}


class ConfigFile(Body):
    """Every section is optional; what a file does not name stays as it is."""

    pools: Annotated[dict[Id, PoolEntry], Many] = {}
    queues: Annotated[dict[Id, QueueEntry], Many] = {}
    skills: Annotated[dict[Id, SkillEntry], Many] = {}
    policies: Annotated[dict[Id, PolicyIn], Many] = {}
    workflows: Annotated[dict[Id, WorkflowIn], Many] = {}
    hours: Annotated[dict[Id, HoursEntry], Many] = {}
    entry_points: Annotated[dict[Id, Door], Many] = {}
    teams: Annotated[dict[Id, TeamEntry], Many] = {}
    targets: Annotated[dict[Id, TargetEntry], Many] = {}
    agents: Annotated[dict[Id, AgentEntry], Many] = {}
