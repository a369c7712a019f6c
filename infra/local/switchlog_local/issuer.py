"""The demo's identity provider: OIDC discovery, keys and tokens for demo people and services, on this machine only.

It refuses to start outside the demo (``SWITCHLOG_DEMO=1``) and anywhere but on loopback: whoever reaches it may become
anyone. Keys and client secrets stand in a data folder, readable by their owner only.
"""

from __future__ import annotations

import asyncio
import hmac
import html
import os
import secrets
import sys
import time
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import orjson
from fastapi import APIRouter, FastAPI, Request
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from switchlog.auth import Signer, StaticKeys, Trust, Verifier, issue_token, load_or_create_key, public_jwks
from switchlog.config import PORTS, ConfigError, KernelSettings, kernel_settings
from switchlog.errors import Forbidden, Rejected, Unauthenticated
from switchlog.log import get_logger
from switchlog.runtime import run, serve
from switchlog.secretfile import load_or_create, write_private
from switchlog.web import Body, create_app

DEMO_TENANT = "demo"
SERVICE_TENANT = "system"  # services name the tenant they act for in each request
DEMO_CLIENT = "demo"
TOKEN_S = 12 * 3600
LOGIN_S = 3600
CODE_S = 60

log = get_logger(__name__)


class NotADemo(ConfigError):
    """Started where it must not run."""


@dataclass(frozen=True)
class Person:
    """Somebody of the demo."""

    subject: str
    roles: tuple[str, ...]
    teams: tuple[str, ...] = ()


PEOPLE: Mapping[str, Person] = {
    "agent": Person("agent-1", ("agent",), ("team-1",)),
    "supervisor": Person("supervisor-1", ("supervisor",), ("team-1",)),
    "admin": Person("admin-1", ("admin",)),
    "admin2": Person("admin-2", ("admin",)),
    "analyst": Person("analyst-1", ("analyst",)),
}
IN_TOKENS_FILE = ("agent", "supervisor", "admin", "analyst")


@dataclass(frozen=True)
class Issuer:
    """The signing key and the secret from which each client's own is derived; both made in ``data`` on first use."""

    signer: Signer
    root_secret: bytes = field(repr=False)

    @classmethod
    def in_folder(cls, data: Path, url: str, clock: Callable[[], float] = time.time) -> Issuer:
        key = load_or_create_key(data / "signing-key.pem")
        secret = load_or_create(data / "client-root.secret", lambda: secrets.token_bytes(32))
        return cls(Signer(key, url, clock=clock), secret)

    def issue(
        self,
        subject: str,
        roles: Iterable[str],
        teams: Iterable[str] = (),
        tenant: str = DEMO_TENANT,
        ttl_s: float = TOKEN_S,
    ) -> str:
        """A token for anyone, such as each of the demo's agents."""
        return issue_token(self.signer, subject, tenant, roles, teams, ttl_s)

    def service_token(self, service: str) -> str:
        """What a service shows its peers."""
        return self.issue(service, ["service"], tenant=SERVICE_TENANT)

    def client_secret(self, client: str) -> str:
        """``SERVICE_CLIENT_SECRET`` of a service, or of the client ``demo``, which may ask for anybody's token."""
        return hmac.new(self.root_secret, client.encode(), sha256).hexdigest()

    def write_tokens(self, path: Path) -> None:
        """``{agent, supervisor, admin, analyst}`` for people to try the APIs with (mode 600, good for 12 h)."""
        people = {name: PEOPLE[name] for name in IN_TOKENS_FILE}
        tokens = {name: self.issue(one.subject, one.roles, one.teams) for name, one in people.items()}
        path.parent.mkdir(parents=True, exist_ok=True)
        write_private(path, orjson.dumps(tokens, option=orjson.OPT_INDENT_2))

    def write_service_token(self, service: str, path: Path) -> None:
        """A file for ``SERVICE_TOKEN_FILE`` (mode 600)."""
        path.parent.mkdir(parents=True, exist_ok=True)
        write_private(path, self.service_token(service).encode())


