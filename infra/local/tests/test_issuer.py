"""The demo's issuer: only in the demo, only on loopback, and its tokens are what our verifier expects."""

import asyncio
import base64
import json
import os
import socket
import subprocess
import sys
from hashlib import sha256
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from switchlog.auth import RemoteKeys, Trust, Verifier, client_credentials, file_tokens
from switchlog.config import kernel_settings
from switchlog.errors import NotNow
from switchlog.testing import eventually
from switchlog_local.issuer import Issuer, NotADemo, create_issuer

URL = "http://127.0.0.1:8100"


def settings(**env):
    return kernel_settings({"SWITCHLOG_DEMO": "1"} | env, "issuer", 8100)


@pytest.fixture
def issuer(tmp_path):
    return Issuer.in_folder(tmp_path / "issuer", URL)


@pytest.fixture
async def http(issuer):
    transport = httpx2.ASGITransport(create_issuer(settings(), issuer))
    async with httpx2.AsyncClient(transport=transport, base_url=URL) as client:
        yield client


@pytest.fixture
def verifier(http):
    async def fetch(url):
        return (await http.get(url)).content

    return Verifier(Trust(URL, RemoteKeys(f"{URL}/jwks.json", fetch)))


# --- where it runs -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("env", [{"SWITCHLOG_DEMO": ""}, {"SWITCHLOG_DEMO": "true"}, {"SWITCHLOG_DEMO": "0"}])
def test_it_refuses_to_start_outside_the_demo(issuer, env):
    with pytest.raises(NotADemo, match="SWITCHLOG_DEMO=1"):
        create_issuer(settings(**env), issuer)


@pytest.mark.parametrize("host", ["0.0.0.0", "10.0.0.7", "::"])  # noqa: S104 - it is refused
def test_it_refuses_to_listen_beyond_loopback(issuer, host):
    with pytest.raises(NotADemo, match="HTTP_HOST"):
        create_issuer(settings(HTTP_HOST=host), issuer)


async def test_it_does_not_answer_under_another_name(http):
    """A page that rebinds its own name to 127.0.0.1 gets nothing."""
    answered = await http.get("/jwks.json", headers={"host": "evil.test"})
    assert answered.status_code == 400


# --- keys and discovery --------------------------------------------------------------------------------------------


def test_keys_and_secrets_are_kept_for_their_owner_only(issuer, tmp_path):
    again = Issuer.in_folder(tmp_path / "issuer", URL)
    assert again.signer.kid == issuer.signer.kid
    assert again.client_secret("routing") == issuer.client_secret("routing")
    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "issuer").iterdir()}
    assert modes == {"signing-key.pem": 0o600, "client-root.secret": 0o600}


async def test_discovery_says_where_everything_is(http):
    found = (await http.get("/.well-known/openid-configuration")).json()
    assert found["issuer"] == URL
    for name in ("jwks_uri", "token_endpoint", "authorization_endpoint"):
        assert found[name].startswith(URL + "/")
    assert found["id_token_signing_alg_values_supported"] == ["ES256"]


async def test_the_published_key_has_no_private_part(http):
    [key] = (await http.get("/jwks.json")).json()["keys"]
    assert (key["kty"], key["crv"], key["alg"], key["use"]) == ("EC", "P-256", "ES256", "sig")
    assert "d" not in key


# --- tokens --------------------------------------------------------------------------------------------------------


async def test_tokens_json_holds_four_people_who_verify(issuer, verifier, tmp_path):
    path = tmp_path / "demo" / "tokens.json"
    issuer.write_tokens(path)
    issuer.write_tokens(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in path.parent.iterdir()] == ["tokens.json"]
    tokens = json.loads(path.read_text())
    assert set(tokens) == {"agent", "supervisor", "admin", "analyst"}
    for role, token in tokens.items():
        found = await verifier.verify(token)
        assert (found.tenant, found.roles) == ("demo", {role})


async def test_a_service_gets_its_token_by_its_secret(http, issuer, verifier):
    form = {"grant_type": "client_credentials"}
    answered = await http.post("/token", data=form, auth=("routing", issuer.client_secret("routing")))
    found = await verifier.verify(answered.json()["access_token"])
    assert (found.subject, found.roles) == ("routing", {"service"})
    by_form = form | {"client_id": "routing", "client_secret": issuer.client_secret("routing")}
    assert (await http.post("/token", data=by_form)).status_code == 200


async def test_a_token_file_serves_a_service(issuer, verifier, tmp_path):
    issuer.write_service_token("ticketing", tmp_path / "tokens" / "ticketing")
    found = await verifier.verify(await file_tokens(tmp_path / "tokens" / "ticketing").token())
    assert (found.subject, found.roles) == ("ticketing", {"service"})


async def test_a_wrong_secret_gets_nothing(http, issuer):
    form = {"grant_type": "client_credentials"}
    other = issuer.client_secret("ticketing")
    for auth in (("routing", other), ("routing", ""), ("", ""), None):
        assert (await http.post("/token", data=form, auth=auth)).status_code == 401
    stranger = ("nobody", issuer.client_secret("nobody"))
    assert (await http.post("/token", data=form, auth=stranger)).status_code == 403
    assert (await http.post("/token", data={"grant_type": "password"})).status_code == 422


