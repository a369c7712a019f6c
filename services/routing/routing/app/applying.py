"""A wanted configuration compared with what stands, sent to its owners part by part, and looked at again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from .configuration import Change, Json, Parts, Place, difference

AT_ONCE = 12
SEEN_WITHIN_S = 20.0
LOOK_EVERY_S = 0.3

Tell = Callable[[int, int], None]


class Collection(Protocol):
    @property
    def owner(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def removable(self) -> bool: ...


C = TypeVar("C", bound=Collection)


C_contra = TypeVar("C_contra", bound=Collection, contravariant=True)


class Owners(Protocol[C_contra]):
    """Raises ``Rejected`` or ``NotNow``."""

    async def standing(self, collection: C_contra) -> dict[Place, Json]: ...

    async def send(self, change: Change) -> None: ...


@dataclass(frozen=True)
class Plan:
    """What is to be sent, how many parts stand as wanted, and what would be removed if its owner knew how."""

    changes: Sequence[Change]
    unchanged: int
    kept: Sequence[Place] = ()


async def planned(wanted: Parts, owners: Owners[C], collections: Sequence[C], *, remove: bool = False) -> Plan:
    """The difference between ``wanted`` and what stands in the collections that it names parts of."""
    named = [one for one in collections if any((p.owner, p.collection) == (one.owner, one.name) for p in wanted)]
    standing: dict[Place, Json] = {}
    for found in await asyncio.gather(*(owners.standing(one) for one in named)):
        standing |= found
    changes = difference(widened(wanted, standing), standing, remove=remove)
    removable = {(one.owner, one.name) for one in named if one.removable}
    gone = [one for one in changes if one.kind == "removed"]
    kept = [one.place for one in gone if (one.place.owner, one.place.collection) not in removable]
    sent = [one for one in changes if one.place not in kept]
    return Plan(sent, len(wanted) - sum(one.kind != "removed" for one in sent), kept)


def widened(wanted: Parts, standing: Parts) -> dict[Place, Json]:
    """Opening hours stay in pools that the wanted side does not name: only a removal takes them out."""
    return {place: _wider(body, standing.get(place, {})) for place, body in wanted.items()}


def _wider(body: Json, standing: Json) -> Json:
    if not isinstance(body.get("pools"), list):
        return body
    return {**body, "pools": sorted({*body["pools"], *standing.get("pools", ())})}


async def applied(plan: Plan, wanted: Parts, owners: Owners[C], collections: Sequence[C], tell: Tell) -> Plan:
    """Send ``plan``, what others name first, removals last; the plan that is left once the owners show it: none."""
    done = 0
    for group in _groups(plan.changes, collections):
        limit = asyncio.Semaphore(AT_ONCE)

        async def send(change: Change, limit: asyncio.Semaphore = limit) -> None:
            nonlocal done
            async with limit:
                await owners.send(change)
            done += 1
            tell(done, len(plan.changes))

        await _together(send(change) for change in group)
    removed = any(change.kind == "removed" for change in plan.changes)
    return await _seen(wanted, owners, collections, remove=removed) if plan.changes else plan


async def _together(doing: Iterable[Coroutine[Any, Any, None]]) -> None:
    async with asyncio.TaskGroup() as tasks:
        for one in doing:
            tasks.create_task(one)


def _groups(changes: Sequence[Change], collections: Sequence[C]) -> list[list[Change]]:
    order = [(one.owner, one.name) for one in collections]
    told = [[c for c in changes if _at(c) == place and c.kind != "removed"] for place in order]
    gone = [[c for c in changes if _at(c) == place and c.kind == "removed"] for place in reversed(order)]
    return [group for group in (*told, *gone) if group]


def _at(change: Change) -> tuple[str, str]:
    return change.place.owner, change.place.collection


async def _seen(wanted: Parts, owners: Owners[C], collections: Sequence[C], *, remove: bool) -> Plan:
    """Read models follow their facts: look until they show what was sent."""
    deadline = asyncio.get_running_loop().time() + SEEN_WITHIN_S
    while (left := await planned(wanted, owners, collections, remove=remove)).changes:
        if asyncio.get_running_loop().time() > deadline:
            break
        await asyncio.sleep(LOOK_EVERY_S)
    return left
