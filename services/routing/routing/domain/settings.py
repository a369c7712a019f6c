"""Policies as they are chosen: by name, with parameters, and with another order of agents where a target wants one."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

from routing.domain.expressions import about_agent
from routing.domain.members import Agent, Contact, Demand
from routing.domain.observed import Attributes
from routing.domain.policies import POLICIES, Policy
from routing.domain.ranked import Key

AGEING = "ageing_ms_per_priority"
PARAMETERS = frozenset({AGEING})
TERM = re.compile(r"agent\.([A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z0-9_-]+)?)(?:\s+(ASC|DESC))?", re.IGNORECASE)


class Setting(NamedTuple):
    """``ageing_ms_per_priority`` turns priority into credit: one point is worth so long a wait, and more wait wins."""

    name: str
    parameters: Attributes = ()
    order_by: str = ""


class Term(NamedTuple):
    """Agents by a whole number that their attributes or skills give; those without one come last."""

    path: str
    descending: bool

    def key(self, agent: Agent) -> Key:
        number = _number(about_agent(agent), self.path.split("."))
        return (1, 0) if number is None else (0, -number if self.descending else number)


def setting_error(setting: Setting) -> str:
    """What is wrong with it; empty when nothing is."""
    if setting.name not in POLICIES:
        return f"unknown policy {setting.name!r}"
    for key, text in setting.parameters:
        if key not in PARAMETERS:
            return f"unknown parameter {key!r}"
        if not text.isascii() or not text.isdigit() or int(text) == 0:
            return f"{key} must be a whole number above 0, not {text!r}"
    return order_error(setting.order_by)


def order_error(order_by: str) -> str:
    """Why ``order_by`` says nothing: it is a policy, or terms such as ``agent.level DESC, agent.skills.billing``."""
    if not order_by or order_by in POLICIES:
        return ""
    wrong = [text for text in order_by.split(",") if not TERM.fullmatch(text.strip())]
    return f"cannot order agents by {wrong[0].strip()!r}" if wrong else ""


@lru_cache(maxsize=10_000)
def policy_of(setting: Setting) -> Policy:
    """The policy with its setting applied, still under its own name."""
    policy = _ordered(POLICIES[setting.name], setting.order_by)
    ageing = dict(setting.parameters).get(AGEING)
    return replace(policy, order=_ageing(int(ageing))) if ageing else policy


def _ageing(worth_ms: int) -> Callable[[Contact], Key]:
    """The order of contacts in which ``worth_ms`` of waiting weigh as much as a point of priority (RT-3)."""

    def order(contact: Contact) -> Key:
        credit = contact.credit_ms + contact.priority * worth_ms
        return (0 if contact.attempts else 1, 0, contact.queued_at - credit)

    return order


def _ordered(policy: Policy, order_by: str) -> Policy:
    if not order_by:
        return policy
    if order_by in POLICIES:
        return replace(POLICIES[order_by], order=policy.order)
    terms = [_term(text) for text in order_by.split(",")]

    def rank(agent: Agent, demand: Demand) -> Key:
        return (*(part for term in terms for part in term.key(agent)), *policy.rank(agent, demand))

    return replace(policy, rank=rank, tie_break=f"order_by:{order_by}")


def _term(text: str) -> Term:
    found = TERM.fullmatch(text.strip())
    if found is None:
        raise ValueError(order_error(text))
    return Term(found[1], (found[2] or "").upper() == "DESC")


def _number(known: object, path: list[str]) -> int | None:
    for word in path:
        known = known.get(word) if isinstance(known, dict) else None
    return int(known) if isinstance(known, int) else None
