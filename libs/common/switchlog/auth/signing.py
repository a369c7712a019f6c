"""Making tokens: ES256 and nothing else. Used by the demo issuer, by entry points for visitors, and by tests."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey

from switchlog.auth.principal import VISITOR
from switchlog.ids import new_id
from switchlog.secretfile import load_or_create

ALGORITHM = "ES256"
TYPE = "at+jwt"


@dataclass(frozen=True)
class Signer:
    """A private key and the name it signs under; ``clock`` is epoch seconds."""

    key: ECKey
    issuer: str
    audience: str = "switchlog"
    clock: Callable[[], float] = time.time

    @property
    def kid(self) -> str:
        return self.key.kid or self.key.thumbprint()

    def sign(self, claims: dict[str, Any], ttl_s: float) -> str:
        """A token of ``claims`` that lives ``ttl_s`` seconds from now; ``iss aud exp nbf iat jti`` are filled in."""
        now = int(self.clock())
        stamp = {
            "iss": self.issuer,
            "aud": self.audience,
            "iat": now,
            "nbf": now,
            "exp": now + int(ttl_s),
            "jti": new_id(),
        }
        return jwt.encode({"alg": ALGORITHM, "typ": TYPE, "kid": self.kid}, stamp | claims, self.key, [ALGORITHM])


def issue_token(
    signer: Signer,
    subject: str,
    tenant: str,
    roles: Iterable[str],
    teams: Iterable[str] = (),
    ttl_s: float = 3600,
) -> str:
    """An access token for a person or a service."""
    claims = {"sub": subject, "tenant": tenant, "roles": sorted(roles), "teams": sorted(teams)}
    return signer.sign(claims, ttl_s)


def issue_visitor_token(signer: Signer, tenant: str, contact: str, ttl_s: float = 12 * 3600) -> str:
    """A token that opens one conversation and nothing else."""
    claims = {"sub": contact, "tenant": tenant, "roles": [VISITOR], "teams": [], "contact": contact}
    return signer.sign(claims, ttl_s)


def new_key() -> ECKey:
    """A fresh P-256 key whose id is its RFC 7638 thumbprint."""
    key = ECKey.generate_key("P-256", private=True)
    return _named(key)


def load_or_create_key(path: Path) -> ECKey:
    """The private key in ``path`` (PEM, mode 600), made on first use; two creators at once agree on one."""
    return _named(ECKey.import_key(load_or_create(path, lambda: new_key().as_pem(private=True))))


def public_jwks(*keys: ECKey) -> dict[str, list[dict[str, Any]]]:
    """The JWKS document of the public halves."""
    return {"keys": [dict(key.as_dict(private=False, kid=key.thumbprint(), use="sig", alg=ALGORITHM)) for key in keys]}


def _named(key: ECKey) -> ECKey:
    return ECKey.import_key(key.raw_value, {"kid": key.thumbprint(), "use": "sig", "alg": ALGORITHM})
