"""The HTTP edge: the error table, commands, probes, tenants (architecture, Errors; trust, Attacks)."""

import json
from dataclasses import dataclass

import httpx2
import pytest
from fastapi import APIRouter, Depends, Request

from switchlog.envelope import StreamId
from switchlog.errors import (
    Forbidden,
    NotFound,
    NotNow,
    OutcomeUnknown,
    Poison,
    Rejected,
    TooLarge,
    Unauthenticated,
    VersionConflict,
)
from switchlog.limits import RateLimited, RateLimits
from switchlog.testing import test_settings as settings_for_tests
from switchlog.web import (
    Body,
    Offset,
    PageSize,
    Principaled,
    answer,
    cause_of,
    create_app,
    if_match,
    problem_of,
    require,
)

ERRORS = {
    "rejected": Rejected("AGENT_NOT_AVAILABLE", "busy"),
    "invalid": Rejected("BAD_ID", invalid=True),
    "notfound": NotFound("NOT_FOUND", "contact c1 of acme"),
    "conflict": VersionConflict(7),
    "unauthenticated": Unauthenticated(),
    "forbidden": Forbidden("ROLE_REQUIRED"),
    "toolarge": TooLarge(),
    "notnow": NotNow(retry_after_s=2.2),
    "unknown": OutcomeUnknown(),
    "limited": RateLimited(retry_after_s=0.1),
    "poison": Poison("UNDECODABLE"),
    "bug": ValueError("phone 13800138000"),
}


@dataclass(frozen=True)
class Done:
    stream: StreamId
    version: int


class Name(Body):
    name: str
    age: int = 0


router = APIRouter()


@router.get("/v1/fail/{how}")
async def fail(how: str):
    raise ERRORS[how]


@router.post("/v1/contacts/{id}:end")
async def end(id: str, body: Name, who: Principaled, request: Request):
    cause = cause_of(request, who, body)
    request.app.state.causes.append(cause)
    request.app.state.expected = if_match(request)
    return answer(Done(StreamId(who.tenant, f"contact-{id}"), 12))


@router.get("/v1/contacts/{id}")
async def read(id: str, who: Principaled):
    if (who.tenant, id) != ("acme", "c1"):
        raise NotFound(detail=f"no contact {id} for {who.tenant}")
    return {"id": id}


@router.get("/v1/tenants/{tenant}/things")
async def things(tenant: str, who: Principaled, size: PageSize = 20, after: Offset = 0):
    return {"tenant": who.tenant, "size": size, "after": after}


@router.get("/v1/admin", dependencies=[Depends(require("admin"))])
async def admin():
    return {}


@pytest.fixture
def app(issuer):
    app = create_app("testing", routers=[router], verifier=issuer.verifier, settings=settings_for_tests())
    app.state.causes = []
    return app


@pytest.fixture
async def http(app):
    transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


@pytest.mark.parametrize(
    "how, status, reason",
    [
        ("rejected", 409, "AGENT_NOT_AVAILABLE"),
        ("invalid", 422, "BAD_ID"),
        ("notfound", 404, "NOT_FOUND"),
        ("conflict", 409, "VERSION_CONFLICT"),
        ("unauthenticated", 401, "UNAUTHENTICATED"),
        ("forbidden", 403, "ROLE_REQUIRED"),
        ("toolarge", 413, "TOO_LARGE"),
        ("notnow", 503, "NOT_NOW"),
        ("unknown", 503, "OUTCOME_UNKNOWN"),
        ("limited", 429, "RATE_LIMITED"),
        ("poison", 400, "UNDECODABLE"),
        ("bug", 500, "INTERNAL"),
    ],
)
async def test_the_error_table(http, how, status, reason):
    answered = await http.get(f"/v1/fail/{how}", headers={"x-correlation-id": "abc"})
    problem = answered.json()
    assert (answered.status_code, problem["status"], problem["reason"]) == (status, status, reason)
    assert answered.headers["content-type"] == "application/problem+json"
    assert set(problem) >= {"type", "title", "status", "detail", "reason", "correlation_id"}
    assert problem["correlation_id"] == answered.headers["x-correlation-id"] == "abc"


