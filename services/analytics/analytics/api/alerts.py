"""Rules of alerts, and the alerts: what left its range, and what is back."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import Response
from pydantic import Field, model_validator

from switchlog.auth.principal import Principal
from switchlog.envelope import StreamId
from switchlog.errors import NotFound
from switchlog.web import Body, answer, cause_of, require

from ..app.alerts import Alerts
from ..app.shown import Json, shown_alert
from ..domain.alerting import DefineRule, RemoveRule, Rule
from ..domain.formulas import FORMULAS
from .figures import ID, Reader, instant

RuleId = Annotated[str, Path(pattern=ID)]
Id = Annotated[str, Field(pattern=ID)]
Ids = Annotated[tuple[Id, ...], Field(max_length=500)]
Seconds = Annotated[int, Field(ge=0, le=86_400)]
Keeper = Annotated[Principal, Depends(require("supervisor", "admin"))]
Since = Annotated[datetime | None, Query(description="RFC 3339 with offset; 24 hours ago when not given")]
DAY_MS = 24 * 3600 * 1000


class RuleIn(Body):
    """A figure that is watched. Ratios are 0..1, durations seconds.

    Without ``limit`` it is the share that each queue's own target asks for at that time of day.
    """

    name: Annotated[str, Field(max_length=128)] = ""
    figure: Annotated[str, Field(max_length=64)]
    side: Literal["above", "below"]
    limit: float | None = None
    clear: float | None = None
    per: Literal["queue", "agent", "team", ""] = "queue"
    queues: Ids = ()
    channels: Ids = ()
    agents: Ids = ()
    teams: Ids = ()
    window: Literal["15m", "30m", "1h", "2h", "4h", "1d"] = "30m"
    attribution: Literal["cohort", "event"] = "cohort"
    threshold: Annotated[int, Field(ge=1, le=86_400)] = 20
    for_s: Seconds = 0
    clear_for_s: Seconds = 60
    at_least: Annotated[int, Field(ge=0, le=1_000_000)] = 0

    @model_validator(mode="after")
    def makes_sense(self) -> RuleIn:
        if self.figure not in FORMULAS:
            raise ValueError(f"figure is one of {', '.join(FORMULAS)}")
        if self.limit is None and not (self.figure.startswith("sl_") and self.side == "below" and self.per == "queue"):
            raise ValueError("without a limit, the queue's target, only a queue's service level can be below it")
        if self.limit is None and self.clear is not None:
            raise ValueError("clear needs a limit")
        if self.limit is not None and self.clear is not None:
            beyond = self.clear > self.limit if self.side == "above" else self.clear < self.limit
            if beyond:
                raise ValueError("clear lies on the good side of limit")
        return self


def routes(alerts: Alerts) -> APIRouter:
    router = APIRouter(prefix="/v1", tags=["alerts"])

    @router.put("/alert-rules/{id}")
    async def put(id: RuleId, body: RuleIn, request: Request, caller: Keeper) -> Response:
        """Define or replace; repeating it changes nothing."""
        cause = cause_of(request, caller, body)
        return answer(await alerts.log.execute(_stream(caller, id), DefineRule(_rule(id, body)), cause))

    @router.delete("/alert-rules/{id}")
    async def remove(id: RuleId, request: Request, caller: Keeper) -> Response:
        """It is watched no longer; what stood is cleared."""
        await _defined(alerts, caller, id)
        return answer(await alerts.log.execute(_stream(caller, id), RemoveRule(), cause_of(request, caller)))

    @router.get("/alert-rules/{id}")
    async def one(id: RuleId, caller: Reader) -> Json:
        return _told(await _defined(alerts, caller, id))

    @router.get("/alert-rules")
    async def rules(caller: Reader) -> list[Json]:
        return [_told(rule) for rule in await alerts.rules_of(caller.tenant)]

    @router.get("/alerts")
    async def found(
        caller: Reader,
        since: Since = None,
        open: bool = False,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> Json:
        """Newest first; ``open``: only those that stand."""
        at = instant("since", since)
        begin = alerts.clock.now() - DAY_MS if at is None else at
        kept = await alerts.kept.since(caller.tenant, 0 if open and at is None else begin, open)
        return {"alerts": [shown_alert(alert) for alert in kept[:limit]]}

    return router


async def _defined(alerts: Alerts, caller: Principal, id: str) -> Rule:
    rule = (await alerts.log.state(_stream(caller, id), fresh=True)).state.rule
    if rule is None:
        raise NotFound("UNKNOWN_RULE")
    return rule


def _stream(caller: Principal, id: str) -> StreamId:
    return StreamId(caller.tenant, f"alert-{id}")


def _rule(id: str, body: RuleIn) -> Rule:
    said: dict[str, Any] = body.model_dump()
    seconds = {f"{name}_ms": said.pop(f"{name}_s") * 1000 for name in ("for", "clear_for")}
    return Rule(id=id, threshold_s=said.pop("threshold"), **said, **seconds)


def _told(rule: Rule) -> Json:
    said = asdict(rule)
    seconds = {f"{name}_s": said.pop(f"{name}_ms") // 1000 for name in ("for", "clear_for")}
    return said | seconds | {"threshold": said.pop("threshold_s")}
