"""An engine of expressions for histories that are to be replayed for ever: `subject.path OP literal`, joined by &&."""

from __future__ import annotations

import json
import operator
from collections.abc import Callable
from typing import Any

from routing.domain.expressions import Subjects

OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
    "in": lambda one, many: one in many,
}


class Plain:
    """No library of others decides here, so that none can decide otherwise tomorrow."""

    engine = "plain@1"

    def error(self, expression: str) -> str:
        wrong = [part for part in _parts(expression) if len(part) != 3 or part[1] not in OPERATORS]
        return f"what is {' '.join(wrong[0])!r}?" if wrong else ""

    def holds(self, expression: str, subjects: Subjects) -> bool:
        try:
            return all(
                OPERATORS[op](_value(left, subjects), _value(right, subjects)) for left, op, right in _parts(expression)
            )
        except (KeyError, TypeError, ValueError):
            return False


def _parts(expression: str) -> list[list[str]]:
    return [part.strip().strip("()").split() for part in expression.split("&&")]


def _value(text: str, subjects: Any) -> Any:
    if text.split(".")[0] not in subjects:
        return json.loads(text)
    for word in text.split("."):
        subjects = subjects[word]
    return subjects
