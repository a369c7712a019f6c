"""The service over a store in memory: who may do what with tickets, over HTTP and gRPC."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import httpx2
import pytest
from google.protobuf.message import Message

from contactcenter.bus.v1.command_pb2 import CommandContext
from contactcenter.bus.v1.envelope_pb2 import EventMeta
from contactcenter.contact.v1 import events_pb2 as contact_pb
from contactcenter.routing.v1.config_pb2 import OVERFLOW_ACTION_CALLBACK, OVERFLOW_ACTION_QUEUE
from contactcenter.routing.v1.events_pb2 import ContactOverflowed, RoutingEvent
from contactcenter.ticket.v1 import events_pb2 as events
from contactcenter.ticket.v1 import service_pb2 as pb
from contactcenter.ticket.v1.service_pb2_grpc import TicketServiceStub
from switchlog.bus.record import Received
from switchlog.clock import ManualClock
from switchlog.envelope import StreamId
from switchlog.errors import Forbidden, NotFound, NotNow, Rejected, VersionConflict
from switchlog.rpc import channel, create_server
from switchlog.seal import Erased, SubjectKey, SubjectKeys
from switchlog.store.memory import MemoryStore
from switchlog.testing import TestIssuer, free_port
from switchlog.testing import test_settings as settings_for_tests
from switchlog.web import create_app
from switchlog.writer import Writer, no_publish
from ticketing import wire
from ticketing.adapters.customers import SealerOf
from ticketing.api.tickets import routes
from ticketing.app import reading as reading_module
from ticketing.app.handlers import Tickets
from ticketing.app.reactions import UNKNOWN_FOR_MS, Reactions
from ticketing.app.reading import Reading
from ticketing.bus.consumers import contacts_handler, routing_handler, tickets_handler
from ticketing.domain.decide import TICKET
from ticketing.domain.events import Kind, Source
from ticketing.projections.contacts import ContactsView
from ticketing.projections.tickets import TicketsView
from ticketing.rpc.tickets import ticket_servicer

TENANT = "acme"
Http = httpx2.AsyncClient


@dataclass
class Scene:
    erased: bool = False
    secret: bytes = field(default_factory=lambda: os.urandom(32))

    def __post_init__(self) -> None:
        self.store = MemoryStore()
        self.keys = SubjectKeys(self._fetch)
        self.contacts, self.view = ContactsView(self.store.views), TicketsView(self.store.views)
        writer = Writer(self.store.events, TICKET, wire.CODEC, no_publish, ManualClock())
        self.tickets = Tickets(writer, self.contacts, SealerOf(self.keys))
        self.clock = ManualClock()
        self.promised = Reactions(writer, self.contacts, SealerOf(self.keys), self.clock)
        self.reading = Reading(self.tickets, self.store.events, wire.CODEC, SealerOf(self.keys), self.view)

    async def _fetch(self, tenant: str, customer_ref: str) -> SubjectKey:
        if self.erased:
            raise Erased
        return SubjectKey(customer_ref, self.secret)

    async def contact(self, id: str = "c1", agent: str = "ann") -> None:
        """A contact of ``agent``'s, as its own facts told."""
        handle = contacts_handler(self.contacts, wire.read_contact)
        facts: list[dict[str, Message]] = [
            {"contact_started": contact_pb.ContactStarted(customer_ref="cust-1")},
            {"contact_queued": contact_pb.ContactQueued(queue="sales", leg=1)},
            {"agent_connected": contact_pb.AgentConnected(agent=agent, leg=1)},
        ]
        for version, fact in enumerate(facts, 1):
            for _ in range(2):
                await handle(received(f"contact-{id}", version, contact_pb.ContactEvent(**fact)))

    async def overflowed(self, version: int, action: Any = OVERFLOW_ACTION_CALLBACK, **more: Any) -> None:
        """Routing tells that a contact left its queue."""
        told = {"contact": "c1", "leg": 1, "queue": "sales", "priority": 3, "action": action} | more
        event = RoutingEvent(contact_overflowed=ContactOverflowed(**told))  # type: ignore[arg-type]
        event.meta.recorded_at.FromMilliseconds(self.clock.now())
        fact = received("pool-front", version, event)._replace(type="contactcenter.routing.v1.ContactOverflowed")
        await routing_handler(self.promised, wire.read_callback)(fact)

    async def opened(self) -> list[Any]:
        streams = await self.store.events.streams(TENANT)
        rows = [row for stream in streams for row in await self.store.events.read(stream)]
        return [event for row in rows if (event := wire.read(events.TicketEvent.FromString(row.value)))]

    async def listed(self) -> None:
        """The list catches up with all tickets."""
        handle = tickets_handler(self.view, wire.CODEC)
        for stream in await self.store.events.streams(TENANT):
            for row in await self.store.events.read(stream):
                await handle(received(stream.name, row.version, events.TicketEvent.FromString(row.value)))


