"""Names in a configuration that must lead somewhere: to the file itself, or to what stands already."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches

from ..domain.events import DEFAULT_POLICY
from ..domain.policies import POLICIES
from ..domain.settings import Setting, order_error, setting_error
from .cel import Cel
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
        yield from _of_parameters(pool.parameters, "pools", id, "parameters")
    for id, named in file.policies.items():
        yield from _of_policy(names, named.policy, "policies", id, "policy")
        yield from _of_parameters(named.parameters, "policies", id, "parameters")
    for id, door in file.entry_points.items():
        at = ("entry_points", id)
        yield from names.wrong("queues", door.queue, *at, "queue")
        yield from names.wrong("queues", door.closed_queue, *at, "closed_queue")
        yield from names.wrong("hours", door.hours, *at, "hours")
    yield from _of_agents(names)


def _of_queue(names: Names, id: str, queue: QueueEntry) -> Iterator[Wrong]:
    at = ("queues", id)
    yield from _of_policy(names, queue.policy, *at, "policy")
    yield from _of_parameters(queue.parameters, *at, "parameters")
    yield from _of_expression(queue.targeting, *at, "targeting")
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
        yield from _of_expression(target.expression, *at, "targets", n, "expression")
        yield from _of_expression(target.skip_if, *at, "targets", n, "skip_if")
        if wrong := order_error(target.order_by):
            yield (*at, "targets", n, "order_by"), wrong
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


def _of_parameters(given: Mapping[str, str], *path: str | int) -> Iterator[Wrong]:
    """What every policy takes."""
    for key, value in given.items():
        if wrong := setting_error(Setting(DEFAULT_POLICY, ((key, value),))):
            yield (*path, key), wrong


def _of_expression(text: str, *path: str | int) -> Iterator[Wrong]:
    if text and (wrong := Cel().error(text)):
        yield path, f"says nothing: {wrong}"


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
