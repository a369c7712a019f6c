"""An issuer inside the test: real ES256 tokens, keys known to the verifier without any network."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from switchlog.auth.signing import Signer, issue_token, issue_visitor_token, new_key, public_jwks
from switchlog.auth.verifier import StaticKeys, Trust, Verifier
from switchlog.config import KernelSettings
from switchlog.store.settings import StoreSettings

ISSUER = "https://issuer.test"


def test_settings(service: str = "testing", **changes: Any) -> KernelSettings:  # noqa: PT028 - not a test
    """Settings for tests: memory store, any free ports, the test issuer."""
    given: dict[str, Any] = {
        "store": StoreSettings(kind="memory"),
        "http_port": 0,
        "grpc_port": 0,
        "auth_issuer": ISSUER,
        "auth_jwks_url": f"{ISSUER}/jwks.json",
    }
    return KernelSettings(service, **(given | changes))


test_settings.__test__ = False  # type: ignore[attr-defined]  # not a test, whatever its name says


class TestIssuer:
    """``token(...)`` for anyone; ``verifier`` accepts exactly its tokens; ``await token()`` serves as a TokenSource."""

    __test__ = False

    def __init__(self, clock: Callable[[], float] = time.time, tenant: str = "acme") -> None:
        self.tenant = tenant
        self.signer = Signer(new_key(), ISSUER, clock=clock)
        self.verifier = Verifier(Trust(ISSUER, StaticKeys([self.signer.key])), clock=clock)

    def issue(
        self,
        subject: str = "u1",
        roles: Iterable[str] = ("agent",),
        teams: Iterable[str] = (),
        tenant: str | None = None,
        ttl_s: float = 3600,
    ) -> str:
        """A token for ``subject``."""
        return issue_token(self.signer, subject, tenant or self.tenant, roles, teams, ttl_s)

    def visitor(self, contact: str, tenant: str | None = None) -> str:
        """A token for one conversation."""
        return issue_visitor_token(self.signer, tenant or self.tenant, contact)

    def bearer(self, *args: Any, **kwargs: Any) -> dict[str, str]:
        """Headers with a token as by ``issue``."""
        return {"authorization": f"Bearer {self.issue(*args, **kwargs)}"}

    async def token(self) -> str:
        """A service's token."""
        return self.issue("testing", roles=("service",))

    def jwks(self) -> Mapping[str, Any]:
        """The public keys as an issuer would publish them."""
        return public_jwks(self.signer.key)
