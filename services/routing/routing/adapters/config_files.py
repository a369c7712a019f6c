"""A configuration file read whole before anything is done with it: every mistake by line and column, or all of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from ..app.configuration import Configuration, Place
from ..domain.commands import ChoosePolicy, DefineHours, DefineQueue, DefineWorkflow, Order
from ..domain.events import DEFAULT_POLICY
from . import config_forms as forms
from . import forms as basic
from .config_checks import Known, wrong_names
from .defined import hours_of, queue_of, workflow_of
from .definitions import hours_definition, ordered, queue_definition, shown, workflow_definition
from .forms import HoursIn, QueueIn
from .yaml_marks import Document, Mistake, Mistakes, document

Shaped = tuple[Document, forms.ConfigFile]
DOORS = {"chat": "ingress_chat", "voice": "ingress_voice"}


def read_config(path: Path, known: Known | None = None) -> Configuration:
    """The file's configuration; ``known`` are names that stand already. Raises ``Mistakes`` or ``OSError``."""
    return config_in(path.read_text(), known)


def config_in(text: str, known: Known | None = None) -> Configuration:
    """As ``read_config``, of the text itself."""
    return config_of(shaped(text), known)


def shaped(text: str) -> Shaped:
    """Raises ``Mistakes`` for what can be told from the file alone, names that lead elsewhere left aside."""
    told = document(text)
    return told, _file(told)


def config_of(read: Shaped, known: Known | None = None) -> Configuration:
    """Raises ``Mistakes`` for names that lead nowhere."""
    told, file = read
    if found := [told.mistake(path, said) for path, said in wrong_names(file, known or Known())]:
        raise Mistakes(found)
    queues = {id: _queue(file, id) for id in file.queues}
    hours = {id: _pools_of(file, id, entry, queues) for id, entry in file.hours.items()}
    return Configuration(_orders(file, queues, hours), dict(_parts(file, queues, hours)))


def _file(told: Document) -> forms.ConfigFile:
    try:
        return forms.ConfigFile.model_validate(told.value if told.value is not None else {})
    except ValidationError as error:
        raise Mistakes([_mistake(told, one) for one in error.errors(include_url=False)]) from None


# -- what stands for what ----------------------------------------------------------------------------------------------


def _queue(file: forms.ConfigFile, id: str) -> QueueIn:
    """With its named policy and target written out, and the pools of queues that it names."""
    entry = file.queues[id]
    said = entry.model_dump(exclude={"target"}, exclude_unset=True)
    if entry.target:
        said = file.targets[entry.target].model_dump(exclude_unset=True) | said
    if "@" not in entry.policy and entry.policy:
        named = file.policies[entry.policy]
        said |= {"policy": named.policy, "parameters": named.parameters | entry.parameters}
    for one in [*said.get("overflows", ()), *((said.get("surge") or {}).get("steps", ()))]:
        to_queue = one.get("to_queue", "")
        if to_queue and not one.get("to_pool"):
            one["to_pool"] = file.queues[to_queue].pool if to_queue in file.queues else entry.pool
    return QueueIn.model_validate(said)


def _policy(file: forms.ConfigFile, entry: forms.PoolEntry) -> dict[str, Any]:
    if "@" in entry.policy or not entry.policy:
        return {"policy": entry.policy or DEFAULT_POLICY, "parameters": entry.parameters}
    named = file.policies[entry.policy]
    return {"policy": named.policy, "parameters": named.parameters | entry.parameters}


def _pools_of(file: forms.ConfigFile, id: str, entry: forms.HoursEntry, queues: Mapping[str, QueueIn]) -> list[str]:
    """The pools to be told of opening hours: whose queues use them, and those named."""
    return sorted({*entry.pools, *(queue.pool for queue in queues.values() if queue.hours == id)})


def _pool_names(file: forms.ConfigFile) -> list[str]:
    queues, workflows = file.queues.values(), file.workflows.values()
    return sorted({*file.pools, *(queue.pool for queue in queues), *(workflow.pool for workflow in workflows)})


# -- what is made of it ------------------------------------------------------------------------------------------------


def _orders(
    file: forms.ConfigFile, queues: Mapping[str, QueueIn], hours: Mapping[str, Sequence[str]]
) -> dict[str, list[Order]]:
    """By pool."""
    return {pool: list(_orders_of(file, pool, queues, hours)) for pool in _pool_names(file)}


def _orders_of(
    file: forms.ConfigFile, pool: str, queues: Mapping[str, QueueIn], hours: Mapping[str, Sequence[str]]
) -> Iterator[Order]:
    for id, opening in file.hours.items():
        if pool in hours[id]:
            yield DefineHours(hours_of(hours_definition(id, opening)), f"config-hours-{id}")
    for id, workflow in file.workflows.items():
        if workflow.pool == pool:
            yield DefineWorkflow(workflow_of(workflow_definition(id, workflow)), f"config-workflow-{id}")
    for id, form in queues.items():
        if form.pool == pool:
            yield DefineQueue(queue_of(queue_definition(id, form)), f"config-queue-{id}")
    if pool in file.pools:
        chosen = _policy(file, file.pools[pool])
        parameters = tuple(sorted(chosen["parameters"].items()))
        yield ChoosePolicy(chosen["policy"], f"config-policy-{pool}", parameters=parameters)


