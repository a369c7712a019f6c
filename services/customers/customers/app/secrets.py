"""Subject keys and the tenants' secrets, both in the key table and wrapped by the master key (kernel rule 18)."""

from __future__ import annotations

from dataclasses import dataclass, field

from switchlog.seal import Erased, MasterKeys, SubjectKey, standing_key
from switchlog.store import KeyStore

from .. import metrics
from ..domain.events import Identity, Kind
from ..domain.identity import identity
from ..domain.state import Known
from .references import References

# No customer reference looks like this: those are 32 hex digits.
OF_TENANT = "tenant.identities"


@dataclass(frozen=True)
class Secrets:
    """A tenant's secret is random, not derived, so that the master key can change while HMACs stay."""

    keys: KeyStore
    master: MasterKeys
    references: References
    _of_tenants: dict[str, bytes] = field(default_factory=dict)

    async def identity(self, tenant: str, kind: Kind, address: str) -> Identity:
        """``address`` as its HMAC; raises ``Rejected`` for a bad one."""
        if tenant not in self._of_tenants:
            key = await standing_key(self.keys, self.master, tenant, OF_TENANT)
            self._of_tenants[tenant] = key.secret
        return identity(self._of_tenants[tenant], kind, address)

    async def key(self, tenant: str, customer_ref: str) -> SubjectKey:
        """The key of a reference, made on first use; raises ``Erased`` or ``NotFound``."""
        state, _ = await self.references.known(tenant, customer_ref)
        if not isinstance(state, Known):
            raise Erased
        return await standing_key(self.keys, self.master, tenant, customer_ref)

    async def erase(self, tenant: str, customer_ref: str) -> None:
        """For good: a tombstone stays, so that no new key can take the place."""
        await self.keys.erase(tenant, customer_ref)
        metrics.erased.add(1)
