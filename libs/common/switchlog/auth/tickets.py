"""One-time tickets that open a WebSocket, so that no token ever stands in a URL.

Tickets live in the memory of the process that gave them: whoever asks for a ticket must connect to the same process
(one process a service in the demo, sticky sessions in a cluster). A restart forgets them; clients just ask again.
"""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict
from collections.abc import Callable

from switchlog.auth.principal import Principal
from switchlog.errors import NotNow, Unauthenticated

TICKET_S = 30.0
MAX_TICKETS = 100_000


class TicketOffice:
    """Gives tickets that are good once, for 30 s, for the principal who asked; ``clock`` is monotonic seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, limit: int = MAX_TICKETS) -> None:
        self._clock = clock
        self._limit = limit
        self._open: OrderedDict[str, tuple[float, Principal]] = OrderedDict()

    def issue(self, principal: Principal) -> str:
        """A ticket for ``principal``; raises ``NotNow`` when too many are open."""
        self._forget_expired()
        if len(self._open) >= self._limit:
            raise NotNow("TOO_MANY_TICKETS")
        ticket = secrets.token_urlsafe(24)
        self._open[ticket] = (self._clock() + TICKET_S, principal)
        return ticket

    def redeem(self, ticket: str | None) -> Principal:
        """Who asked for ``ticket``, once; raises ``Unauthenticated`` when unknown, used or too old."""
        expires_at, principal = self._open.pop(ticket or "", (float("-inf"), None))
        if principal is None or expires_at <= self._clock():
            raise Unauthenticated("BAD_TICKET")
        return principal

    def peek(self, ticket: str | None) -> Principal | None:
        """Who asked for ``ticket``, leaving it good: for what must be known before the socket is accepted."""
        expires_at, principal = self._open.get(ticket or "", (float("-inf"), None))
        return principal if expires_at > self._clock() else None

    def _forget_expired(self) -> None:
        now = self._clock()
        while self._open and next(iter(self._open.values()))[0] <= now:
            self._open.popitem(last=False)