async def test_a_bug_is_answered_without_detail_and_logged(http, lines):
    answered = await http.get("/v1/fail/bug")
    assert answered.json()["detail"] == ""
    assert "13800138000" not in answered.text
    [line] = [line for line in lines() if line["event"] == "request_failed"]
    assert (line["error"], line["route"]) == ("ValueError", "/v1/fail/{how}")
    assert line["trace_id"]


def test_what_is_nobodys_error_says_nothing():
    problem = problem_of(ValueError("phone 13800138000"))
    assert (problem.status, problem.reason, problem.detail) == (500, "INTERNAL", "")


async def test_later_says_when_to_come_back(http):
    assert (await http.get("/v1/fail/notnow")).headers["retry-after"] == "3"
    assert (await http.get("/v1/fail/limited")).headers["retry-after"] == "1"
    assert (await http.get("/v1/fail/unauthenticated")).headers["www-authenticate"] == "Bearer"


async def test_a_conflict_is_a_failed_precondition_when_the_caller_set_one(http):
    assert (await http.get("/v1/fail/conflict", headers={"if-match": '"3"'})).status_code == 412


async def test_a_strange_correlation_id_is_not_echoed(http):
    answered = await http.get("/v1/fail/notfound", headers={"x-correlation-id": "<script>"})
    assert "script" not in answered.text
    assert len(answered.json()["correlation_id"]) == 32


async def test_the_trace_is_the_correlation_id(http):
    trace = "0af7651916cd43dd8448eb211c80319c"
    answered = await http.get("/v1/fail/notfound", headers={"traceparent": f"00-{trace}-b7ad6b7169203331-01"})
    assert answered.json()["correlation_id"] == trace


# --- commands ------------------------------------------------------------------------------------------------------


async def test_a_command_answers_its_stream_and_version(http, issuer):
    answered = await http.post("/v1/contacts/c1:end", json={"name": "x"}, headers=issuer.bearer())
    assert answered.json() == {"stream": "contact-c1", "version": 12}
    assert answered.headers["etag"] == '"12"'


async def end_with(http, issuer, *, key="k1", name="x", contact="c1", subject="u1", tenant=None, query=""):
    headers = issuer.bearer(subject, tenant=tenant) | {"idempotency-key": key}
    answered = await http.post(f"/v1/contacts/{contact}:end{query}", json={"name": name}, headers=headers)
    assert answered.status_code == 200, answered.text


async def test_the_same_key_makes_the_same_command_and_another_user_is_independent(http, issuer, app):
    await end_with(http, issuer)
    await end_with(http, issuer)
    await end_with(http, issuer, subject="u2")
    await end_with(http, issuer, tenant="other")
    await end_with(http, issuer, key="k2")
    ids = [cause.command_id for cause in app.state.causes]
    assert ids[0] == ids[1]
    assert len(set(ids)) == 4
    assert app.state.causes[0].actor == "u1"
    assert app.state.causes[0].traceparent.startswith("00-")


async def test_the_digest_tells_another_body_path_or_query_under_the_same_key(http, issuer, app):
    await end_with(http, issuer)
    await end_with(http, issuer)
    await end_with(http, issuer, name="y")
    await end_with(http, issuer, contact="c2")
    await end_with(http, issuer, query="?force=1")
    digests = [cause.digest for cause in app.state.causes]
    assert digests[0] == digests[1]
    assert len(set(digests)) == 4


async def test_without_a_key_every_command_is_a_new_one(http, issuer, app):
    for _ in range(2):
        await http.post("/v1/contacts/c1:end", json={"name": "x"}, headers=issuer.bearer())
    assert app.state.causes[0].command_id != app.state.causes[1].command_id


@pytest.mark.parametrize("key", ["", "k" * 129, "a b", "é"])
async def test_a_bad_idempotency_key_is_refused(http, issuer, key):
    headers = [(b"idempotency-key", key.encode()), (b"authorization", issuer.bearer()["authorization"].encode())]
    answered = await http.post("/v1/contacts/c1:end", json={"name": "x"}, headers=headers)
    assert (answered.status_code, answered.json()["reason"]) == (422, "BAD_IDEMPOTENCY_KEY")


