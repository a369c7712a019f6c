"""Verifying tokens: one algorithm, fixed keys, one URL at most. A token never decides where its key comes from."""

from __future__ import annotations

import asyncio
import base64
import binascii
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import httpx2
import orjson
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from switchlog.auth.principal import Principal
from switchlog.auth.signing import ALGORITHM, TYPE
from switchlog.config import KernelSettings
from switchlog.errors import NotNow, Rejected, Unauthenticated
from switchlog.ids import checked_id
from switchlog.log import get_logger

MAX_TOKEN_BYTES = 8 * 1024
MAX_JWKS_BYTES = 256 * 1024
REFRESH_S = 600.0
# An unknown kid may ask for fresh keys, but not more often than this: it must not become a way to make us call out.
UNKNOWN_KID_REFRESH_S = 30.0
NEVER_LOADED_RETRY_S = 1.0
NBF_LEEWAY_S = 5

_POINTERS = ("jku", "jwk", "x5u", "x5c", "crit")

log = get_logger(__name__)


class Keys(Protocol):
    """Public keys by id."""

    async def find(self, kid: str) -> ECKey | None: ...


class StaticKeys:
    """Keys given at start."""

    def __init__(self, keys: Iterable[ECKey]) -> None:
        self._keys = {key.thumbprint(): key for key in keys} | {key.kid: key for key in keys if key.kid}

    async def find(self, kid: str) -> ECKey | None:
        return self._keys.get(kid)


