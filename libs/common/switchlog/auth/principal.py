"""The verified caller of a request, and the two questions asked about it everywhere."""

from __future__ import annotations

from dataclasses import dataclass, replace

from switchlog.errors import Forbidden
from switchlog.ids import checked_id

SERVICE = "service"
VISITOR = "visitor"


@dataclass(frozen=True, slots=True)
class Principal:
    """Who a verified token speaks for. ``contact`` is set for visitors only; ``expires_at`` is epoch seconds."""

    tenant: str
    subject: str
    roles: frozenset[str] = frozenset()
    teams: frozenset[str] = frozenset()
    contact: str | None = None
    expires_at: int = 2**53

    def has(self, *roles: str) -> bool:
        """Whether any of ``roles`` is held."""
        return not self.roles.isdisjoint(roles)


def require_role(principal: Principal, *roles: str) -> Principal:
    """``principal`` if it holds any of ``roles``; raises ``Forbidden``."""
    if not principal.has(*roles):
        raise Forbidden("ROLE_REQUIRED", f"one of: {', '.join(sorted(roles))}")
    return principal


def acting_for(principal: Principal, tenant: str | None) -> Principal:
    """``principal`` in ``tenant`` as named by the request (path, header or message; ``None`` or empty = its own).

    Only the role ``service`` may name another tenant than its token's; raises ``Forbidden`` for anyone else.
    """
    if not tenant or tenant == principal.tenant:
        return principal
    if not principal.has(SERVICE):
        raise Forbidden("FOREIGN_TENANT")
    return replace(principal, tenant=checked_id(tenant, "tenant"))