def create_issuer(settings: KernelSettings, issuer: Issuer) -> FastAPI:
    """The provider's app; raises ``NotADemo`` unless ``settings`` are a demo's, on loopback."""
    refuse_outside_demo(settings)
    trust = Trust(issuer.signer.issuer, StaticKeys([issuer.signer.key]))
    routers = [_discovery(issuer), _tokens(issuer, Logins(issuer.signer.clock))]
    app = create_app("Demo issuer", routers=routers, verifier=Verifier(trust), settings=settings)
    # a page in somebody's browser must not reach us under a name of its own
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost", "[::1]"])
    return app


def refuse_outside_demo(settings: KernelSettings) -> None:
    """Raises ``NotADemo``."""
    if not settings.demo:
        raise NotADemo("the demo issuer hands out any token to anyone: it starts only with SWITCHLOG_DEMO=1")
    if settings.http_host != "localhost" and not ip_address(settings.http_host).is_loopback:
        raise NotADemo(f"the demo issuer listens on loopback only, not on {settings.http_host} (HTTP_HOST)")


def _discovery(issuer: Issuer) -> APIRouter:
    router = APIRouter()
    url = issuer.signer.issuer

    @router.get("/.well-known/openid-configuration")
    async def configuration() -> dict[str, Any]:
        return {
            "issuer": url,
            "jwks_uri": f"{url}/jwks.json",
            "authorization_endpoint": f"{url}/authorize",
            "token_endpoint": f"{url}/token",
            "grant_types_supported": ["authorization_code", "client_credentials"],
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
            "code_challenge_methods_supported": ["S256"],
            "scopes_supported": ["openid"],
        }

    @router.get("/jwks.json")
    async def jwks() -> dict[str, Any]:
        return public_jwks(issuer.signer.key)

    return router


class Wanted(Body):
    """A token for one of the demo's people."""

    subject: str
    roles: list[str]
    teams: list[str] = []
    tenant: str = DEMO_TENANT


def _tokens(issuer: Issuer, logins: Logins) -> APIRouter:
    router = APIRouter()

    @router.post("/token")
    async def token(request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode("latin-1")))
        match form.get("grant_type"):
            case "client_credentials":
                return _granted(issuer.service_token(_service(issuer, request, form)), TOKEN_S)
            case "authorization_code":
                login = logins.redeem(form)
                one = login.person
                access = issuer.issue(one.subject, one.roles, one.teams, ttl_s=LOGIN_S)
                return _granted(access, LOGIN_S, _id_token(issuer, login))
            case _:
                raise Rejected("UNSUPPORTED_GRANT_TYPE", invalid=True)

    @router.post("/demo/tokens")
    async def tokens(wanted: Wanted, request: Request) -> Response:
        if _client(issuer, request, {}) != DEMO_CLIENT:
            raise Forbidden("DEMO_CLIENT_ONLY")
        return _granted(issuer.issue(wanted.subject, wanted.roles, wanted.teams, wanted.tenant), TOKEN_S)

    @router.get("/authorize")
    async def authorize(request: Request) -> Response:
        asked = dict(request.query_params)
        _check_login(asked)
        if asked.get("person") not in PEOPLE:
            return _choice(asked)
        code = logins.begin(asked, PEOPLE[asked["person"]])
        back = urlencode({"code": code, "state": asked.get("state", ""), "iss": issuer.signer.issuer})
        return RedirectResponse(f"{asked['redirect_uri']}?{back}", 303)

    return router


def _granted(access: str, lives_s: int, id_token: str = "") -> Response:
    content = {"access_token": access, "token_type": "Bearer", "expires_in": lives_s}
    return JSONResponse(content | ({"id_token": id_token} if id_token else {}))


def _service(issuer: Issuer, request: Request, form: Mapping[str, str]) -> str:
    service = _client(issuer, request, form)
    if service not in PORTS:
        raise Forbidden("UNKNOWN_SERVICE")
    return service


def _client(issuer: Issuer, request: Request, form: Mapping[str, str]) -> str:
    """The client by HTTP Basic or form fields, its secret compared in constant time."""
    kind, _, given = request.headers.get("authorization", "").partition(" ")
    client, secret = form.get("client_id", ""), form.get("client_secret", "")
    if kind.lower() == "basic":
        try:
            client, _, secret = b64decode(given, validate=True).decode().partition(":")
        except ValueError:
            raise Unauthenticated("BAD_CLIENT") from None
    if not client or not hmac.compare_digest(secret.encode(), issuer.client_secret(client).encode()):
        raise Unauthenticated("BAD_CLIENT")
    return client