def received(stream: str, version: int, event: Any) -> Received:
    event.meta.MergeFrom(EventMeta(tenant_id=TENANT, stream=stream, version=version))
    where = StreamId(TENANT, stream)
    return Received("topic", 0, 0, where.key, where, version, "", f"e{version}", "", event.SerializeToString(), {})


@pytest.fixture
async def scene() -> Scene:
    made = Scene()
    await made.contact()
    return made


@pytest.fixture
def issuer() -> TestIssuer:
    return TestIssuer(tenant=TENANT)


@pytest.fixture
async def http(scene: Scene, issuer: TestIssuer) -> AsyncIterator[Http]:
    routers = [routes(scene.tickets, scene.reading)]
    app = create_app("ticketing", routers=routers, verifier=issuer.verifier, settings=settings_for_tests("ticketing"))
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://test") as client:
        yield client


@pytest.fixture
def ann(issuer: TestIssuer) -> dict[str, str]:
    return issuer.bearer("ann", ("agent",), ("t1",))


async def opened(http: Http, headers: dict[str, str], **more: Any) -> str:
    answered = await http.post("/v1/tickets", json={"subject": "no dial tone", "contact": "c1"} | more, headers=headers)
    assert answered.status_code == 200, answered.text
    return str(answered.json()["stream"].removeprefix("ticket-"))


async def test_a_ticket_from_a_contact_is_sealed_and_read_by_its_agent(http: Http, scene: Scene, ann) -> None:
    """TK-1"""
    id = await opened(http, ann, body="它坏了")
    comment = {"comment_id": "n1", "text": "called back"}
    for _ in range(2):
        assert (await http.post(f"/v1/tickets/{id}/comments", json=comment, headers=ann)).status_code == 200
    shown = (await http.get(f"/v1/tickets/{id}", headers=ann)).json()
    assert (shown["subject"], shown["body"], shown["version"], shown["erased"]) == ("no dial tone", "它坏了", 2, False)
    assert [(one["text"], one["author"]) for one in shown["comments"]] == [("called back", "ann")]
    rows = await scene.store.events.read(StreamId(TENANT, f"ticket-{id}"))
    assert not any(b"dial tone" in row.value or b"called back" in row.value for row in rows)


async def test_the_same_key_is_the_same_ticket(http: Http, ann) -> None:
    """I2"""
    key = ann | {"idempotency-key": "k"}
    assert await opened(http, key) == await opened(http, key)
    other = await http.post("/v1/tickets", json={"subject": "x", "contact": "c1"}, headers=key)
    assert (other.status_code, other.json()["reason"]) == (422, "IDEMPOTENCY_KEY_REUSED")


async def test_agents_open_tickets_from_their_own_contacts(http: Http, issuer: TestIssuer, ann) -> None:
    body = {"subject": "x", "contact": "c1"}
    assert (await http.post("/v1/tickets", json=body, headers=issuer.bearer("bob", ("agent",)))).status_code == 403
    assert (await http.post("/v1/tickets", json=body | {"contact": "c9"}, headers=ann)).status_code == 404
    assert (await http.post("/v1/tickets", json={"subject": "x"}, headers=ann)).status_code == 422
    for role in ("admin", "analyst", "visitor"):
        assert (await http.post("/v1/tickets", json=body, headers=issuer.bearer("x", (role,)))).status_code == 403


