"""Ids: derived from their cause wherever a retry must make the same one, else ordered by time (contracts, Identity)."""

from __future__ import annotations

import re
import uuid

import uuid_utils

from switchlog.errors import Rejected

# The same constant is published in contactcenter/bus/v1, for strangers who want to recompute ids.
NS_SWITCHLOG = uuid.UUID("6f1e6f0c-3c1b-5d0e-9a52-0c7a1c5d7e11")

_NAMESPACE = uuid_utils.UUID(NS_SWITCHLOG.hex)
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}\Z")


def new_id() -> str:
    """A fresh time-ordered id (uuid7), in hex."""
    return uuid_utils.uuid7().hex


def derived(*parts: str | int) -> str:
    """The id that ``parts`` always give (uuid5), in hex."""
    return uuid_utils.uuid5(_NAMESPACE, "|".join(map(str, parts))).hex


def event_id(tenant: str, stream: str, cause: str, n: int) -> str:
    """The id of the ``n``-th event (from 0) that ``cause`` appended to ``stream``."""
    return derived(tenant, stream, cause, n)


def command_id(tenant: str, principal: str, route: str, idempotency_key: str) -> str:
    """The id of a client's command; ``route`` is method and route template: ``POST /v1/contacts/{id}:end``."""
    return derived(tenant, principal, route, idempotency_key)


def reaction_id(source: str, version: int, reaction: str, n: int = 0) -> str:
    """The id of the ``n``-th command that ``reaction`` derives from event ``version`` of stream key ``source``."""
    return derived(source, version, reaction, n)


def checked_id(text: str, what: str = "id") -> str:
    """``text`` if it is a valid id; raises ``Rejected`` (bad input) otherwise."""
    if not _ID.match(text):
        raise Rejected("BAD_ID", f"{what} must match [A-Za-z0-9][A-Za-z0-9._@-]{{0,63}}", invalid=True)
    return text
