"""AnalyticsService: the same questions by gRPC."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from typing import Any

from contactcenter.analytics.v1 import service_pb2 as pb
from contactcenter.analytics.v1.service_pb2_grpc import AnalyticsServiceServicer, add_AnalyticsServiceServicer_to_server
from switchlog import rpc
from switchlog.auth.principal import Principal
from switchlog.rpc import Servicer
from switchlog.rpc_commands import checked

from .. import wire
from ..adapters.alert_events import raised_message
from ..app.alerts import Alert, Kept
from ..app.feeding import Feeding
from ..app.past import Past
from ..app.questions import FiguresAsked
from ..app.shown import FLAGS, counts, quantiles, seconds
from ..domain.figures import Row
from .feed import fed

ROLES = ("analyst", "supervisor", "admin", "service")
PAGE = 100


@dataclass(frozen=True)
class AnalyticsByRpc(AnalyticsServiceServicer):
    past: Past
    feeding: Feeding | None = None
    declared: Set[str] = frozenset()
    alerts: Kept | None = None

    async def GetFigures(self, request: pb.GetFiguresRequest, context: Any) -> pb.GetFiguresResponse:
        caller = _caller(request)
        found = await self.past.figures(caller.tenant, _asked(request), _as_of(request))
        asked = found.answer.asked
        return pb.GetFiguresResponse(
            rows=[_row(row) for row in found.rows],
            previous=[_row(row) for row in found.previous],
            time_zone=asked.tz.key,
            threshold_s=asked.threshold_s,
            as_of=wire.stamp(found.answer.as_of),
            step=wire.STEP_NUMBERS[asked.step],  # type: ignore[arg-type]  # an enum's number
            attribution=wire.ATTRIBUTION_NUMBERS[asked.attribution],  # type: ignore[arg-type]
        )

    async def GetQueueNow(self, request: pb.GetQueueNowRequest, context: Any) -> pb.GetQueueNowResponse:
        caller = _caller(request)
        found = await self.past.now(caller.tenant, request.queue, _as_of(request))
        return pb.GetQueueNowResponse(
            now=pb.QueueNow(
                queue=found.queue,
                at=wire.stamp(found.at),
                waiting=found.waiting,
                longest_wait_ms=found.longest_wait_ms,
                agents=[pb.NamedCount(name=name, value=value) for name, value in found.agents.items()],
                today=_row(found.today),
                freshness_ms=round(found.freshness_s * 1000),
            )
        )

    async def ListAlerts(self, request: pb.ListAlertsRequest, context: Any) -> pb.ListAlertsResponse:
        caller = _caller(request)
        if self.alerts is None:
            raise NotImplementedError
        found = await self.alerts.since(caller.tenant, 0, request.open_only)
        after, size = request.page.after, request.page.size or PAGE
        rest = [alert for alert in found if not after or alert.raised.alert < after]
        more = rest[size - 1].raised.alert if len(rest) > size else ""
        return pb.ListAlertsResponse(alerts=[_alert(alert) for alert in rest[:size]], next=more)

    async def Feed(self, request_iterator: Any, context: Any) -> pb.FeedResponse:
        if self.feeding is None:
            raise NotImplementedError
        return await fed(self.feeding, request_iterator, self.declared)


def servicer(
    past: Past, feeding: Feeding | None = None, declared: Set[str] = frozenset(), alerts: Kept | None = None
) -> Servicer:
    """For ``serve(servicers=...)``; ``declared`` attributes of fed lines are kept."""
    return add_AnalyticsServiceServicer_to_server, AnalyticsByRpc(past, feeding, declared, alerts)


def _alert(alert: Alert) -> pb.AlertView:
    view = pb.AlertView(raised=raised_message(alert.raised), raised_at=wire.stamp(alert.raised_at))
    if alert.cleared_at:
        view.cleared_at.CopyFrom(wire.stamp(alert.cleared_at))
    return view


def _caller(request: Any) -> Principal:
    return rpc.caller(checked(request).tenant_id, *ROLES)


def _as_of(request: Any) -> int | None:
    return wire.milliseconds(request.as_of) if request.HasField("as_of") else None


def _asked(request: pb.GetFiguresRequest) -> FiguresAsked:
    return FiguresAsked(
        queues=tuple(request.queues),
        channels=tuple(wire.CHANNELS.get(channel, "unspecified") for channel in request.channels),
        agents=tuple(request.agents),
        teams=tuple(request.teams),
        begin=wire.milliseconds(request.start) if request.HasField("start") else None,
        end=wire.milliseconds(request.end) if request.HasField("end") else None,
        step=wire.STEPS.get(request.step, "unknown") if request.step else "30m",
        tz=request.time_zone,
        attribution=wire.ATTRIBUTIONS.get(request.attribution, "unknown") if request.attribution else "cohort",
        threshold_s=request.threshold_s or 20,
        formulas=tuple(request.formulas),
        group_by=tuple(request.group_by) or ("queue",),
        compare="previous" if request.compare_previous else "",
    )


def _row(row: Row) -> pb.FigureRow:
    groups = dict(row.groups)
    channel = wire.CHANNEL_NUMBERS.get(groups.pop("channel", ""), 0)
    return pb.FigureRow(
        start=wire.stamp(row.start),
        end=wire.stamp(row.end),
        channel=channel,  # type: ignore[arg-type]  # an enum's number
        **groups,  # type: ignore[arg-type]
        **{name: getattr(row.flags, name) for name in FLAGS},
        freshness_ms=row.freshness_ms,
        counts=[pb.NamedCount(name=name, value=value) for name, value in counts(row.level).items()],
        durations=_durations(seconds(row.level)),
        figures=[pb.NamedFigure(formula=name, value=value) for name, value in row.figures.items()],
        percentiles=_durations(quantiles(row)),
    )


def _durations(known: dict[str, float | None]) -> list[pb.NamedDuration]:
    return [
        pb.NamedDuration(name=name, value_ms=round(value * 1000)) for name, value in known.items() if value is not None
    ]
