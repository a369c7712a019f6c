"""A foreign fact causes a command of our own; its id, source and story come from the fact (kernel rules 6, 7)."""

from __future__ import annotations

from typing import Any, Protocol, TypeVar

from switchlog.bus.record import Received
from switchlog.envelope import Cause, Source, StreamId
from switchlog.ids import reaction_id
from switchlog.telemetry import current_traceparent
from switchlog.writer import Answer

C_contra = TypeVar("C_contra", contravariant=True)


class Executes(Protocol[C_contra]):
    """What a reaction needs of a ``Writer``; ``service`` is who acts."""

    @property
    def service(self) -> str: ...

    async def execute(self, stream: StreamId, command: C_contra, cause: Cause, *, expect: Any = None) -> Answer: ...


def cause_of(received: Received, name: str, actor: str, n: int = 0) -> Cause:
    """Why the ``n``-th command of reaction ``name`` to ``received`` is given; a redelivery makes the same one."""
    return Cause(
        command_id=reaction_id(received.key, received.version, name, n),
        digest="",
        actor=actor,
        causation_id=received.event_id,
        correlation_id=received.meta().correlation_id,
        traceparent=current_traceparent(),
        source=Source(received.key, received.version, n, name),
    )


async def reaction(
    writer: Executes[C_contra], stream: StreamId, command: C_contra, received: Received, name: str, n: int = 0
) -> Answer:
    """Give ``command`` because of ``received``; done at most once, also when the topic is delivered twice.

    Commands that one fact gives to one stream are numbered ``n`` = 0, 1, ... in the order of their giving: the target
    remembers the highest (source, version, n) it reacted to. A replayed or rebuilt record gives none (trust, Side
    effects). Raises as ``Writer.execute`` does.
    """
    if received.replayed:
        return Answer(stream, 0, repeated=True)
    return await writer.execute(stream, command, cause_of(received, name, writer.service, n))