@pytest.mark.parametrize("given, expected", [('"3"', 3), ("*", None), (None, None)])
async def test_if_match_is_a_version(http, issuer, app, given, expected):
    headers = issuer.bearer() | ({"if-match": given} if given else {})
    await http.post("/v1/contacts/c1:end", json={"name": "x"}, headers=headers)
    assert app.state.expected == expected


@pytest.mark.parametrize("given", ["3", 'W/"3"', '"x"', '"3","4"', '"' + "9" * 30 + '"'])
async def test_a_bad_if_match_is_refused(http, issuer, given):
    answered = await http.post("/v1/contacts/c1:end", json={"name": "x"}, headers=issuer.bearer() | {"if-match": given})
    assert (answered.status_code, answered.json()["reason"]) == (422, "BAD_IF_MATCH")


# --- attacks -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "header", [{}, {"authorization": "x"}, {"authorization": "Bearer"}, {"authorization": "Basic YTpi"}]
)
async def test_without_a_token_401(http, header):
    assert (await http.get("/v1/contacts/c1", headers=header)).status_code == 401


async def test_no_token_is_told_before_a_bad_body(http):
    assert (await http.post("/v1/contacts/c1:end", json={"nonsense": 1})).status_code == 401


async def test_a_foreign_id_gets_the_same_body_as_a_random_one(http, issuer):
    headers = issuer.bearer(tenant="other") | {"x-correlation-id": "same"}
    foreign = await http.get("/v1/contacts/c1", headers=headers)
    random = await http.get("/v1/contacts/9f2b", headers=headers)
    unrouted = await http.get("/v1/nothing/here", headers=headers)
    assert foreign.status_code == 404
    assert foreign.content == random.content == unrouted.content
    assert "acme" not in foreign.text


@pytest.mark.parametrize("header", ["x-tenant-id", "x-tenant", "tenant-id", "ce-tenantid"])
async def test_a_tenant_spoofed_in_a_header_is_403(http, issuer, header):
    answered = await http.get("/v1/contacts/c1", headers=issuer.bearer() | {header: "other"})
    assert (answered.status_code, answered.json()["reason"]) == (403, "FOREIGN_TENANT")


async def test_a_tenant_spoofed_in_the_path_is_403(http, issuer):
    assert (await http.get("/v1/tenants/acme/things", headers=issuer.bearer())).json()["tenant"] == "acme"
    assert (await http.get("/v1/tenants/other/things", headers=issuer.bearer())).status_code == 403


async def test_only_a_service_may_name_a_tenant(http, issuer):
    headers = issuer.bearer("routing", ["service"], tenant="system")
    assert (await http.get("/v1/tenants/acme/things", headers=headers)).json()["tenant"] == "acme"
    bad = await http.get("/v1/tenants/a%20b/things", headers=headers)
    assert bad.status_code == 422


async def test_a_wrong_role_is_403(http, issuer):
    assert (await http.get("/v1/admin", headers=issuer.bearer())).status_code == 403
    assert (await http.get("/v1/admin", headers=issuer.bearer(roles=["admin"]))).status_code == 200


async def test_mass_assignment_is_422_and_does_not_echo_what_was_sent(http, issuer):
    body = {"name": "x", "role": "admin", "age": "13800138000x"}
    answered = await http.post("/v1/contacts/c1:end", json=body, headers=issuer.bearer())
    assert answered.status_code == 422
    assert {error["at"] for error in answered.json()["errors"]} == {"body.role", "body.age"}
    assert "13800138000" not in answered.text
    assert "admin" not in answered.text


@pytest.mark.parametrize("query", ["size=1000000000", "size=0", "after=-1", "size=x", "size=101"])
async def test_absurd_pages_are_422(http, issuer, query):
    answered = await http.get(f"/v1/tenants/acme/things?{query}", headers=issuer.bearer())
    assert answered.status_code == 422


@pytest.mark.parametrize("body", [b"{", b"\xff\xfe", b'{"name": "x"', b"not json", b"[" * 300])
async def test_what_is_not_json_is_400(http, issuer, body):
    headers = issuer.bearer() | {"content-type": "application/json"}
    assert (await http.post("/v1/contacts/c1:end", content=body, headers=headers)).status_code == 400


