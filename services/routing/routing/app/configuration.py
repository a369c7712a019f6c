"""A centre's configuration: what its pools are told, and each part as its owner's API takes it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..domain.commands import Order

Json = dict[str, Any]
Parts = Mapping["Place", Json]


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where a part of the configuration stands: whose API, which collection of it (as in the path), and its id."""

    owner: str
    collection: str
    id: str

    def __str__(self) -> str:
        return f"{self.collection}/{self.id}" if self.collection != "hours" else f"hours/{self.id} ({self.owner})"


@dataclass(frozen=True)
class Configuration:
    """``orders`` are what each pool is told, in order, so that an engine without a network can be told the same.

    ``parts`` are the bodies of the owners' APIs, complete: what was not written stands by its default.
    """

    orders: Mapping[str, Sequence[Order]] = field(default_factory=dict)
    parts: Parts = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a part: ``before`` is ``None`` when nothing stood there."""

    name: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class Change:
    """``kind`` is added, changed or removed; ``fields`` say what is new, or differs."""

    kind: str
    place: Place
    fields: tuple[Field, ...] = ()
    body: Json = field(default_factory=dict)


def difference(wanted: Parts, standing: Parts, *, remove: bool = False) -> list[Change]:
    """What must be sent for ``standing`` to be ``wanted``; what is not named stays unless ``remove``."""
    changes = [change for place, body in wanted.items() if (change := _change(place, body, standing.get(place)))]
    if remove:
        collections = {(place.owner, place.collection) for place in wanted}
        gone = [place for place in standing if place not in wanted and (place.owner, place.collection) in collections]
        changes += [Change("removed", place) for place in sorted(gone)]
    return changes


def _change(place: Place, body: Json, standing: Json | None) -> Change | None:
    if standing is None:
        fields = tuple(Field(name, None, value) for name, value in body.items() if value not in ("", [], {}, None))
        return Change("added", place, fields, body)
    fields = tuple(_fields(body, standing))
    return Change("changed", place, fields, body) if fields else None


def _fields(body: Json, standing: Json, within: str = "") -> Iterator[Field]:
    """Only what the wanted side names is compared: an owner may tell more."""
    for name, value in body.items():
        before = standing.get(name)
        if isinstance(value, dict) and isinstance(before, dict) and value and before:
            yield from _fields({key: value.get(key) for key in {**before, **value}}, before, f"{within}{name}.")
        elif value != before:
            yield Field(f"{within}{name}", before, value)
