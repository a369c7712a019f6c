"""Rules that people write as expressions (CEL), behind one Protocol: the domain says of what they may speak."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Protocol

from routing.domain.members import Agent
from routing.domain.observed import Attributes

Value = str | int | bool | list[str] | dict[str, int] | dict[str, "Value"]
Subjects = Mapping[str, Value]
"""What an expression speaks of, by name: ``agent``, ``contact``, ``queue``."""


class Expressions(Protocol):
    """An engine. What it holds of given subjects never changes, for it is part of the policy's version."""

    @property
    def engine(self) -> str:
        """Name and version, such as ``cel@0.10.0``."""
        ...

    def error(self, expression: str) -> str:
        """What is wrong with ``expression``, and where; empty when nothing is."""
        ...

    def holds(self, expression: str, subjects: Subjects) -> bool:
        """Whether it is true; an error or a missing attribute is no match."""
        ...


class _Nothing:
    """For boards that are only looked at: no expression holds, and a new one is refused."""

    engine = "none"

    def error(self, expression: str) -> str:
        return "expressions cannot be evaluated here"

    def holds(self, expression: str, subjects: Subjects) -> bool:
        return False


NO_EXPRESSIONS: Expressions = _Nothing()


def about_agent(agent: Agent) -> dict[str, Value]:
    """``agent`` in an expression: its attributes, also by themselves where no other word takes their place."""
    attributes = values(agent.attributes)
    return attributes | {
        "id": agent.id,
        "team": agent.team,
        "skills": dict(agent.skills),
        "queues": list(agent.queues),
        "rank": agent.rank,
        "attributes": attributes,
    }


def about_contact(attributes: Attributes) -> dict[str, Value]:
    """``contact`` in an expression about agents: its declared attributes."""
    known = values(attributes)
    return known | {"attributes": known}


def values(attributes: Attributes) -> dict[str, Value]:
    return {key: value(text) for key, text in attributes}


def value(text: str) -> Value:
    """Whole numbers, truth values and lists of text as JSON has them; anything else is the text itself."""
    try:
        read = json.loads(text)
    except ValueError:
        return text
    if isinstance(read, bool | int) and abs(read) < 1 << 63:
        return read
    return read if isinstance(read, list) and all(isinstance(one, str) for one in read) else text


def holds_of(expressions: Expressions, expression: str, agent: Agent, given: Attributes) -> bool:
    """Whether ``expression`` holds of an agent, for contacts with the attributes ``given``."""
    return expressions.holds(expression, {"agent": about_agent(agent), "contact": about_contact(given)})


def given_for(expression: str, attributes: Attributes) -> Attributes:
    """What of a contact ``expression`` may look at: contacts that differ in nothing it reads stand in one line."""
    return attributes if re.search(r"\bcontact\b", expression) else ()
