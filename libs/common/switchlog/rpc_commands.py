"""Commands by gRPC: checked by their contract, given a cause as over HTTP, answered with stream and version."""

from __future__ import annotations

from hashlib import sha256
from typing import Any, Protocol, TypeVar

import protovalidate
from google.protobuf.message import Message

from contactcenter.bus.v1.command_pb2 import CommandAnswer, CommandContext
from switchlog import rpc
from switchlog.auth.principal import Principal
from switchlog.envelope import Cause, StreamId
from switchlog.errors import Rejected
from switchlog.ids import command_id, new_id
from switchlog.telemetry import current_traceparent

M = TypeVar("M", bound=Message)


class Command(Protocol):
    """Any request that has a context."""

    @property
    def context(self) -> CommandContext: ...


class Answered(Protocol):
    """What a writer answers."""

    @property
    def stream(self) -> StreamId: ...
    @property
    def version(self) -> int: ...
    @property
    def repeated(self) -> bool: ...


def checked(request: M) -> M:
    """``request`` if it keeps the rules that its contract states; raises ``Rejected`` (bad input)."""
    try:
        protovalidate.validate(request)
    except protovalidate.ValidationError as error:
        raise Rejected("INVALID_INPUT", str(error)[:500], invalid=True) from None
    return request


def caller_of(request: Any, *roles: str) -> Principal:
    """Who gives the command ``request``, in the tenant it names; the request is checked first."""
    return rpc.caller(checked(request).context.tenant_id, *roles)


def cause_of(request: Any, caller: Principal) -> Cause:
    """The cause of the command ``request``: its id from the context's key (absent: a fresh one) and its name."""
    key = request.context.idempotency_key or new_id()
    digest = sha256(request.SerializeToString(deterministic=True)).hexdigest()
    identity = command_id(caller.tenant, caller.subject, request.DESCRIPTOR.full_name, key)
    return Cause(identity, digest, caller.subject, traceparent=current_traceparent())


def expected(request: Command) -> int | None:
    """The version that the caller saw, if it says."""
    return request.context.expected_version if request.context.HasField("expected_version") else None


def answer(answered: Answered) -> CommandAnswer:
    """Where the effect is."""
    return CommandAnswer(stream=answered.stream.name, version=answered.version, repeated_command=answered.repeated)
