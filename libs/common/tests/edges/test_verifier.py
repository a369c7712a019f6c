"""Tokens: every forgery in trust.md's Attacks is refused, and none of them makes us call anybody."""

import base64
import hmac
import json

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey

from switchlog.auth import Principal, RemoteKeys, Signer, StaticKeys, Trust, Verifier, acting_for, new_key, require_role
from switchlog.auth.verifier import read_jwks
from switchlog.errors import Forbidden, NotNow, Unauthenticated
from switchlog.testing.identity import ISSUER, TestIssuer

NOW = 1_750_000_000


class Clock:
    def __init__(self, now=NOW):
        self.now = now

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def issuer(clock):
    return TestIssuer(clock)


def claims(**changes):
    given = {
        "iss": ISSUER,
        "aud": "switchlog",
        "sub": "u1",
        "tenant": "acme",
        "roles": ["agent"],
        "teams": [],
        "nbf": NOW,
        "exp": NOW + 600,
        "jti": "j1",
    } | changes
    return {name: value for name, value in given.items() if value is not None}


def signed(issuer, header=None, key=None, alg="ES256", **changes):
    head = {"alg": alg, "typ": "at+jwt", "kid": issuer.signer.kid} | (header or {})
    return jwt.encode(head, claims(**changes), key or issuer.signer.key, algorithms=[alg])


def unsigned(header, sign=lambda text: b""):
    start = ".".join(encoded(json.dumps(part).encode()) for part in (header, claims()))
    return f"{start}.{encoded(sign(start.encode()))}"


def encoded(part):
    return base64.urlsafe_b64encode(part).decode().rstrip("=")


async def test_a_good_token_names_its_principal(issuer):
    found = await issuer.verifier.verify(issuer.issue("u7", ["agent", "supervisor"], ["sales"]))
    assert found == Principal("acme", "u7", frozenset({"agent", "supervisor"}), frozenset({"sales"}), None, NOW + 3600)


async def test_a_visitors_token_is_bound_to_one_conversation(issuer):
    found = await issuer.verifier.verify(issuer.visitor("c1"))
    assert (found.contact, found.roles) == ("c1", {"visitor"})


FORGERIES = {
    "nothing": lambda i: "",
    "garbage": lambda i: "a.b.c",
    "two parts": lambda i: ".".join(i.issue().split(".")[:2]),
    "not json": lambda i: "bm90.bm90.bm90",
    "too long": lambda i: i.issue() + "A" * 9000,
    "alg none": lambda i: unsigned({"alg": "none", "typ": "at+jwt", "kid": i.signer.kid}),
    "alg None": lambda i: unsigned({"alg": "None", "typ": "at+jwt", "kid": i.signer.kid}),
    "alg missing": lambda i: unsigned({"typ": "at+jwt", "kid": i.signer.kid}),
    "signature cut off": lambda i: i.issue().rsplit(".", 1)[0] + ".",
    "one byte changed": lambda i: i.issue()[:-9] + ("A" if i.issue()[-9] != "A" else "B") + i.issue()[-8:],
    "wrong typ": lambda i: signed(i, {"typ": "JWT"}),
    "no typ": lambda i: signed(i, {"typ": ""}),
    "jku": lambda i: signed(i, {"jku": "https://evil.test/jwks.json"}),
    "jwk": lambda i: signed(i, {"jwk": new_key().as_dict(private=False)}),
    "x5u": lambda i: signed(i, {"x5u": "https://evil.test/cert"}),
    "crit": lambda i: unsigned({"alg": "ES256", "typ": "at+jwt", "kid": i.signer.kid, "crit": ["exp"]}),
    "foreign kid": lambda i: signed(i, {"kid": "somebody-else"}),
    "no kid": lambda i: unsigned({"alg": "ES256", "typ": "at+jwt"}),
    "kid not text": lambda i: unsigned({"alg": "ES256", "typ": "at+jwt", "kid": {"a": 1}}),
    "foreign key under our kid": lambda i: signed(i, key=new_key()),
    "expired": lambda i: signed(i, exp=NOW),
    "not yet valid": lambda i: signed(i, nbf=NOW + 60),
    "no exp": lambda i: signed(i, exp=None),
    "no nbf": lambda i: signed(i, nbf=None),
    "exp is text": lambda i: signed(i, nbf="0"),
    "foreign issuer": lambda i: signed(i, iss="https://evil.test"),
    "foreign audience": lambda i: signed(i, aud="other"),
    "no audience": lambda i: signed(i, aud=None),
    "no jti": lambda i: signed(i, jti=None),
    "no tenant": lambda i: signed(i, tenant=None),
    "bad tenant": lambda i: signed(i, tenant="a/b"),
    "tenant list": lambda i: signed(i, tenant=["acme"]),
    "no sub": lambda i: signed(i, sub=None),
    "roles is text": lambda i: signed(i, roles="admin"),
    "roles hold a number": lambda i: signed(i, roles=[1]),
    "bad contact": lambda i: signed(i, contact="../x"),
}


@pytest.mark.parametrize("forgery", FORGERIES.values(), ids=FORGERIES.keys())
async def test_a_forged_token_is_refused(issuer, forgery):
    with pytest.raises(Unauthenticated):
        await issuer.verifier.verify(forgery(issuer))


async def test_hs256_signed_with_the_public_key_is_refused(issuer):
    public = issuer.signer.key.as_pem(private=False)
    header = {"alg": "HS256", "typ": "at+jwt", "kid": issuer.signer.kid}
    forged = unsigned(header, sign=lambda text: hmac.digest(public, text, "sha256"))
    with pytest.raises(Unauthenticated, match="WRONG_ALGORITHM"):
        await issuer.verifier.verify(forged)