async def test_the_demo_may_ask_for_anybodys_token(http, issuer, verifier):
    wanted = {"subject": "agent-7", "roles": ["agent"], "teams": ["team-2"]}
    answered = await http.post("/demo/tokens", json=wanted, auth=("demo", issuer.client_secret("demo")))
    found = await verifier.verify(answered.json()["access_token"])
    assert (found.subject, found.roles, found.teams) == ("agent-7", {"agent"}, {"team-2"})
    refused = await http.post("/demo/tokens", json=wanted, auth=("routing", issuer.client_secret("routing")))
    assert refused.status_code == 403
    assert (await http.post("/demo/tokens", json=wanted)).status_code == 401


# --- login ---------------------------------------------------------------------------------------------------------

SECRET = "v" * 43
ASKED = {
    "response_type": "code",
    "client_id": "console",
    "redirect_uri": "http://127.0.0.1:8080/callback",
    "state": "s1",
    "nonce": "n1",
    "code_challenge": base64.urlsafe_b64encode(sha256(SECRET.encode()).digest()).decode().rstrip("="),
    "code_challenge_method": "S256",
}


async def login(http, person="supervisor"):
    answered = await http.get("/authorize", params=ASKED | {"person": person})
    assert answered.status_code == 303
    back = urlsplit(answered.headers["location"])
    assert back.netloc + back.path == "127.0.0.1:8080/callback"
    return parse_qs(back.query)


def exchange(http, code, **changes):
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "client_id": "console",
        "redirect_uri": ASKED["redirect_uri"],
        "code_verifier": SECRET,
    }
    return http.post("/token", data=form | changes)


async def test_somebody_logs_in_by_code_and_pkce(http, verifier):
    page = await http.get("/authorize", params=ASKED)
    assert "supervisor" in page.text
    back = await login(http)
    assert back["state"] == ["s1"]
    got = (await exchange(http, back["code"][0])).json()
    assert (await verifier.verify(got["access_token"])).roles == {"supervisor"}
    claims = json.loads(base64.urlsafe_b64decode(got["id_token"].split(".")[1] + "=="))
    assert (claims["aud"], claims["nonce"], claims["sub"]) == ("console", "n1", "supervisor-1")


async def test_a_code_is_good_once_and_only_for_who_asked(http):
    code = (await login(http))["code"][0]
    assert (await exchange(http, code)).status_code == 200
    assert (await exchange(http, code)).status_code == 422
    for wrong in ({"code_verifier": "w" * 43}, {"client_id": "other"}, {"redirect_uri": "http://127.0.0.1:1/"}):
        code = (await login(http))["code"][0]
        assert (await exchange(http, code, **wrong)).json()["reason"] == "INVALID_GRANT"


@pytest.mark.parametrize(
    "wrong",
    [
        {"redirect_uri": "https://evil.test/"},
        {"redirect_uri": "http://127.0.0.1@evil.test/"},
        {"redirect_uri": "javascript:alert(1)"},
        {"redirect_uri": ""},
        {"response_type": "token"},
        {"code_challenge_method": "plain"},
        {"code_challenge": ""},
        {"client_id": ""},
    ],
)
async def test_a_login_that_leads_elsewhere_is_refused(http, wrong):
    answered = await http.get("/authorize", params=ASKED | wrong | {"person": "admin"})
    assert answered.status_code == 422


async def test_the_page_shows_what_it_was_asked_as_text(http):
    page = await http.get("/authorize", params=ASKED | {"state": '"><script>alert(1)</script>'})
    assert "<script>" not in page.text


# --- the process ---------------------------------------------------------------------------------------------------


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start(tmp_path, port, **env):
    clean = {name: value for name, value in os.environ.items() if name != "SWITCHLOG_DEMO"}
    return subprocess.Popen(
        [sys.executable, "-m", "switchlog_local.issuer"],
        env=clean | {"ISSUER_PORT": str(port), **env},
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        text=True,
    )


async def test_the_process_serves_tokens_that_a_service_can_verify(tmp_path):
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    process = start(tmp_path, port, SWITCHLOG_DEMO="1")
    try:
        tokens = tmp_path / "build" / "demo" / "tokens.json"
        await eventually(lambda: _keys(url), within_s=30)
        issuer = Issuer.in_folder(tmp_path / "build" / "demo" / "issuer", url)
        verifier = Verifier(Trust(url, RemoteKeys(f"{url}/jwks.json")))
        own = await client_credentials(f"{url}/token", "routing", issuer.client_secret("routing")).token()
        assert (await verifier.verify(own)).has("service")
        assert (await verifier.verify(json.loads(tokens.read_text())["admin"])).has("admin")
        with pytest.raises(NotNow):
            await client_credentials(f"{url}/token", "routing", "wrong").token()
    finally:
        process.terminate()
        output, _ = await asyncio.to_thread(process.communicate, timeout=15)
    assert process.returncode == 0, output
    assert own not in output


async def _keys(url):
    try:
        async with httpx2.AsyncClient(trust_env=False) as http:
            return (await http.get(f"{url}/jwks.json")).status_code == 200
    except httpx2.TransportError:
        return False


async def test_the_process_refuses_outside_the_demo_and_leaves_nothing_behind(tmp_path):
    process = start(tmp_path, free_port())
    output, _ = await asyncio.to_thread(process.communicate, timeout=30)
    assert process.returncode == 2
    assert "SWITCHLOG_DEMO=1" in output
    assert not (tmp_path / "build").exists()