def _parts(
    file: forms.ConfigFile, queues: Mapping[str, QueueIn], hours: Mapping[str, Sequence[str]]
) -> Iterator[tuple[Place, dict[str, Any]]]:
    """In the order in which they are sent: what others name comes first."""
    for id, team in file.teams.items():
        yield Place("agent_state", "teams", id), shown(team)
    for id, skill in file.skills.items():
        yield Place("routing", "skills", id), shown(skill)
    for id, entry in file.hours.items():
        yield from _hours_parts(file, id, entry, hours[id])
    for id, workflow in file.workflows.items():
        yield Place("routing", "workflows", id), shown(workflow)
    for id, queue in queues.items():
        yield Place("routing", "queues", id), shown(queue)
    for id, pool in file.pools.items():
        yield Place("routing", "pools", id), _policy(file, pool)
    for id, door in file.entry_points.items():
        body = shown(door)
        yield Place(DOORS[body.pop("channel")], "entry-points", id), body
    for id, agent in file.agents.items():
        yield Place("agent_state", "agents", id), ordered(shown(agent))


def _hours_parts(
    file: forms.ConfigFile, id: str, entry: forms.HoursEntry, pools: Sequence[str]
) -> Iterator[tuple[Place, dict[str, Any]]]:
    """To every service that keeps them: routing for queues, the ingresses for entry points."""
    body = shown(HoursIn(**entry.model_dump(exclude={"pools"})))
    if pools:
        yield Place("routing", "hours", id), {**body, "pools": list(pools)}
    for channel, owner in DOORS.items():
        if any(door.channel == channel and door.hours == id for door in file.entry_points.values()):
            yield Place(owner, "hours", id), body


# -- what is said of mistakes ------------------------------------------------------------------------------------------

EXPECTED = {
    "Id": "an id such as help-desk (letters, digits and . _ @ -, at most 64)",
    "Span": "a span such as 09:00-12:30",
    "LocalTime": "a time of day such as 22:00",
}


def _mistake(told: Document, error: Any) -> Mistake:
    path = tuple(step for step in error["loc"] if step != "[key]")
    if path[:1] == ("entry_points",) and len(path) > 2 and path[2] in DOORS:
        path = (*path[:2], *path[3:])  # which of the two kinds it is, is no place in the file
    of_key = error["type"] == "extra_forbidden" or "[key]" in error["loc"]
    return told.mistake(path, _said(path, error), of_key=of_key)


def _said(path: Sequence[str | int], error: Any) -> str:
    given = error["input"]
    match error["type"]:
        case "extra_forbidden":
            return _unknown(path)
        case "missing":
            return "is missing"
        case "value_error":
            return str(error["ctx"]["error"])
        case "union_tag_not_found":
            return "channel is missing: chat or voice"
        case "union_tag_invalid":
            return f"channel: expected chat or voice, not {error['ctx']['tag']!r}"
        case "string_pattern_mismatch":
            return f"expected {_pattern(error['ctx']['pattern'])}, not {given!r}"
        case _:
            said = error["msg"].replace("Input should be", "expected").replace("String should", "text should")
            return f"{said}, not {given!r}" if isinstance(given, str) else said


def _pattern(pattern: str) -> str:
    for name, words in EXPECTED.items():
        if pattern in (_source(getattr(basic, name)), _source(getattr(basic, f"Maybe{name}", None))):
            return words
    return f"what matches {pattern}"


def _source(kind: Any) -> str:
    return next((str(one.pattern) for field in getattr(kind, "__metadata__", ()) for one in field.metadata), "")


def _unknown(path: Sequence[str | int]) -> str:
    known = sorted(_fields(path[:-1]))
    close = get_close_matches(str(path[-1]), known, 1)
    meant = f"; did you mean {close[0]}?" if close else ""
    return f"is not known here{meant} (known: {', '.join(known)})"


def _fields(path: Sequence[str | int]) -> set[str]:
    """The names that may stand at ``path``."""
    kinds: list[Any] = [forms.ConfigFile]
    for step in path:
        kinds = [inner for kind in kinds for inner in _inside(kind, step)]
    models = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)]
    return {field.alias or name for model in models for name, field in model.model_fields.items()}


def _inside(kind: Any, step: str | int) -> Iterator[Any]:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        field = next((one for name, one in kind.model_fields.items() if step in (name, one.alias)), None)
        yield from _bare(field.annotation) if field else ()
    elif arguments := get_args(kind):
        yield from _bare(arguments[-1])


def _bare(kind: Any) -> Iterator[Any]:
    """Without Annotated, and each of a union."""
    if get_origin(kind) is Annotated:
        yield from _bare(get_args(kind)[0])
    elif get_origin(kind) in (Union, UnionType):
        for one in get_args(kind):
            yield from _bare(one)
    else:
        yield kind