async def test_another_asymmetric_algorithm_is_refused_even_with_a_known_kid(issuer):
    forged = signed(issuer, key=RSAKey.generate_key(2048, private=True), alg="RS256")
    with pytest.raises(Unauthenticated, match="WRONG_ALGORITHM"):
        await issuer.verifier.verify(forged)


async def test_a_remembered_token_still_expires(issuer, clock):
    token = issuer.issue(ttl_s=60)
    await issuer.verifier.verify(token)
    clock.now += 60
    with pytest.raises(Unauthenticated, match="EXPIRED"):
        await issuer.verifier.verify(token)


async def test_a_second_trusted_issuer_cannot_give_roles_that_it_may_not_give(issuer, clock):
    own = Signer(new_key(), "ingress", clock=clock)
    trust = Trust("ingress", StaticKeys([own.key]), only_roles=frozenset({"visitor"}))
    verifier = Verifier(trust, clock=clock)
    good = own.sign({"sub": "c1", "tenant": "acme", "roles": ["visitor"], "contact": "c1"}, 60)
    assert (await verifier.verify(good)).contact == "c1"
    with pytest.raises(Unauthenticated, match="ROLE_NOT_TRUSTED"):
        await verifier.verify(own.sign({"sub": "c1", "tenant": "acme", "roles": ["service"]}, 60))


# --- keys from the network ---------------------------------------------------------------------------------------


class Network:
    def __init__(self, *keys):
        self.calls = []
        self.publish(*keys)

    def publish(self, *keys):
        entries = [dict(key.as_dict(private=False), kid=key.thumbprint()) for key in keys]
        self.document = json.dumps({"keys": entries}).encode()

    async def __call__(self, url):
        self.calls.append(url)
        if isinstance(self.document, Exception):
            raise self.document
        return self.document


@pytest.fixture
def network(issuer):
    return Network(issuer.signer.key)


@pytest.fixture
def remote(network, clock):
    return Verifier(Trust(ISSUER, RemoteKeys("https://id.test/jwks.json", network, clock)), clock=clock)


async def test_keys_are_fetched_once_from_the_configured_url(issuer, remote, network, clock):
    for _ in range(5):
        await remote.verify(issuer.issue())
    assert network.calls == ["https://id.test/jwks.json"]


@pytest.mark.parametrize("forgery", FORGERIES.values(), ids=FORGERIES.keys())
async def test_no_forgery_causes_a_request_beyond_the_configured_url(issuer, remote, network, forgery):
    await remote.verify(issuer.issue())
    for _ in range(3):
        with pytest.raises(Unauthenticated):
            await remote.verify(forgery(issuer))
    assert network.calls == ["https://id.test/jwks.json"]


async def test_unknown_kids_ask_again_at_most_every_30_seconds(issuer, remote, network, clock):
    await remote.verify(issuer.issue())
    for second in range(120):
        clock.now = NOW + second
        with pytest.raises(Unauthenticated):
            await remote.verify(signed(issuer, {"kid": f"made-up-{second}"}))
    assert len(network.calls) <= 1 + 120 // 30


async def test_a_rotated_key_is_learnt_and_the_old_one_is_forgotten(issuer, remote, network, clock):
    old = issuer.issue(ttl_s=3600)
    await remote.verify(old)
    issuer.signer = Signer(new_key(), ISSUER, clock=clock)
    network.publish(issuer.signer.key)
    clock.now += 31
    await remote.verify(issuer.issue())
    with pytest.raises(Unauthenticated, match="UNKNOWN_KEY"):
        await remote.verify(old)


async def test_when_the_issuer_is_away_known_keys_go_on(issuer, remote, network, clock):
    await remote.verify(issuer.issue())
    network.document = OSError("away")
    clock.now += 700
    await remote.verify(issuer.issue())


async def test_without_any_keys_the_answer_is_later_not_never(issuer, remote, network):
    network.document = OSError("away")
    with pytest.raises(NotNow):
        await remote.verify(issuer.issue())


def test_keys_of_another_kind_in_a_jwks_are_left_out():
    good = dict(new_key().as_dict(private=False), kid="good")
    others = [
        dict(OctKey.generate_key(256).as_dict(), kid="oct"),
        dict(RSAKey.generate_key(2048).as_dict(private=False), kid="rsa"),
        dict(ECKey.generate_key("P-384").as_dict(private=False), kid="p384"),
        good | {"kid": "enc", "use": "enc"},
        "nonsense",
    ]
    assert set(read_jwks(json.dumps({"keys": [*others, good]}).encode())) == {"good"}


# --- what a principal may do --------------------------------------------------------------------------------------


def test_only_a_service_may_name_another_tenant():
    agent = Principal("acme", "u1", frozenset({"agent", "admin"}))
    service = Principal("system", "routing", frozenset({"service"}))
    assert acting_for(agent, None) is agent
    assert acting_for(agent, "acme") is agent
    assert acting_for(service, "acme").tenant == "acme"
    with pytest.raises(Forbidden, match="FOREIGN_TENANT"):
        acting_for(agent, "other")


def test_a_role_is_required():
    agent = Principal("acme", "u1", frozenset({"agent"}))
    assert require_role(agent, "agent", "admin") is agent
    with pytest.raises(Forbidden, match="ROLE_REQUIRED"):
        require_role(agent, "admin")
