"""Whoever keeps subject keys forgets one in the moment its subject is erased, not when the cache runs out."""

from __future__ import annotations

from switchlog.bus.record import Raw, read_event
from switchlog.bus.tail import Take
from switchlog.errors import Poison
from switchlog.log import get_logger
from switchlog.seal import SubjectKeys

log = get_logger(__name__)

ERASURES = "customer.events.v1"
ERASED = ".CustomerErased"
SUBJECT = "customer-"


def forgetting(keys: SubjectKeys) -> Take:
    """For ``Tail(bootstrap, [ERASURES], forgetting(keys)).run``, one of a process's tasks.

    The headers say it all, so nothing is decoded. What is missed while the bus is away the cache forgets after 60 s.
    """

    def take(raw: Raw) -> None:
        try:
            received = read_event(raw)
        except Poison as error:
            log.warning("erasure_unreadable", reason=error.reason)
            return
        if received.type.endswith(ERASED):
            keys.drop(received.stream.tenant, received.stream.name.removeprefix(SUBJECT))

    return take