class RemoteKeys:
    """The keys at one configured JWKS URL: cached, refreshed every 10 minutes, redirects refused.

    ``fetch`` gets the URL and returns the document; ``clock`` is monotonic seconds.
    """

    def __init__(
        self,
        url: str,
        fetch: Callable[[str], Any] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._url = url
        self._fetch = fetch or fetch_jwks
        self._clock = clock
        self._keys: Mapping[str, ECKey] = {}
        self._loaded_at = float("-inf")
        self._tried_at = float("-inf")
        self._turn = asyncio.Lock()

    async def find(self, kid: str) -> ECKey | None:
        """The key named ``kid``; raises ``NotNow`` when no keys could be loaded yet."""
        if self._due(kid):
            async with self._turn:
                if self._due(kid):
                    await self._refresh()
        if not self._keys:
            raise NotNow("IDENTITY_PROVIDER_AWAY")
        return self._keys.get(kid)

    def _due(self, kid: str) -> bool:
        now = self._clock()
        if not self._keys:
            return now - self._tried_at >= NEVER_LOADED_RETRY_S
        fresh = kid in self._keys and now - self._loaded_at < REFRESH_S
        return not fresh and now - self._tried_at >= UNKNOWN_KID_REFRESH_S

    async def _refresh(self) -> None:
        self._tried_at = self._clock()
        try:
            self._keys = read_jwks(await self._fetch(self._url)) or self._keys
            self._loaded_at = self._tried_at
        except (httpx2.HTTPError, OSError, ValueError) as error:
            log.warning("jwks_unreachable", url=self._url, error=type(error).__name__)


async def fetch_jwks(url: str) -> bytes:
    """The document at ``url``: no redirects, at most 256 KiB, within 2 s."""
    async with httpx2.AsyncClient(timeout=2.0, follow_redirects=False, trust_env=False) as client:
        async with client.stream("GET", url) as response:
            if response.status_code != 200:
                raise ValueError(f"JWKS answered {response.status_code}")
            document = b""
            async for chunk in response.aiter_bytes():
                document += chunk
                if len(document) > MAX_JWKS_BYTES:
                    raise ValueError("JWKS too large")
            return document


def read_jwks(document: bytes) -> dict[str, ECKey]:
    """The ES256 signing keys in a JWKS document by kid; keys of any other kind are left out."""
    entries = orjson.loads(document).get("keys", [])
    usable = [entry for entry in entries if _is_es256(entry)]
    return {entry["kid"]: ECKey.import_key({k: entry[k] for k in ("kty", "crv", "x", "y", "kid")}) for entry in usable}


def _is_es256(entry: Any) -> bool:
    return (
        isinstance(entry, dict)
        and (entry.get("kty"), entry.get("crv")) == ("EC", "P-256")
        and entry.get("use", "sig") == "sig"
        and entry.get("alg", ALGORITHM) == ALGORITHM
        and isinstance(entry.get("kid"), str)
    )


@dataclass(frozen=True)
class Trust:
    """An issuer whose tokens count, its keys, and (if not all) the only roles that it may give."""

    issuer: str
    keys: Keys
    audience: str = "switchlog"
    only_roles: frozenset[str] | None = None


class Verifier:
    """Turns a token into a ``Principal`` or raises ``Unauthenticated``; ``clock`` is epoch seconds.

    Signatures already checked are remembered (bounded), so a busy caller costs one dictionary look-up.
    """

    def __init__(self, *trusts: Trust, clock: Callable[[], float] = time.time, remember: int = 4096) -> None:
        self._trusts = {trust.issuer: trust for trust in trusts}
        self._clock = clock
        self._remember = remember
        self._known: OrderedDict[str, tuple[Principal, Trust, str, ECKey]] = OrderedDict()

    async def verify(self, token: str) -> Principal:
        """Who ``token`` speaks for. Raises ``Unauthenticated``; ``NotNow`` when the issuer's keys cannot be had."""
        known = self._known.get(token)
        if known is None:
            return await self._verify_anew(token)
        principal, trust, kid, key = known
        if principal.expires_at <= self._clock() or await trust.keys.find(kid) is not key:
            del self._known[token]
            return await self._verify_anew(token)
        return principal

    async def _verify_anew(self, token: str) -> Principal:
        header, claims = _peek(token)
        _check_header(header)
        trust = self._trusts.get(claims["iss"]) if isinstance(claims.get("iss"), str) else None
        if trust is None:
            raise Unauthenticated("UNKNOWN_ISSUER")
        key = await trust.keys.find(header["kid"])
        if key is None:
            raise Unauthenticated("UNKNOWN_KEY")
        principal = self._principal(_verified(token, key), trust)
        self._known[token] = (principal, trust, header["kid"], key)
        if len(self._known) > self._remember:
            self._known.popitem(last=False)
        return principal

    def _principal(self, claims: Mapping[str, Any], trust: Trust) -> Principal:
        _check_times(claims, self._clock())
        audience = claims.get("aud")
        if claims.get("iss") != trust.issuer or trust.audience not in (
            [audience] if isinstance(audience, str) else audience or []
        ):
            raise Unauthenticated("WRONG_AUDIENCE")
        if not _text(claims.get("jti")):
            raise Unauthenticated("BAD_CLAIMS", "jti")
        principal = _read_principal(claims)
        if trust.only_roles is not None and not principal.roles <= trust.only_roles:
            raise Unauthenticated("ROLE_NOT_TRUSTED")
        return principal


def verifier_from(settings: KernelSettings, *more: Trust) -> Verifier:
    """The verifier of a service: the configured issuer, and whatever it trusts besides (such as its own visitors)."""
    main = Trust(settings.auth_issuer, RemoteKeys(settings.auth_jwks_url), settings.auth_audience)
    return Verifier(main, *more)


def _peek(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and claims, nothing verified yet: only to know which of our own keys to try."""
    parts = token.split(".")
    if len(token) > MAX_TOKEN_BYTES or len(parts) != 3:
        raise Unauthenticated("BAD_TOKEN")
    try:
        header, claims = (orjson.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))) for part in parts[:2])
    except (binascii.Error, ValueError):
        raise Unauthenticated("BAD_TOKEN") from None
    if not isinstance(header, dict) or not isinstance(claims, dict):
        raise Unauthenticated("BAD_TOKEN")
    return header, claims


def _check_header(header: Mapping[str, Any]) -> None:
    if header.get("alg") != ALGORITHM:
        raise Unauthenticated("WRONG_ALGORITHM")
    if str(header.get("typ", "")).lower().removeprefix("application/") != TYPE:
        raise Unauthenticated("WRONG_TYPE")
    if any(name in header for name in _POINTERS) or not _text(header.get("kid")):
        raise Unauthenticated("BAD_HEADER")


def _verified(token: str, key: ECKey) -> Mapping[str, Any]:
    try:
        return jwt.decode(token, key, algorithms=[ALGORITHM]).claims
    except (JoseError, ValueError):
        raise Unauthenticated("BAD_SIGNATURE") from None


def _check_times(claims: Mapping[str, Any], now: float) -> None:
    expires, begins = claims.get("exp"), claims.get("nbf")
    if not all(isinstance(at, int | float) and not isinstance(at, bool) for at in (expires, begins)):
        raise Unauthenticated("BAD_CLAIMS", "exp and nbf")
    if float(expires) <= now:  # type: ignore[arg-type]
        raise Unauthenticated("EXPIRED")
    if float(begins) > now + NBF_LEEWAY_S:  # type: ignore[arg-type]
        raise Unauthenticated("NOT_YET_VALID")


def _read_principal(claims: Mapping[str, Any]) -> Principal:
    contact = claims.get("contact")
    try:
        return Principal(
            tenant=checked_id(_word(claims, "tenant"), "tenant"),
            subject=checked_id(_word(claims, "sub"), "sub"),
            roles=_words(claims, "roles"),
            teams=_words(claims, "teams"),
            contact=None if contact is None else checked_id(_word(claims, "contact"), "contact"),
            expires_at=int(claims["exp"]),
        )
    except Rejected as error:
        raise Unauthenticated("BAD_CLAIMS", error.detail) from None


def _word(claims: Mapping[str, Any], name: str) -> str:
    if not _text(claims.get(name)):
        raise Unauthenticated("BAD_CLAIMS", name)
    return str(claims[name])


def _words(claims: Mapping[str, Any], name: str) -> frozenset[str]:
    words = claims.get(name, [])
    if not isinstance(words, list) or not all(map(_text, words)):
        raise Unauthenticated("BAD_CLAIMS", name)
    return frozenset(words)


def _text(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= 256