async def test_a_stale_version_is_told_so(http: Http, ann) -> None:
    """TK-6"""
    id = await opened(http, ann)
    assert (await http.post(f"/v1/tickets/{id}:status", json={"status": "in_progress"}, headers=ann)).status_code == 200
    stale = ann | {"if-match": '"1"'}
    refused = await http.post(f"/v1/tickets/{id}:status", json={"status": "resolved"}, headers=stale)
    assert refused.status_code == 412
    fresh = ann | {"if-match": '"2"'}
    assert (await http.post(f"/v1/tickets/{id}:status", json={"status": "resolved"}, headers=fresh)).status_code == 200
    for wrong in ({"status": "open", "reason": "Mrs Smith said so"}, {"status": "flying"}):
        assert (await http.post(f"/v1/tickets/{id}:status", json=wrong, headers=ann)).status_code == 422


@pytest.mark.parametrize(
    "subject,role,teams,may",
    [
        ("bob", "agent", (), True),
        ("ann", "agent", (), True),
        ("cid", "agent", ("t2",), False),
        ("sue", "supervisor", ("t2",), True),
        ("sue", "supervisor", ("t1",), False),
    ],
)
async def test_tickets_are_worked_on_by_whom_they_concern(
    http: Http, issuer: TestIssuer, ann, subject: str, role: str, teams: tuple[str, ...], may: bool
) -> None:
    id, expected = await opened(http, ann), 200 if may else 403
    given = {"agent": "bob", "team": "t2"}
    assert (await http.post(f"/v1/tickets/{id}:assign", json=given, headers=ann)).status_code == 200
    headers, note = issuer.bearer(subject, (role,), teams), {"comment_id": "n1", "text": "x"}
    assert (await http.get(f"/v1/tickets/{id}", headers=headers)).status_code == expected
    assert (await http.post(f"/v1/tickets/{id}/comments", json=note, headers=headers)).status_code == expected
    move = {"status": "in_progress"}
    assert (await http.post(f"/v1/tickets/{id}:status", json=move, headers=headers)).status_code == expected
    assert (await http.post(f"/v1/tickets/{id}:assign", json=given, headers=headers)).status_code == expected


async def test_a_ticket_nobody_has_may_be_taken_but_not_given(http: Http, issuer: TestIssuer, ann) -> None:
    id, bob = await opened(http, ann), issuer.bearer("bob", ("agent",))
    assert (await http.post(f"/v1/tickets/{id}:assign", json={"agent": "cid"}, headers=bob)).status_code == 403
    assert (await http.post(f"/v1/tickets/{id}:assign", json={"agent": "bob"}, headers=bob)).status_code == 200
    cid = issuer.bearer("cid", ("agent",))
    assert (await http.post(f"/v1/tickets/{id}:assign", json={"agent": "cid"}, headers=cid)).status_code == 403


async def test_another_tenants_ticket_is_answered_like_nobodys(http: Http, issuer: TestIssuer, ann) -> None:
    """PL-1"""
    id = await opened(http, ann)
    rival = issuer.bearer("ann", ("agent", "supervisor"), tenant="other") | {"x-correlation-id": "c"}

    async def answers(of: str) -> list[tuple[int, bytes]]:
        found = [await http.get(f"/v1/tickets/{of}", headers=rival)]
        for verb, body in (
            (":status", {"status": "closed"}),
            (":assign", {"agent": "ann"}),
            ("/comments", {"comment_id": "n", "text": "x"}),
        ):
            found.append(await http.post(f"/v1/tickets/{of}{verb}", json=body, headers=rival))
        return [(one.status_code, one.content) for one in found]

    assert await answers(id) == await answers("nobody")
    assert {status for status, _ in await answers(id)} == {404}
    assert (await http.get("/v1/tickets", headers=rival)).json() == {"tickets": [], "next": None}


async def every_page(http: Http, headers: dict[str, str], limit: int) -> list[list[str]]:
    pages, after = [], ""
    while True:
        told = (await http.get(f"/v1/tickets?limit={limit}&after={after}", headers=headers)).json()
        pages.append([one["ticket"] for one in told["tickets"]])
        if told["next"] is None:
            return pages
        after = told["next"]


