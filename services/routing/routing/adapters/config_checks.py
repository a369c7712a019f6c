"""Names in a configuration that must lead somewhere: to the file itself, or to what stands already."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches

from ..domain.policies import POLICIES
from .config_forms import ConfigFile, QueueEntry
from .forms import WorkflowIn

Path = tuple[str | int, ...]
Wrong = tuple[Path, str]
# a file that stands alone may leave these to others
OPEN = frozenset({"pools", "queues", "skills", "teams"})


@dataclass(frozen=True)
class Known:
    """Names that stand already, by section."""

    names: dict[str, frozenset[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Names:
    file: ConfigFile
    known: Known

    def wrong(self, section: str, name: str, *path: str | int) -> Iterator[Wrong]:
        """At ``path`` a name of ``section`` that leads nowhere; an empty one means none."""
        names = {*getattr(self.file, section), *self.known.names.get(section, ())}
        if section == "pools":  # there is a pool as soon as there is a queue in it
            names |= {queue.pool for queue in self.file.queues.values()}
        if name and name not in names and (names or section not in OPEN):
            yield path, _nowhere(section, name, names)


def wrong_names(file: ConfigFile, known: Known) -> Iterator[Wrong]:
    names = Names(file, known)
    for id, queue in file.queues.items():
        yield from _of_queue(names, id, queue)
    for id, workflow in file.workflows.items():
        yield from _of_workflow(names, id, workflow)
    for id, pool in file.pools.items():
        yield from _of_policy(names, pool.policy, "pools", id, "policy")
    for id, named in file.policies.items():
        yield from _of_policy(names, named.policy, "policies", id, "policy")
    for id, door in file.entry_points.items():
        at = ("entry_points", id)
        yield from names.wrong("queues", door.queue, *at, "queue")
        yield from names.wrong("queues", door.closed_queue, *at, "closed_queue")
        yield from names.wrong("hours", door.hours, *at, "hours")
    yield from _of_agents(names)


def _of_queue(names: Names, id: str, queue: QueueEntry) -> Iterator[Wrong]:
    at = ("queues", id)
    yield from _of_policy(names, queue.policy, *at, "policy")
    for section, name in (("targets", "target"), ("hours", "hours"), ("workflows", "workflow")):
        yield from names.wrong(section, getattr(queue, name), *at, name)
    for list_name in ("required_skills", "relaxations"):
        for n, one in enumerate(getattr(queue, list_name)):
            yield from names.wrong("skills", one.skill, *at, list_name, n, "skill")
    for n, rule in enumerate(queue.overflows):
        yield from names.wrong("queues", rule.to_queue, *at, "overflows", n, "to_queue")
        yield from names.wrong("teams", rule.to_team, *at, "overflows", n, "to_team")
        if rule.to_queue == id:
            yield (*at, "overflows", n, "to_queue"), "a queue cannot overflow into itself"


def _of_workflow(names: Names, id: str, workflow: WorkflowIn) -> Iterator[Wrong]:
    at = ("workflows", id)
    yield from names.wrong("pools", workflow.pool, *at, "pool")
    for n, target in enumerate(workflow.targets):
        yield from names.wrong("queues", target.queue, *at, "targets", n, "queue")
        placed = names.file.queues.get(target.queue)
        if placed and placed.pool != workflow.pool:
            yield (
                (*at, "targets", n, "queue"),
                f"{target.queue} is in pool {placed.pool}, the workflow in {workflow.pool}",
            )


def _of_policy(names: Names, policy: str, *path: str | int) -> Iterator[Wrong]:
    """``name@version`` that this version knows, or a name of the section."""
    if "@" not in policy:
        yield from names.wrong("policies", policy, *path)
    elif policy not in POLICIES:
        yield path, f"no policy {policy!r}; there are {', '.join(sorted(POLICIES))}"


def _of_agents(names: Names) -> Iterator[Wrong]:
    for id, agent in names.file.agents.items():
        at = ("agents", id)
        yield from names.wrong("teams", agent.team, *at, "team")
        yield from names.wrong("pools", agent.pool, *at, "pool")
        for n, skill in enumerate(agent.skills):
            yield from names.wrong("skills", skill.skill, *at, "skills", n, "skill")
        for n, queue in enumerate(agent.queues):
            yield from names.wrong("queues", queue, *at, "queues", n)


def _nowhere(section: str, name: str, names: Iterable[str]) -> str:
    close: Sequence[str] = get_close_matches(name, sorted(names), 1)
    return f"no {name!r} in {section}" + (f"; did you mean {close[0]}?" if close else "")
