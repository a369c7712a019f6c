"""Tokens that must open nothing."""

from __future__ import annotations

import hmac
import json
import time
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256
from typing import Any

from joserfc import jws

from switchlog.auth.signing import Signer, issue_token, new_key, public_jwks
from switchlog_local.issuer import Issuer

ROLES = ("agent", "supervisor", "admin", "analyst", "service")


def forged(issuer: Issuer, tenant: str, subject: str, trap_url: str) -> Mapping[str, str]:
    """What an attacker may try, by the name of the attack; whoever believes a pointer asks at ``trap_url``."""
    real = issuer.signer
    stranger = Signer(new_key(), real.issuer)
    header = {"alg": "ES256", "typ": "at+jwt", "kid": real.kid}
    claims = {
        "iss": real.issuer,
        "aud": "switchlog",
        "sub": subject,
        "tenant": tenant,
        "roles": ROLES,
        "teams": [],
        "iat": int(time.time()),
        "nbf": int(time.time()) - 1,
        "exp": int(time.time()) + 3600,
        "jti": "forged",
    }
    public = json.dumps(public_jwks(real.key)["keys"][0]).encode()
    return {
        "no token": "",
        "nonsense": "nonsense",
        "alg none": f"{_part(header | {'alg': 'none'})}.{_part(claims)}.",
        "HS256 with the public key": _hmac(header | {"alg": "HS256"}, claims, public),
        "another key under our kid": _signed(stranger, header, claims),
        "another key under its own kid": issue_token(stranger, subject, tenant, ROLES),
        "another issuer": issue_token(replace(stranger, issuer=trap_url), subject, tenant, ROLES),
        "key by jku": _signed(stranger, header | {"kid": stranger.kid, "jku": f"{trap_url}/jwks.json"}, claims),
        "key by jwk": _signed(stranger, header | {"jwk": public_jwks(stranger.key)["keys"][0]}, claims),
        "kid as path": _signed(stranger, header | {"kid": "../../../../dev/null"}, claims),
        "expired": issue_token(real, subject, tenant, ROLES, ttl_s=-10),
        "another audience": issue_token(replace(real, audience="elsewhere"), subject, tenant, ROLES),
        "an id token": _signed(real, header | {"typ": "JWT"}, claims),
        "changed after signing": _changed(issue_token(real, subject, tenant, ["agent"])),
    }


def _part(content: object) -> str:
    return urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")


def _hmac(header: Mapping[str, Any], claims: Mapping[str, Any], key: bytes) -> str:
    signed = f"{_part(header)}.{_part(claims)}"
    tag = hmac.new(key, signed.encode(), sha256).digest()
    return f"{signed}.{urlsafe_b64encode(tag).decode().rstrip('=')}"


def _signed(signer: Signer, header: Mapping[str, Any], claims: Mapping[str, Any]) -> str:
    """A good signature by ``signer`` under whatever ``header`` says."""
    anything = jws.JWSRegistry(algorithms=["ES256"], strict_check_header=False)
    return jws.serialize_compact(dict(header), json.dumps(claims), signer.key, registry=anything)


def _changed(token: str) -> str:
    header, _, tag = token.split(".")
    return f"{header}.{_part({'roles': ['admin']})}.{tag}"
