"""Facts of alerts as protobuf messages, both ways."""

from __future__ import annotations

from typing import Any

from google.protobuf.message import Message

from contactcenter.analytics.v1 import events_pb2 as pb
from switchlog.envelope import Codec

from ..domain.alerting import AlertCleared, AlertFact, AlertRaised, AlertRuleDefined, AlertRuleRemoved, Rule, Subject
from ..wire import ALERTS, milliseconds, stamp

SIDES = {"above": pb.LIMIT_SIDE_ABOVE, "below": pb.LIMIT_SIDE_BELOW}
SIDE_WORDS = {number: word for word, number in SIDES.items()}
PLAIN = ("id", "name", "figure", "limit", "clear", "per", "window", "attribution", "threshold_s")
NUMBERS = ("for_ms", "clear_for_ms", "at_least")
LISTS = ("queues", "channels", "agents", "teams")


def write(event: AlertFact) -> pb.AlertEvent:
    match event:
        case AlertRuleDefined(rule, version):
            return pb.AlertEvent(alert_rule_defined=pb.AlertRuleDefined(rule=rule_message(rule), version=version))
        case AlertRuleRemoved(rule_id):
            return pb.AlertEvent(alert_rule_removed=pb.AlertRuleRemoved(rule=rule_id))
        case AlertRaised():
            return pb.AlertEvent(alert_raised=raised_message(event))
        case AlertCleared(alert, rule_name, subject, figure, value):
            cleared = pb.AlertCleared(
                alert=alert,
                rule=rule_name,
                **subject._asdict(),
                figure=figure,
                value=value or 0.0,
                undefined=value is None,
            )
            return pb.AlertEvent(alert_cleared=cleared)


def raised_message(event: AlertRaised) -> pb.AlertRaised:
    return pb.AlertRaised(
        alert=event.alert,
        rule=event.rule,
        **event.subject._asdict(),
        figure=event.figure,
        value=event.value,
        limit=event.limit,
        side=SIDES[event.side],
        interval_start=stamp(event.begin),
        interval_end=stamp(event.end),
    )


def rule_message(rule: Rule) -> pb.AlertRule:
    said: dict[str, Any] = {name: getattr(rule, name) for name in (*PLAIN, *NUMBERS, *LISTS)}
    return pb.AlertRule(side=SIDES[rule.side], **said)


def read(message: Message) -> AlertFact | None:
    """The event; ``None`` for facts that a later version added."""
    event: Any = message
    match event.WhichOneof("fact"):
        case "alert_rule_defined":
            return AlertRuleDefined(_rule(event.alert_rule_defined.rule), event.alert_rule_defined.version)
        case "alert_rule_removed":
            return AlertRuleRemoved(event.alert_rule_removed.rule)
        case "alert_raised":
            said = event.alert_raised
            span = milliseconds(said.interval_start), milliseconds(said.interval_end)
            return AlertRaised(
                said.alert,
                said.rule,
                _subject(said),
                said.figure,
                said.value,
                said.limit,
                SIDE_WORDS.get(said.side, "above"),
                *span,
            )
        case "alert_cleared":
            said = event.alert_cleared
            value = None if said.undefined else said.value
            return AlertCleared(said.alert, said.rule, _subject(said), said.figure, value)
        case _:
            return None


CODEC: Codec[AlertFact] = Codec("analytics", ALERTS, pb.AlertEvent, write, read)


def _subject(said: Any) -> Subject:
    return Subject(said.queue, said.agent, said.team)


def _rule(said: pb.AlertRule) -> Rule:
    known: dict[str, Any] = {name: getattr(said, name) for name in (*PLAIN, *NUMBERS)}
    known |= {name: tuple(getattr(said, name)) for name in LISTS}
    known |= {name: getattr(said, name) if said.HasField(name) else None for name in ("limit", "clear")}
    return Rule(side=SIDE_WORDS.get(said.side, "above"), **known)
