"""Expressions in CEL, the Common Expression Language, by the engine of ``common-expression-language``."""

from __future__ import annotations

import re
from functools import lru_cache
from importlib.metadata import version

import cel

from ..domain.expressions import Subjects

LONGEST = 1000
KNOWN = frozenset({"agent", "contact", "queue"})
BINDS = re.compile(r"\.(?:all|exists|exists_one|existsOne|map|filter)\s*\(\s*([A-Za-z_]\w*)\s*,")
WHERE = re.compile(r"<input>:(\d+):(\d+): (?:Syntax error: )?(.*)")


class Cel:
    """``Expressions`` in CEL. The engine's version is in its name, for another may decide otherwise."""

    engine = f"cel@{version('common-expression-language')}"

    def error(self, expression: str) -> str:
        """What is wrong, with line and column from 1 where the engine names them."""
        if len(expression) > LONGEST:
            return f"longer than {LONGEST} characters"
        try:
            program = _compiled(expression)
        except ValueError as error:
            return _placed(str(error))
        unknown = sorted(set(program.variables()) - KNOWN - set(BINDS.findall(expression)))
        return f"{unknown[0]!r} is none of {', '.join(sorted(KNOWN))}" if unknown else ""

    def holds(self, expression: str, subjects: Subjects) -> bool:
        """An expression that cannot be evaluated, or is no truth value, does not hold."""
        try:
            return _compiled(expression).execute(dict(subjects)) is True
        except (LookupError, ValueError, TypeError, RuntimeError, ArithmeticError):
            return False


@lru_cache(maxsize=1000)
def _compiled(expression: str) -> cel.Program:
    return cel.compile(expression)


def _placed(message: str) -> str:
    found = WHERE.search(message)
    return f"line {found[1]}, column {found[2]}: {found[3]}" if found else message
