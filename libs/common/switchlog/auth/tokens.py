"""The token a service shows when it calls another: from a file that is renewed, or asked for at the issuer."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import httpx2
import orjson

from switchlog.config import KernelSettings
from switchlog.errors import NotNow

RENEW_BEFORE_S = 60.0


class TokenSource(Protocol):
    """``token()`` is good now; raises ``NotNow`` when none can be had."""

    async def token(self) -> str: ...


@dataclass(frozen=True)
class NoTokens:
    """For a process that calls nobody."""

    async def token(self) -> str:
        raise NotNow("NO_SERVICE_TOKEN", "set SERVICE_TOKEN_FILE or SERVICE_CLIENT_SECRET")


class _Renewing:
    """Keeps what ``get`` returned until a minute before it expires; one ``get`` at a time."""

    def __init__(self, get: Callable[[], Awaitable[str]], clock: Callable[[], float]) -> None:
        self._get = get
        self._clock = clock
        self._token = ""
        self._renew_at = 0.0
        self._turn = asyncio.Lock()

    async def token(self) -> str:
        if self._clock() >= self._renew_at:
            async with self._turn:
                if self._clock() >= self._renew_at:
                    await self._renew()
        return self._token

    async def _renew(self) -> None:
        self._token = await self._get()
        now = self._clock()
        lives = expiry(self._token) - now
        self._renew_at = now + lives - min(RENEW_BEFORE_S, lives / 2)


def file_tokens(path: Path, clock: Callable[[], float] = time.time) -> TokenSource:
    """The token in ``path``, read again when it is about to expire."""

    async def read() -> str:
        try:
            token = path.read_text().strip()  # noqa: ASYNC240 - a line from a local file, every few hours
        except OSError as error:
            raise NotNow("NO_SERVICE_TOKEN", f"SERVICE_TOKEN_FILE: {error.strerror}") from error
        if expiry(token) <= clock():
            raise NotNow("SERVICE_TOKEN_EXPIRED", "the file named by SERVICE_TOKEN_FILE was not renewed")
        return token

    return _Renewing(read, clock)


def client_credentials(url: str, client: str, secret: str, clock: Callable[[], float] = time.time) -> TokenSource:
    """A token by OAuth client credentials at ``url`` (RFC 6749, 4.4)."""

    async def ask() -> str:
        form = {"grant_type": "client_credentials"}
        try:
            async with httpx2.AsyncClient(timeout=3.0, follow_redirects=False, trust_env=False) as http:
                response = await http.post(url, data=form, auth=(client, secret))
            response.raise_for_status()
            return str(response.json()["access_token"])
        except (httpx2.HTTPError, ValueError, KeyError) as error:
            raise NotNow("NO_SERVICE_TOKEN", type(error).__name__) from error

    return _Renewing(ask, clock)


def token_source(settings: KernelSettings) -> TokenSource:
    """As configured: a file before a secret, else one that refuses when asked."""
    if settings.service_token_file:
        return file_tokens(Path(settings.service_token_file))
    if settings.client_secret:
        return client_credentials(settings.auth_token_url, settings.service, settings.client_secret)
    return NoTokens()


def expiry(token: str) -> float:
    """``exp`` of a token of our own, epoch seconds (unverified: only about renewing in time); 0 when unreadable."""
    try:
        payload = token.split(".")[1]
        return float(orjson.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["exp"])
    except (IndexError, ValueError, KeyError, TypeError):
        return 0.0