# --- login in a browser: authorization code with PKCE --------------------------------------------------------------


@dataclass(frozen=True)
class Login:
    """Somebody who clicked on a name, on the way back to the app that sent them."""

    person: Person
    client: str
    redirect_uri: str
    challenge: str
    nonce: str
    expires_at: float


@dataclass
class Logins:
    """Codes under way: each is good once, for a minute."""

    clock: Callable[[], float]
    _open: dict[str, Login] = field(default_factory=dict)

    def begin(self, asked: Mapping[str, str], person: Person) -> str:
        """A code for ``person`` who wants to go back to the client that ``asked``."""
        self._open = {code: login for code, login in self._open.items() if login.expires_at > self.clock()}
        code = secrets.token_urlsafe(24)
        self._open[code] = Login(
            person,
            asked["client_id"],
            asked["redirect_uri"],
            asked["code_challenge"],
            asked.get("nonce", ""),
            self.clock() + CODE_S,
        )
        return code

    def redeem(self, form: Mapping[str, str]) -> Login:
        """The login that the code in ``form`` stands for; raises ``Rejected("INVALID_GRANT")``."""
        login = self._open.pop(form.get("code", ""), None)
        told = (form.get("client_id"), form.get("redirect_uri"), _challenge(form.get("code_verifier", "")))
        if login is None or login.expires_at <= self.clock():
            raise Rejected("INVALID_GRANT", invalid=True)
        if told != (login.client, login.redirect_uri, login.challenge):
            raise Rejected("INVALID_GRANT", invalid=True)
        return login


def _check_login(asked: Mapping[str, str]) -> None:
    back = urlsplit(asked.get("redirect_uri", ""))
    if back.scheme != "http" or back.hostname not in ("127.0.0.1", "localhost", "::1") or back.query or back.fragment:
        raise Rejected("BAD_REDIRECT_URI", "an http address of this machine without a query", invalid=True)
    if asked.get("response_type") != "code" or asked.get("code_challenge_method") != "S256":
        raise Rejected("BAD_REQUEST", "response_type=code with code_challenge_method=S256", invalid=True)
    if not asked.get("client_id") or not asked.get("code_challenge"):
        raise Rejected("BAD_REQUEST", "client_id and code_challenge are needed", invalid=True)


def _challenge(verifier: str) -> str:
    return urlsafe_b64encode(sha256(verifier.encode()).digest()).decode().rstrip("=")


def _id_token(issuer: Issuer, login: Login) -> str:
    claims = {"sub": login.person.subject, "aud": login.client, "roles": sorted(login.person.roles)}
    return issuer.signer.sign(claims | ({"nonce": login.nonce} if login.nonce else {}), LOGIN_S)


def _choice(asked: Mapping[str, str]) -> Response:
    links = "".join(
        f'<li><a href="?{html.escape(urlencode({**asked, "person": name}))}">{html.escape(name)}</a></li>'
        for name in PEOPLE
    )
    return HTMLResponse(
        f'<!doctype html><html lang="en"><title>Demo login</title><h1>Who are you?</h1><ul>{links}</ul>'
    )


# --- process -----------------------------------------------------------------------------------------------------


def main(env: Mapping[str, str]) -> int:
    """Run until stopped. ``ISSUER_DATA`` holds the keys (``build/demo/issuer``), ``DEMO_TOKENS`` names tokens.json."""
    settings = kernel_settings(env, "issuer", PORTS["issuer"])

    async def provide() -> None:
        refuse_outside_demo(settings)
        issuer = await asyncio.to_thread(
            Issuer.in_folder, Path(env.get("ISSUER_DATA", "build/demo/issuer")), settings.auth_issuer
        )
        await asyncio.to_thread(issuer.write_tokens, Path(env.get("DEMO_TOKENS", "build/demo/tokens.json")))
        await serve(settings, app=create_issuer(settings, issuer))

    return run(settings, provide)


if __name__ == "__main__":
    sys.exit(main(os.environ))
