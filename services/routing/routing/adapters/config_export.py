"""What stands at the owners as a file that ``config apply`` takes: only what differs from what is so anyway."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from ..app.configuration import Json, Parts, Place
from . import config_forms as forms
from .forms import HoursIn, QueueIn, WorkflowIn

DOORS: Mapping[str, tuple[str, type[BaseModel]]] = {
    "ingress_chat": ("chat", forms.ChatDoor),
    "ingress_voice": ("voice", forms.VoiceDoor),
}
PLAIN: Mapping[str, tuple[str, type[BaseModel]]] = {
    "pools": ("pools", forms.PoolEntry),
    "skills": ("skills", forms.SkillEntry),
    "workflows": ("workflows", WorkflowIn),
    "queues": ("queues", QueueIn),
    "teams": ("teams", forms.TeamEntry),
    "agents": ("agents", forms.AgentEntry),
}
SECTIONS = ("pools", "skills", "hours", "workflows", "queues", "teams", "entry_points", "agents")


def exported(standing: Parts) -> Json:
    """Sections in the order of ``SECTIONS``, ids in theirs; empty ones are left out."""
    found: dict[str, Json] = {section: {} for section in SECTIONS}
    for place, body in sorted(standing.items()):
        for section, entry in _entries(place, body, standing):
            found[section].setdefault(place.id, entry)
    return {section: entries for section, entries in found.items() if entries}


def _entries(place: Place, body: Json, standing: Parts) -> Iterator[tuple[str, Json]]:
    match place.collection:
        case "hours":
            yield "hours", _hours(place, body, standing)
        case "entry-points":
            channel, door = DOORS[place.owner]
            yield "entry_points", _short(door, {"channel": channel, **body})
        case other:
            section, form = PLAIN[other]
            yield section, _short(form, body)


def _hours(place: Place, body: Json, standing: Parts) -> Json:
    """The pools need not be said where the queues that use them say it."""
    told = {name: value for name, value in body.items() if name != "pools"}
    users = {one["pool"] for at, one in standing.items() if at.collection == "queues" and one["hours"] == place.id}
    more = sorted(set(_pools(place, standing)) - users)
    return {**_short(HoursIn, told), **({"pools": more} if more else {})}


def _pools(place: Place, standing: Parts) -> list[str]:
    found: list[str] = standing.get(Place("routing", "hours", place.id), {}).get("pools", [])
    return found


def _short(form: type[BaseModel], body: Json) -> Any:
    """Without what stands so by default."""
    return form.model_validate(body).model_dump(mode="json", by_alias=True, exclude_defaults=True)
