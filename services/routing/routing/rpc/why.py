"""Explanations as gRPC has them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from contactcenter.routing.v1 import service_pb2 as api
from contactcenter.routing.v1.events_pb2 import RoutingEvent
from switchlog.auth.principal import Principal

from ..app.again import Decision
from ..app.say import Lang
from ..app.sight import seen_by
from ..app.why import Why
from ..app.words import sentence
from ..wire import write


async def explain(why: Why, contact: str, lang: str, caller: Principal) -> api.ExplainContactResponse:
    """Every decision about ``contact`` that ``caller`` may see, in ``zh`` or English. Raises ``NotFound``."""
    found = seen_by(caller, await why.contact(contact, caller.tenant))
    return api.ExplainContactResponse(decisions=_decisions(found, "zh" if lang == "zh" else "en"))


def _decisions(found: Sequence[Decision], lang: Lang) -> list[api.ExplainedDecision]:
    return [_decision(one, lang) for one in found]


def _decision(one: Decision, lang: Lang) -> api.ExplainedDecision:
    explained = api.ExplainedDecision(event=_event(one), text=sentence(one, lang), identical=one.identical)
    for candidate in one.candidates:
        explained.candidates.add(candidate=candidate.agent, reason=candidate.reason, score=candidate.score)
    return explained


def _event(one: Decision) -> RoutingEvent:
    event = cast(RoutingEvent, write(one.event))
    event.meta.tenant_id, event.meta.stream, event.meta.version = one.pool.tenant, one.pool.name, one.version
    event.meta.recorded_at.FromMilliseconds(one.at)
    return event
