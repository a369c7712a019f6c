"""The service over HTTP: who may do what, and what is answered."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from ingress_chat import wiring
from switchlog.auth.verifier import StaticKeys, Trust
from switchlog.envelope import StreamId
from switchlog.testing import TestIssuer

from .scene import DOOR, SITE_KEY, TENANT, Scene

SHOP, EVIL, CONSOLE = "https://shop.test", "https://evil.test", "http://127.0.0.1:8080"
Http = httpx2.AsyncClient


@pytest.fixture
def issuer() -> TestIssuer:
    return TestIssuer(tenant=TENANT)


@pytest.fixture
async def scene(tmp_path: Path) -> Scene:
    return await Scene(tmp_path, changes={"allowed_origins": (CONSOLE,)}).set_up()


@pytest.fixture
async def http(scene: Scene, issuer: TestIssuer) -> AsyncIterator[Http]:
    app = wiring.app(scene.service, Trust(issuer.signer.issuer, StaticKeys([issuer.signer.key])))
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://test") as client:
        yield client
    await scene.presence.close()


@pytest.fixture
def ann(issuer: TestIssuer) -> dict[str, str]:
    return issuer.bearer("ann", ("agent",), ("t1",))


@pytest.fixture
def admin(issuer: TestIssuer) -> dict[str, str]:
    return issuer.bearer("root", ("admin",))


async def visit(http: Http, origin: str | None = None, **more: Any) -> httpx2.Response:
    headers = {"origin": origin} if origin else {}
    return await http.post("/v1/visitors", json={"site_key": SITE_KEY, **more}, headers=headers)


async def test_a_visitor_gets_a_contact_and_its_token(http: Http) -> None:
    answered = await visit(http, locale="zh-CN", attributes={"plan": "gold"})
    told = answered.json()
    assert (answered.status_code, set(told)) == (201, {"contact_id", "token"})
    bearer = {"authorization": f"Bearer {told['token']}"}
    shown = (await http.get(f"/v1/contacts/{told['contact_id']}", headers=bearer)).json()
    assert (shown["contact_id"], shown["state"]) == (told["contact_id"], "greeting")
    assert (await http.post("/v1/tickets", headers=bearer)).status_code == 201


async def test_who_comes_back_with_the_same_secret_is_the_same_customer_in_another_conversation(
    http: Http, scene: Scene
) -> None:
    """RT-1"""
    contacts = [(await visit(http, browser=browser)).json()["contact_id"] for browser in ("a" * 22, "a" * 22, "b" * 22)]
    states = [await scene.chats.state(StreamId(TENANT, f"contact-{contact}")) for contact in contacts]
    refs = [state.contact.customer_ref for state in states]
    assert len({*contacts}) == 3
    assert refs[0] == refs[1] != refs[2]


@pytest.mark.parametrize(
    "wrong,status",
    [
        ({"site_key": "no-such-key"}, 404),
        ({"site_key": ""}, 422),
        ({"attributes": {"card": "4111"}}, 422),
        ({"attributes": {"plan": "x" * 129}}, 422),
        ({"locale": "<b>"}, 422),
        ({"tenant": "other"}, 422),
        ({"browser": "guessable"}, 422),
        ({"browser": "x" * 129}, 422),
    ],
)
async def test_bad_visits_are_refused(http: Http, wrong: dict[str, Any], status: int) -> None:
    assert (await visit(http, **wrong)).status_code == status


async def test_the_same_key_is_the_same_contact_and_never_another_body(http: Http) -> None:
    """I2"""
    body, key = {"site_key": SITE_KEY}, {"idempotency-key": "k1"}
    first = (await http.post("/v1/visitors", json=body, headers=key)).json()
    again = (await http.post("/v1/visitors", json=body, headers=key)).json()
    assert first["contact_id"] == again["contact_id"]
    other = await http.post("/v1/visitors", json=body | {"locale": "en"}, headers=key)
    assert (other.status_code, other.json()["reason"]) == (422, "IDEMPOTENCY_KEY_REUSED")


async def test_only_pages_of_the_entry_point_begin_conversations(http: Http) -> None:
    for origin, status in ((None, 201), (SHOP, 201), (CONSOLE, 201), (EVIL, 403), ("null", 403)):
        answered = await visit(http, origin)
        assert answered.status_code == status, origin
        shown = origin if status == 201 else None
        assert answered.headers.get("access-control-allow-origin") == shown


async def test_browsers_are_told_which_pages_may_ask(http: Http) -> None:
    asked = {"access-control-request-method": "POST", "access-control-request-headers": "content-type"}
    yes = await http.options("/v1/visitors", headers=asked | {"origin": SHOP})
    assert (yes.status_code, yes.headers["access-control-allow-origin"]) == (204, SHOP)
    assert "content-type" in yes.headers["access-control-allow-headers"]
    no = await http.options("/v1/visitors", headers=asked | {"origin": EVIL})
    assert "access-control-allow-origin" not in no.headers


async def test_a_visitors_token_opens_its_own_contact_only(http: Http, scene: Scene, issuer: TestIssuer) -> None:
    mine, others = await scene.talking(), await scene.talking()
    me, them = (contact.name.removeprefix("contact-") for contact in (mine, others))
    token = (await visit(http)).json()["token"]
    for path in (f"/v1/contacts/{them}", f"/v1/contacts/{them}/messages", f"/v1/attachments/{them}/x"):
        foreign = await http.get(path, headers={"authorization": f"Bearer {token}"})
        nobody = await http.get(path.replace(them, "nobody"), headers={"authorization": f"Bearer {token}"})
        assert (foreign.status_code, nobody.status_code) == (404, 404)
    for path, body in (
        (f"/v1/contacts/{me}/messages", {"message_id": "m", "text": "x"}),
        (f"/v1/contacts/{me}:end", None),
    ):
        answered = await http.post(path, json=body, headers={"authorization": f"Bearer {token}"})
        assert answered.status_code == 403
    assert (await http.get("/v1/entry-points", headers={"authorization": f"Bearer {token}"})).status_code == 403


async def test_a_conversation_by_its_agent(http: Http, scene: Scene, ann: dict[str, str]) -> None:
    contact = await scene.talking()
    id = contact.name.removeprefix("contact-")
    message = {"message_id": "a1", "text": "hi <script>"}
    sent = await http.post(f"/v1/contacts/{id}/messages", json=message, headers=ann | {"idempotency-key": "k1"})
    again = await http.post(f"/v1/contacts/{id}/messages", json=message, headers=ann | {"idempotency-key": "k1"})
    assert sent.json() == again.json() == {"stream": contact.name, "version": 5}
    reused = await http.post(
        f"/v1/contacts/{id}/messages", json=message | {"text": "other"}, headers=ann | {"idempotency-key": "k1"}
    )
    assert (reused.status_code, reused.json()["reason"]) == (422, "IDEMPOTENCY_KEY_REUSED")
    frames = (await http.get(f"/v1/contacts/{id}/messages?after=1", headers=ann)).json()["frames"]
    assert [frame["data"].get("text") for frame in frames if frame["type"] == "message"] == ["hello", "hi <script>"]
    scene.queue("billing", "back")
    assert (await http.post(f"/v1/contacts/{id}:transfer", json={"queue": "nope"}, headers=ann)).status_code == 422
    assert (await http.post(f"/v1/contacts/{id}:transfer", json={"queue": "billing"}, headers=ann)).status_code == 200
    late = await http.post(f"/v1/contacts/{id}:end", headers=ann)
    assert (late.status_code, late.json()["reason"]) == (409, "NOT_CONNECTED_YET")


@pytest.mark.parametrize(
    "body",
    [
        {"message_id": "m"},
        {"message_id": "../x", "text": "x"},
        {"message_id": "m", "text": "x", "kind": "unspecified"},
        {"message_id": "m", "attachment": "../../x"},
        {"message_id": "m", "text": "x" * 32_769},
        {"message_id": "m", "text": "x", "role": "admin"},
    ],
    ids=range(6),
)
async def test_bad_messages_are_refused(http: Http, scene: Scene, ann: dict[str, str], body: dict[str, Any]) -> None:
    id = (await scene.talking()).name.removeprefix("contact-")
    assert (await http.post(f"/v1/contacts/{id}/messages", json=body, headers=ann)).status_code == 422


async def test_another_tenants_contact_is_answered_like_nobodys(http: Http, scene: Scene, issuer: TestIssuer) -> None:
    """PL-1"""
    id = (await scene.talking()).name.removeprefix("contact-")
    rival = issuer.bearer("ann", ("agent", "supervisor", "admin"), ("t1",), tenant="other") | {"x-correlation-id": "c"}

    async def answers(of: str) -> list[tuple[int, bytes]]:
        found = [await http.get(path, headers=rival) for path in (f"/v1/contacts/{of}", f"/v1/contacts/{of}/messages")]
        found += [
            await http.post(f"/v1/contacts/{of}:{verb}", json=body, headers=rival)
            for verb, body in (("end", None), ("transfer", {"queue": "sales"}))
        ]
        found.append(
            await http.post(f"/v1/contacts/{of}/messages", json={"message_id": "m", "text": "x"}, headers=rival)
        )
        found.append(await http.post(f"/v1/attachments/{of}", content=b"hello", headers=rival))
        found.append(await http.get(f"/v1/attachments/{of}/x", headers=rival))
        return [(one.status_code, one.content) for one in found]

    foreign = await answers(id)
    assert foreign == await answers("nobody")
    assert {status for status, _ in foreign} == {404}
    assert (await http.get("/v1/entry-points/web", headers=rival)).status_code == 404


@pytest.mark.parametrize(
    "subject,role,teams,status",
    [
        ("ann", "agent", (), 200),
        ("bob", "agent", (), 403),
        ("sue", "supervisor", ("t1",), 200),
        ("sue", "supervisor", ("t2",), 403),
        ("root", "admin", (), 403),
        ("ana", "analyst", (), 403),
    ],
)
async def test_texts_are_read_by_whom_they_concern(
    http: Http, scene: Scene, issuer: TestIssuer, subject: str, role: str, teams: tuple[str, ...], status: int
) -> None:
    id = (await scene.talking()).name.removeprefix("contact-")
    headers = issuer.bearer(subject, (role,), teams)
    assert (await http.get(f"/v1/contacts/{id}/messages", headers=headers)).status_code == status
    assert (await http.get(f"/v1/contacts/{id}", headers=headers)).status_code == 200


@pytest.mark.parametrize("query", ["limit=1000000000", "after=-1", "limit=0"])
async def test_mad_pages_are_refused(http: Http, scene: Scene, ann: dict[str, str], query: str) -> None:
    id = (await scene.talking()).name.removeprefix("contact-")
    assert (await http.get(f"/v1/contacts/{id}/messages?{query}", headers=ann)).status_code == 422


async def test_entry_points_are_the_admins(http: Http, issuer: TestIssuer, admin: dict[str, str], scene: Scene) -> None:
    body = {"site_key": "another-key", "queue": "sales", "allowed_origins": [SHOP]}
    for role in ("agent", "supervisor", "analyst", "visitor"):
        headers = issuer.bearer("x", (role,))
        assert (await http.put("/v1/entry-points/help", json=body, headers=headers)).status_code == 403
    first = await http.put("/v1/entry-points/help", json=body, headers=admin)
    scene.clock.advance(1)
    assert (await http.put("/v1/entry-points/help", json=body, headers=admin)).json() == first.json()
    assert [door["id"] for door in (await http.get("/v1/entry-points", headers=admin)).json()] == ["help", "web"]
    taken = await http.put("/v1/entry-points/x", json=body | {"site_key": SITE_KEY}, headers=admin)
    assert (taken.status_code, taken.json()["reason"]) == (409, "SITE_KEY_TAKEN")
    for wrong in (
        {"site_key": "short"},
        {"allowed_origins": ["*"]},
        {"allowed_origins": [SHOP + "/path"]},
        {"tenant": "x"},
    ):
        assert (await http.put("/v1/entry-points/x", json=body | wrong, headers=admin)).status_code == 422


async def test_files_go_up_and_come_down(http: Http, scene: Scene, ann: dict[str, str]) -> None:
    """CH-3"""
    id = (await scene.talking()).name.removeprefix("contact-")
    up = await http.post(f"/v1/attachments/{id}", content=b"%PDF-1.7\nx", headers=ann)
    assert (up.status_code, up.json()["kind"]) == (201, "file")
    ref = up.json()["attachment"]
    down = await http.get(f"/v1/attachments/{id}/{ref}", headers=ann)
    assert (down.content, down.headers["content-type"]) == (b"%PDF-1.7\nx", "application/pdf")
    assert down.headers["content-disposition"].startswith("attachment")
    assert down.headers["x-content-type-options"] == "nosniff"
    disguised = ann | {"content-type": "image/png"}
    svg = await http.post(f"/v1/attachments/{id}", content=b"<svg onload='x'/>", headers=disguised)
    assert (svg.status_code, svg.json()["reason"]) == (422, "FILE_TYPE_REFUSED")
    assert (await http.post(f"/v1/attachments/{id}", content=b"x" * (25 * 2**20 + 1), headers=ann)).status_code == 413
    for ref in ("..%2F..%2Fx", "..", "a%2Fb"):
        assert (await http.get(f"/v1/attachments/{id}/{ref}", headers=ann)).status_code in (404, 422)


async def test_an_erased_customers_conversation_answers_so(http: Http, scene: Scene, ann: dict[str, str]) -> None:
    """PL-5"""
    contact = await scene.talking()
    customer = (await scene.chats.state(contact)).contact.customer_ref
    scene.people.erased.add(customer)
    scene.service.keys.drop(TENANT, customer)
    id = contact.name.removeprefix("contact-")
    sent = await http.post(f"/v1/contacts/{id}/messages", json={"message_id": "m", "text": "x"}, headers=ann)
    assert (sent.status_code, sent.json()["reason"]) == (404, "ERASED")
    assert (await http.post(f"/v1/contacts/{id}:end", headers=ann)).status_code == 200


async def test_nothing_is_ready_before_the_queues_are_known(http: Http, scene: Scene) -> None:
    assert (await http.get("/readyz")).status_code == 200
    scene.service.table.caught_up.clear()
    unready = await http.get("/readyz")
    assert (unready.status_code, unready.json()["queues"]) == (503, False)


async def test_no_token_no_service(http: Http) -> None:
    for method, path in (("GET", "/v1/contacts/x"), ("POST", "/v1/tickets"), ("POST", "/v1/contacts/x:end")):
        assert (await http.request(method, path)).status_code == 401
    assert DOOR.id == "web"
