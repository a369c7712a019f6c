"""The gRPC edge: tokens, deadlines, tenants, and our errors on both ends (architecture, Errors)."""

import asyncio

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from switchlog import telemetry
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
from switchlog.limits import RateLimited
from switchlog.rpc import caller, channel
from switchlog.runtime import PortTaken, serve
from switchlog.testing import TestIssuer, eventually
from switchlog.testing import test_settings as settings_for_tests

ERRORS = {
    "rejected": Rejected("AGENT_NOT_AVAILABLE", "busy: 忙"),
    "invalid": Rejected("BAD_ID", invalid=True),
    "notfound": NotFound("NOT_FOUND", "contact c1 of acme"),
    "erased": NotFound("ERASED"),
    "conflict": VersionConflict(7),
    "forbidden": Forbidden("ROLE_REQUIRED"),
    "toolarge": TooLarge(),
    "notnow": NotNow("BROKER_AWAY", retry_after_s=2.5),
    "unknown": OutcomeUnknown(),
    "limited": RateLimited(retry_after_s=0.25),
}


class Echo:
    """A servicer of bytes: what is served does not matter here."""

    seen = None

    async def say(self, request, context):
        Echo.seen = telemetry.current_traceparent()
        if request in (b"tenant:acme", b"tenant:other"):
            return caller(request.decode()[7:], "service", "agent").tenant.encode()
        if request == b"bug":
            raise KeyError("13800138000")
        if request == b"poison":
            raise Poison("UNDECODABLE")
        if request == b"sleep":
            await asyncio.sleep(5)
        if request.decode() in ERRORS:
            raise ERRORS[request.decode()]
        return caller().subject.encode() if request == b"who" else request

    async def count(self, request, context):
        for n in range(3):
            yield bytes([n])
        if request.decode() in ERRORS:
            raise ERRORS[request.decode()]

    async def write(self, request, context):
        await context.write(caller().subject.encode())