async def test_pages_are_full_and_tell_where_to_ask_on(
    http: Http, scene: Scene, issuer: TestIssuer, ann, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading_module, "SCAN", 3)
    monkeypatch.setattr(reading_module, "LOOKS", 10)
    await scene.contact("c2", "bob")
    bob = issuer.bearer("bob", ("agent",))
    mine = sorted([await opened(http, ann) for _ in range(5)])
    others = [await opened(http, bob, contact="c2") for _ in range(6)]
    await scene.listed()
    pages = await every_page(http, ann, 2)
    assert [len(page) for page in pages if page] == [2, 2, 1]
    assert [*chain(*pages)] == mine
    for limit in (1, 3, 11, 100):
        admins = await every_page(http, issuer.bearer("root", ("admin",)), limit)
        assert [*chain(*admins)] == sorted(mine + others)
    monkeypatch.setattr(reading_module, "LOOKS", 1)  # a short page is no end
    assert [*chain(*await every_page(http, ann, 2))] == mine


async def test_a_supervisors_list_holds_the_teams(http: Http, scene: Scene, issuer: TestIssuer, ann) -> None:
    free, theirs = await opened(http, ann), await opened(http, ann)
    await http.post(f"/v1/tickets/{theirs}:assign", json={"agent": "bob", "team": "t2"}, headers=ann)
    await scene.listed()
    for team, expected in (("t1", [free]), ("t2", sorted([free, theirs]))):
        sue = issuer.bearer("sue", ("supervisor",), (team,))
        assert [*chain(*await every_page(http, sue, 10))] == expected
    for query in ("limit=1000000000", "limit=0"):
        assert (await http.get(f"/v1/tickets?{query}", headers=ann)).status_code == 422


async def test_an_erased_customers_ticket_shows_no_text(http: Http, scene: Scene, ann) -> None:
    """PL-5"""
    id = await opened(http, ann, body="x")
    scene.erased = True
    scene.keys.drop(TENANT, "cust-1")
    shown = (await http.get(f"/v1/tickets/{id}", headers=ann)).json()
    assert (shown["subject"], shown["body"], shown["erased"]) == (None, None, True)
    note = {"comment_id": "n", "text": "x"}
    assert (await http.post(f"/v1/tickets/{id}/comments", json=note, headers=ann)).json()["reason"] == "ERASED"


async def test_the_same_over_grpc(scene: Scene, issuer: TestIssuer) -> None:
    """PL-2"""
    port = free_port()
    settings = settings_for_tests("ticketing", grpc_port=port)
    server = create_server([ticket_servicer(scene.tickets, scene.reading)], issuer.verifier, settings)
    await server.start()

    @dataclass(frozen=True)
    class Token:
        text: str

        async def token(self) -> str:
            return self.text

    def acting(subject: str, tenant: str = TENANT) -> Any:
        return channel(f"127.0.0.1:{port}", Token(issuer.issue(subject, ("agent",), tenant=tenant)))

    opened_channels = [acting("ann"), acting("bob"), acting("ann", "other")]
    ann, bob, rival = map(TicketServiceStub, opened_channels)
    try:
        context = CommandContext(idempotency_key="k")
        request = pb.OpenTicketRequest(context=context, contact="c1", subject="broken", kind=events.TICKET_KIND_PROBLEM)
        id = (await ann.OpenTicket(request)).ticket
        assert (await ann.OpenTicket(request)).ticket == id
        await ann.CommentTicket(pb.CommentTicketRequest(ticket=id, body="called"))
        view = (await ann.GetTicket(pb.GetTicketRequest(ticket=id))).ticket
        assert (view.subject, view.version, view.status) == ("broken", 2, events.TICKET_STATUS_OPEN)
        stale = CommandContext(expected_version=1)
        with pytest.raises(VersionConflict):
            await ann.ResolveTicket(pb.ResolveTicketRequest(context=stale, ticket=id))
        await ann.ResolveTicket(pb.ResolveTicketRequest(ticket=id))
        with pytest.raises(Forbidden):
            await bob.CloseTicket(pb.CloseTicketRequest(ticket=id))
        with pytest.raises(NotFound):
            await rival.GetTicket(pb.GetTicketRequest(ticket=id))
        for wrong in (
            pb.ChangeStatusRequest(ticket=id),
            pb.ChangeStatusRequest(ticket=id, status=99),
            pb.ChangeStatusRequest(ticket=id, status=events.TICKET_STATUS_OPEN, reason="Mrs Smith said so"),
        ):
            with pytest.raises(Rejected):
                await ann.ChangeStatus(wrong)
    finally:
        for one in opened_channels:
            await one.close()
        await server.stop(None)


