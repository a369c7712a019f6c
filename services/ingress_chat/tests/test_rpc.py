"""ContactService over a real gRPC server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest

from contactcenter.bus.v1.command_pb2 import CommandContext
from contactcenter.contact.v1 import events_pb2 as events
from contactcenter.contact.v1 import service_pb2 as pb
from contactcenter.contact.v1.service_pb2_grpc import ContactServiceStub
from ingress_chat.rpc.contacts import contact_servicer
from switchlog.auth.signing import issue_visitor_token
from switchlog.auth.verifier import StaticKeys, Trust, Verifier
from switchlog.errors import Forbidden, NotFound, Rejected, SwitchlogError
from switchlog.rpc import channel, create_server
from switchlog.testing import TestIssuer, free_port
from switchlog.testing import test_settings as settings_for_tests

from .scene import TENANT, Scene


@dataclass(frozen=True)
class Token:
    text: str

    async def token(self) -> str:
        return self.text


As = Callable[[str], ContactServiceStub]


@pytest.fixture
async def scene(tmp_path: Path) -> Scene:
    return await Scene(tmp_path).set_up()


@pytest.fixture
def issuer() -> TestIssuer:
    return TestIssuer(tenant=TENANT)


@pytest.fixture
async def bearing(scene: Scene, issuer: TestIssuer) -> AsyncIterator[As]:
    """``bearing(token)`` is a client; visitors' tokens verify here too, as in the process."""
    port, signer = free_port(), scene.service.signer
    verifier = Verifier(
        Trust(issuer.signer.issuer, StaticKeys([issuer.signer.key])),
        Trust(signer.issuer, StaticKeys([signer.key]), only_roles=frozenset({"visitor"})),
    )
    servicer = contact_servicer(scene.chats, scene.service.history)
    server = create_server([servicer], verifier, settings_for_tests("ingress_chat", grpc_port=port))
    await server.start()
    opened: list[grpc.aio.Channel] = []

    def client(token: str) -> ContactServiceStub:
        opened.append(channel(f"127.0.0.1:{port}", Token(token)))
        return ContactServiceStub(opened[-1])

    yield client
    for one in opened:
        await one.close()
    await server.stop(None)


async def refused(call: Awaitable[object], kind: type[SwitchlogError]) -> str:
    with pytest.raises(kind) as error:
        await call
    return error.value.reason


async def test_the_same_conversation_as_over_http(bearing: As, issuer: TestIssuer, scene: Scene) -> None:
    """PL-2"""
    contact = await scene.talking()
    id, ann = contact.name.removeprefix("contact-"), bearing(issuer.issue("ann", ("agent",)))
    context = CommandContext(idempotency_key="k1")
    request = pb.SendMessageRequest(context=context, contact=id, message_id="a1", text="hi")
    sent, again = (await ann.SendMessage(request)).answer, (await ann.SendMessage(request)).answer
    assert (sent.version, again.version, again.repeated_command) == (5, 5, True)
    shown = (await ann.ListMessages(pb.ListMessagesRequest(contact=id))).messages
    assert [(one.text, one.sender, one.kind) for one in shown] == [
        ("hello", events.SENDER_KIND_CUSTOMER, events.MESSAGE_KIND_TEXT),
        ("hi", events.SENDER_KIND_AGENT, events.MESSAGE_KIND_TEXT),
    ]
    view = (await ann.GetContact(pb.GetContactRequest(contact=id))).contact
    assert (view.state, view.queue, view.agent, view.leg) == ("talking", "sales", "ann", 1)
    scene.queue("billing", "back")
    await ann.TransferContact(pb.TransferContactRequest(contact=id, to_queue="billing"))
    assert await refused(ann.EndContact(pb.EndContactRequest(contact=id)), Rejected) == "NOT_CONNECTED_YET"


async def test_a_visitors_token_opens_its_own_contact_only(bearing: As, scene: Scene) -> None:
    mine, other = [(await scene.talking()).name.removeprefix("contact-") for _ in range(2)]
    visitor = bearing(issue_visitor_token(scene.service.signer, TENANT, mine))
    assert len((await visitor.ListMessages(pb.ListMessagesRequest(contact=mine))).messages) == 1
    await refused(visitor.ListMessages(pb.ListMessagesRequest(contact=other)), NotFound)
    await refused(visitor.GetContact(pb.GetContactRequest(contact=other)), NotFound)
    await refused(visitor.SendMessage(pb.SendMessageRequest(contact=mine, message_id="m", text="x")), Forbidden)


async def test_other_tenants_and_other_agents_are_refused(bearing: As, issuer: TestIssuer, scene: Scene) -> None:
    """PL-1"""
    id = (await scene.talking()).name.removeprefix("contact-")
    rival = bearing(issuer.issue("ann", ("agent", "supervisor"), tenant="other"))
    await refused(rival.ListMessages(pb.ListMessagesRequest(contact=id)), NotFound)
    await refused(rival.GetContact(pb.GetContactRequest(tenant_id=TENANT, contact=id)), Forbidden)
    bob = bearing(issuer.issue("bob", ("agent",)))
    await refused(bob.ListMessages(pb.ListMessagesRequest(contact=id)), Forbidden)


async def test_bad_messages_are_refused(bearing: As, issuer: TestIssuer, scene: Scene) -> None:
    id, ann = (await scene.talking()).name.removeprefix("contact-"), bearing(issuer.issue("ann", ("agent",)))
    for wrong in (
        pb.SendMessageRequest(contact=id, message_id="m"),
        pb.SendMessageRequest(contact=id, message_id="m", text="x", kind=99),
        pb.SendMessageRequest(contact=id, message_id="m", attachment_ref="../../x"),
        pb.SendMessageRequest(contact=id, message_id="../m", text="x"),
    ):
        await refused(ann.SendMessage(wrong), Rejected)
    consult = pb.TransferContactRequest(contact=id, to_queue="sales", kind=events.TRANSFER_KIND_CONSULT)
    assert await refused(ann.TransferContact(consult), Rejected) == "TRANSFER_NOT_SUPPORTED"


async def test_what_only_calls_can_do_is_unimplemented(bearing: As, issuer: TestIssuer) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await bearing(issuer.issue("ann", ("agent",))).HoldContact(pb.HoldContactRequest(contact="c1"))
    assert error.value.code() == grpc.StatusCode.UNIMPLEMENTED