def add(servicer, server):
    handlers = {
        "Say": grpc.unary_unary_rpc_method_handler(servicer.say),
        "Count": grpc.unary_stream_rpc_method_handler(servicer.count),
        "Write": grpc.unary_stream_rpc_method_handler(servicer.write),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Echo", handlers),))


@pytest.fixture
async def address(serving, issuer):
    async with serving(servicers=[(add, Echo())], verifier=issuer.verifier) as running:
        yield f"127.0.0.1:{running.settings.grpc_port}"


@pytest.fixture
async def peer(address, issuer):
    async with channel(address, issuer) as opened:
        yield opened


@pytest.fixture
async def stranger(address):
    async with grpc.aio.insecure_channel(address) as opened:
        yield opened


def say(opened, request, **more):
    return opened.unary_unary("/test.Echo/Say")(request, **more)


async def test_a_call_brings_its_token_and_a_deadline(peer):
    assert await say(peer, b"who") == b"testing"
    assert [n async for n in peer.unary_stream("/test.Echo/Count")(b"")] == [b"\0", b"\1", b"\2"]
    assert [n async for n in peer.unary_stream("/test.Echo/Write")(b"")] == [b"testing"]


@pytest.mark.parametrize("how", list(ERRORS))
async def test_the_exception_raised_here_is_the_one_raised_there(peer, how):
    expected = ERRORS[how]
    with pytest.raises(type(expected)) as raised:
        await say(peer, how.encode())
    assert (type(raised.value), raised.value.reason) == (type(expected), expected.reason)
    for name in ("invalid", "head", "retry_after_s"):
        assert getattr(raised.value, name, None) == getattr(expected, name, None)
    if how == "rejected":
        assert raised.value.detail == "busy: 忙"


async def test_poison_is_bad_input_for_the_caller(peer):
    with pytest.raises(Rejected) as raised:
        await say(peer, b"poison")
    assert (raised.value.reason, raised.value.invalid) == ("UNDECODABLE", True)


async def collect(answers, got):
    async for one in answers:
        got.append(one)


async def test_errors_come_through_streams(peer):
    got = []
    answers = peer.unary_stream("/test.Echo/Count")(b"notnow")
    with pytest.raises(NotNow, match="BROKER_AWAY"):
        await collect(answers, got)
    assert got == [b"\0", b"\1", b"\2"]


async def test_a_bug_is_internal_without_detail_and_logged(peer, lines):
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await say(peer, b"bug")
    assert (raised.value.code(), raised.value.details()) == (grpc.StatusCode.INTERNAL, "INTERNAL")
    assert [line["error"] for line in lines() if line["event"] == "call_failed"] == ["KeyError"]


async def test_a_foreign_id_gets_the_same_answer_as_a_random_one(peer):
    """The detail says whose it was; it stays here."""
    with pytest.raises(NotFound) as raised:
        await say(peer, b"notfound")
    assert raised.value.detail == ""


async def test_a_call_without_a_deadline_is_refused(stranger, issuer):
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await say(stranger, b"x", metadata=issuer.bearer().items())
    assert (raised.value.code(), raised.value.details()) == (grpc.StatusCode.INVALID_ARGUMENT, "DEADLINE_REQUIRED")


async def test_an_absurd_deadline_is_none(stranger, issuer):
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await say(stranger, b"x", metadata=issuer.bearer().items(), timeout=86400)
    assert raised.value.details() == "DEADLINE_REQUIRED"


async def test_a_slow_answer_is_an_unknown_outcome(address, issuer):
    async with channel(address, issuer, timeout_s=0.2) as hasty:
        with pytest.raises(OutcomeUnknown, match="DEADLINE_EXCEEDED"):
            await say(hasty, b"sleep")


@pytest.mark.parametrize("metadata", [(), (("authorization", "Bearer x.y.z"),), (("authorization", "Basic eDp5"),)])
async def test_a_stranger_is_unauthenticated(stranger, metadata):
    for call in (
        say(stranger, b"who", metadata=metadata, timeout=2),
        stranger.unary_stream("/test.Echo/Count")(b"", metadata=metadata, timeout=2).read(),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await call
        assert raised.value.code() == grpc.StatusCode.UNAUTHENTICATED


async def test_a_token_of_another_issuer_is_unauthenticated(address):
    async with channel(address, TestIssuer()) as impostor:
        with pytest.raises(Unauthenticated):
            await say(impostor, b"who")


async def test_only_a_service_may_name_another_tenant(peer, stranger, issuer):
    assert await say(peer, b"tenant:other") == b"other"
    for metadata in (issuer.bearer(roles=["agent"]), issuer.bearer(roles=["analyst"])):
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await say(stranger, b"tenant:other", metadata=metadata.items(), timeout=2)
        assert raised.value.code() == grpc.StatusCode.PERMISSION_DENIED


async def test_a_peer_that_is_away_means_later(issuer):
    async with channel("127.0.0.1:1", issuer) as nobody:
        with pytest.raises(NotNow, match="PEER_AWAY"):
            await say(nobody, b"x")


async def test_more_than_4_mib_is_refused(peer):
    with pytest.raises(TooLarge):
        await say(peer, b"x" * (4 * 1024 * 1024 + 1))


async def test_the_trace_goes_along(peer):
    with telemetry.span("here"):
        await say(peer, b"x")
        assert Echo.seen[3:35] == telemetry.current_traceparent()[3:35]


async def test_health_needs_no_token(stranger):
    health = health_pb2_grpc.HealthStub(stranger)
    await eventually(lambda: _serving(health))


async def _serving(health):
    return (await health.Check(health_pb2.HealthCheckRequest(), timeout=2)).status == 1


async def test_a_taken_port_is_named_with_the_variable_to_change(address, issuer):
    settings = settings_for_tests("routing", grpc_port=int(address.split(":")[1]))
    with pytest.raises(PortTaken, match=rf"{settings.grpc_port}.*ROUTING_GRPC_PORT"):
        await serve(settings, servicers=[(add, Echo())], verifier=issuer.verifier)