def test_words_of_a_later_version_do_not_keep_a_ticket_from_folding() -> None:
    """PL-4"""
    strange = [
        events.TicketEvent(ticket_opened=events.TicketOpened(ticket="t", kind=99, source=99)),
        events.TicketEvent(ticket_commented=events.TicketCommented(ticket="t", comment_id="n", visibility=99)),
        events.TicketEvent(status_changed=events.StatusChanged(ticket="t", from_status=98, to_status=99)),
        events.TicketEvent(escalated=events.Escalated(ticket="t")),
    ]
    known = [event for one in strange if (event := wire.read(one)) is not None]
    assert len(known) == 3
    assert TICKET.fold(known).status == "in_progress"  # type: ignore[union-attr]


# -- calls back -------------------------------------------------------------------------------------------------------


async def test_who_left_a_queue_to_be_called_back_has_a_ticket_that_says_so(scene: Scene, http: Http) -> None:
    """RT-5, RT-9: who, for which queue, how urgent; delivered twice, opened once."""
    for _ in range(2):
        await scene.overflowed(7)
    (ticket,) = await scene.opened()
    assert (ticket.kind, ticket.source, ticket.opened_by) == (Kind.CALLBACK, Source.ROUTING, "")
    assert (ticket.contact, ticket.customer_ref, ticket.queue, ticket.priority) == ("c1", "cust-1", "sales", 3)


async def test_each_wait_that_ends_in_a_call_back_has_a_ticket_and_others_have_none(scene: Scene) -> None:
    """RT-5"""
    await scene.overflowed(7)
    await scene.overflowed(8, OVERFLOW_ACTION_QUEUE, leg=2)
    await scene.overflowed(9, leg=3)
    assert [ticket.kind for ticket in await scene.opened()] == [Kind.CALLBACK] * 2


async def test_a_call_back_waits_for_the_contacts_own_facts_but_not_for_ever(scene: Scene) -> None:
    """RT-5: two topics keep no order between them."""
    with pytest.raises(NotNow, match="CONTACT_NOT_READ_YET"):
        await scene.overflowed(7, contact="c2")
    await scene.contact("c2")
    await scene.overflowed(7, contact="c2")
    assert [ticket.contact for ticket in await scene.opened()] == ["c2"]
    lost = ContactOverflowed(contact="c3", leg=1, action=OVERFLOW_ACTION_CALLBACK)
    event = RoutingEvent(contact_overflowed=lost)
    event.meta.recorded_at.FromMilliseconds(scene.clock.now() - UNKNOWN_FOR_MS)
    fact = received("pool-front", 8, event)._replace(type="contactcenter.routing.v1.ContactOverflowed")
    await routing_handler(scene.promised, wire.read_callback)(fact)
    assert len(await scene.opened()) == 1


async def test_nobody_is_called_back_who_was_erased(scene: Scene) -> None:
    """RT-5, trust: no key, no ticket."""
    scene.erased = True
    await scene.overflowed(7)
    assert await scene.opened() == []


async def test_an_agent_takes_a_call_back_and_closes_it(scene: Scene, http: Http, issuer: TestIssuer) -> None:
    """RT-5, RT-9: the list shows it, anybody may take it, and it ends as done."""
    await scene.overflowed(7)
    await scene.listed()
    boss, ann = issuer.bearer("sue", ("supervisor",), ("t1",)), issuer.bearer("ann", ("agent",), ("t1",))
    (row,) = (await http.get("/v1/tickets", headers=boss)).json()["tickets"]
    assert (row["kind"], row["queue"], row["contact"]) == ("callback", "sales", "c1")
    path = f"/v1/tickets/{row['ticket']}"
    taken = await http.post(f"{path}:assign", json={"agent": "ann", "team": "t1"}, headers=ann)
    read = await http.get(path, headers=ann)
    done = await http.post(f"{path}:status", json={"status": "resolved", "reason": "called"}, headers=ann)
    assert [answer.status_code for answer in (taken, read, done)] == [200] * 3, [taken.text, read.text, done.text]
    assert (read.json()["subject"], read.json()["agent"]) == ("Call back 回电", "ann")
