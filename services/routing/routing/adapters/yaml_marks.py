"""YAML read with the place of everything in it, so that a mistake can be told by line and column.

Scalars stay the text that stands there (``null`` and nothing are ``None``): what it means, the forms decide, so that
``no``, ``007`` and ``22:00`` never turn into something else.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

NOTHING = frozenset({"", "~", "null"})
MERGE = "<<"
MAX_DEPTH = 30


@dataclass(frozen=True, slots=True)
class Mistake:
    """Line and column count from 1; ``where`` is the path, such as ``queues.help.max_length``."""

    line: int
    column: int
    where: str
    said: str

    def __str__(self) -> str:
        place = f"line {self.line}, column {self.column}"
        return f"{place}: {self.text}"

    @property
    def text(self) -> str:
        """What is wrong, and of what."""
        return f"{self.where}: {self.said}" if self.where else self.said


class Mistakes(Exception):
    """What is wrong with a file, in the order of the lines; nothing of it was used."""

    def __init__(self, found: Sequence[Mistake]) -> None:
        self.found = sorted(found, key=lambda one: (one.line, one.column))
        super().__init__("\n".join(map(str, self.found)))


@dataclass(frozen=True)
class Document:
    """``value`` is the plain data; a path of keys and indexes leads to a place in it."""

    value: Any
    _root: Node | None

    def mistake(self, path: Sequence[str | int], said: str, *, of_key: bool = False) -> Mistake:
        """At the last step of ``path`` that stands in the file: at its value, or ``of_key``."""
        node, mark = self._root, self._root.start_mark if self._root else yaml.Mark("", 0, 0, 0, None, 0)
        for step in path:
            found = _step(node, step)
            if found is None:
                break
            node, key = found
            mark = key if of_key or isinstance(node, MappingNode | SequenceNode) else node.start_mark
        return Mistake(mark.line + 1, mark.column + 1, ".".join(map(str, path)), said)


def document(text: str) -> Document:
    """Raises ``Mistakes`` for what is no YAML, or names a thing twice."""
    try:
        root = yaml.compose(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        raise Mistakes([Mistake(*place, "", error.problem or str(error))]) from None
    except yaml.YAMLError as error:
        raise Mistakes([Mistake(1, 1, "", str(error))]) from None
    return Document(_plain(root, 0) if root is not None else None, root)


def _plain(node: Node, depth: int) -> Any:
    if depth > MAX_DEPTH:
        raise Mistakes([_at(node, "nested too deep")])
    if isinstance(node, MappingNode):
        return _mapping(node, depth)
    if isinstance(node, SequenceNode):
        return [_plain(one, depth + 1) for one in node.value]
    bare = isinstance(node, ScalarNode) and node.style is None
    return None if bare and node.value in NOTHING else node.value


def _mapping(node: MappingNode, depth: int) -> dict[str, Any]:
    own: dict[str, Any] = {}
    merged: dict[str, Any] = {}
    for key, value in node.value:
        if not isinstance(key, ScalarNode):
            raise Mistakes([_at(key, "a key is a plain word")])
        if key.value in own:
            raise Mistakes([_at(key, f"{key.value!r} stands here twice")])
        if key.value == MERGE:
            for one in _merged(value):
                merged = _plain(one, depth + 1) | merged
        else:
            own[key.value] = _plain(value, depth + 1)
    return merged | own


def _merged(node: Node) -> Iterator[Node]:
    """What ``<<`` brings in; of two that name the same, the first counts."""
    for one in node.value if isinstance(node, SequenceNode) else [node]:
        if not isinstance(one, MappingNode):
            raise Mistakes([_at(one, "<< takes a mapping")])
        yield one


def _step(node: Node | None, step: str | int) -> tuple[Node, yaml.Mark] | None:
    """What stands under ``step``, and where the step itself stands."""
    if isinstance(node, SequenceNode) and isinstance(step, int) and step < len(node.value):
        return node.value[step], node.value[step].start_mark
    if not isinstance(node, MappingNode):
        return None
    own = ((value, key.start_mark) for key, value in node.value if key.value == str(step))
    brought = (_step(one, step) for key, value in node.value if key.value == MERGE for one in _merged(value))
    return next(own, None) or next(filter(None, brought), None)


def _at(node: Node, said: str) -> Mistake:
    return Mistake(node.start_mark.line + 1, node.start_mark.column + 1, "", said)