async def test_a_noisy_tenant_is_told_429_and_the_other_is_not(issuer):
    app = create_app(
        "testing",
        routers=[router],
        verifier=issuer.verifier,
        settings=settings_for_tests(),
        rate_limits=RateLimits(per_s=0.5, burst=3),
    )
    app.state.causes = []
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://test") as http:

        async def command(tenant):
            headers = issuer.bearer(tenant=tenant)
            return await http.post("/v1/contacts/c1:end", json={"name": "x"}, headers=headers)

        noisy = [await command("noisy") for _ in range(6)]
        assert [answered.status_code for answered in noisy] == [200] * 3 + [429] * 3
        assert int(noisy[-1].headers["retry-after"]) >= 1
        assert (await command("quiet")).status_code == 200
        reads = await http.get("/v1/tenants/noisy/things", headers=issuer.bearer(tenant="noisy"))
        assert reads.status_code == 200


def test_a_bucket_fills_again_and_a_tenant_may_have_its_own_rate():
    now = [0.0]
    limits = RateLimits(per_s=2, burst=2, of_tenant={"big": (100, 100)}, clock=lambda: now[0])
    for _ in range(2):
        limits.take("small")
    with pytest.raises(RateLimited) as refused:
        limits.take("small")
    assert refused.value.retry_after_s == pytest.approx(0.5)
    now[0] = 0.5
    limits.take("small")
    for _ in range(100):
        limits.take("big")


# --- probes and headers --------------------------------------------------------------------------------------------


async def test_security_headers_stand_on_every_answer(http):
    for path in ("/healthz", "/v1/fail/bug", "/nope", "/v1/fail/toolarge"):
        headers = (await http.get(path)).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
        assert headers["cache-control"] == "no-store"
        assert "server" not in headers


async def test_cors_is_off_unless_origins_are_given(http, issuer):
    asked = {"origin": "https://evil.test", "access-control-request-method": "POST"}
    assert "access-control-allow-origin" not in (await http.get("/healthz", headers=asked)).headers
    open_to = create_app(
        "testing", verifier=issuer.verifier, settings=settings_for_tests(), cors_origins=["https://shop.test"]
    )
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(open_to), base_url="http://test") as other:
        assert "access-control-allow-origin" not in (await other.get("/healthz", headers=asked)).headers
        friend = await other.options("/healthz", headers=asked | {"origin": "https://shop.test"})
        assert friend.headers["access-control-allow-origin"] == "https://shop.test"


async def test_readiness_names_its_parts_and_survives_a_broken_one(issuer):
    parts = {"store": True, "kafka": True}

    async def ready():
        if parts is None:
            raise OSError
        return parts

    app = create_app("testing", verifier=issuer.verifier, settings=settings_for_tests(), ready=ready)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://test") as http:
        assert (await http.get("/readyz")).status_code == 200
        parts["kafka"] = False
        answered = await http.get("/readyz")
        assert (answered.status_code, answered.json()["kafka"]) == (503, False)
        parts = None
        assert (await http.get("/readyz")).status_code == 503
        assert (await http.get("/healthz")).status_code == 200
        parts = {}
        app.state.health.stopping = True
        assert (await http.get("/readyz")).status_code == 503


async def test_docs_need_nothing_from_elsewhere(http):
    page = await http.get("/docs")
    assert page.status_code == 200
    assert "https://" not in page.text
    assert "http://" not in page.text
    assert "'unsafe-inline'" not in page.headers["content-security-policy"]
    paths = json.loads((await http.get("/openapi.json")).text)["paths"]
    assert "/v1/contacts/{id}:end" in paths
    assert "/metrics" not in paths


async def test_metrics_count_requests_by_route_template_only(http, issuer):
    from switchlog.telemetry import start_telemetry

    running = start_telemetry(settings_for_tests())
    await http.get("/v1/contacts/secret-id-123", headers=issuer.bearer())
    text = (await http.get("/metrics")).text
    running.shutdown()
    assert 'http_route="/v1/contacts/{id}"' in text
    assert "secret-id-123" not in text
