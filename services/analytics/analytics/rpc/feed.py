"""Feed by gRPC: the same lines, checked by the same rules."""

from __future__ import annotations

from collections.abc import AsyncIterator, Set
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from contactcenter.analytics.v1 import service_pb2 as pb
from contactcenter.external.v1 import events_pb2 as external
from switchlog import rpc
from switchlog.errors import Rejected
from switchlog.rpc_commands import checked

from ..adapters.fed_events import CHANNEL_WORDS, FACT_WORDS, OUTCOME_WORDS
from ..app.feeding import Feeding, Giving
from ..app.feedlines import Accepted, Refused, convert
from ..domain.feed import LATENESS_MS, Terms

ROLES = ("admin", "service")


async def fed(
    feeding: Feeding, requests: AsyncIterator[pb.FeedRequest], declared: Set[str] = frozenset()
) -> pb.FeedResponse:
    """All the messages are one file; the first one says whose it is and on which terms."""
    giving, told = None, 0
    async for request in requests:
        giving = giving or _begun(feeding, request)
        lines: list[tuple[int, Accepted]] = []
        for number, line in enumerate(request.lines, told + 1):
            try:
                lines.append((number, convert(fields(line), feeding.clock.now(), declared)))
            except Refused as why:
                giving.tally.refuse(number, why)
        told += len(request.lines)
        await giving.give(lines)
    if giving is None:
        raise Rejected("NOTHING_FED", "the first message says on which terms", invalid=True)
    tally = await giving.end()
    rejections = [pb.RejectedLine(line=one.line, reason=f"{one.reason}: {one.detail}") for one in tally.rejections]
    return pb.FeedResponse(
        accepted=tally.accepted, duplicates=tally.duplicates, rejected=tally.rejected, rejections=rejections
    )


def _begun(feeding: Feeding, request: pb.FeedRequest) -> Giving:
    caller = rpc.caller(checked(request).tenant_id, *ROLES)
    if request.lateness_ms < 0:
        raise Rejected("BAD_LATENESS", "lateness_ms is not negative", invalid=True)
    return feeding.one(caller.tenant, caller.subject, Terms(request.lateness_ms or LATENESS_MS, request.any_order))


def fields(line: external.CallFactFed) -> dict[str, Any]:
    """The line by the names of the JSON interface; what is not set is left out."""
    return {
        "source": line.source,
        "id": line.line_id,
        "fact": FACT_WORDS.get(line.fact, str(line.fact)),
        "at": _instant(line.at) if line.HasField("at") else None,
        "contact": line.contact,
        "queue": line.queue,
        "agent": line.agent,
        "team": line.team,
        "channel": CHANNEL_WORDS.get(line.channel, str(line.channel)),
        "priority": line.priority,
        "attributes": {one.key: one.value for one in line.attributes},
        "outcome": OUTCOME_WORDS.get(line.outcome, str(line.outcome)),
        "reason": line.reason,
        "planned": line.planned if line.HasField("planned") else None,
        "score": line.score if line.HasField("score") else None,
        "to_queue": line.to_queue,
        "from": _instant(line.planned_from) if line.HasField("planned_from") else None,
        "to": _instant(line.planned_to) if line.HasField("planned_to") else None,
        "amount": Decimal(line.amount_micros) / 1_000_000 if line.HasField("amount_micros") else None,
        "currency": line.currency,
        "leg": line.leg,
    }


def _instant(at: Timestamp) -> datetime | None:
    """``None`` for what no calendar has."""
    try:
        return at.ToDatetime(UTC)
    except (OverflowError, ValueError):
        return None
