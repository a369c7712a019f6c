"""Decisions in plain words, English and Chinese: what, why, who was passed over, whether it was decided so again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, tzinfo

from ..domain import events as told
from ..domain import observed as seen
from ..domain.events import Event
from ..domain.members import Contact
from .again import Ahead, Decision
from .candidates import Candidate, reasons
from .phrases import TOLD, other
from .say import REASONS, Lang, Say
from .why import Standing


def sentence(decision: Decision, lang: Lang = "en", zone: tzinfo = UTC) -> str:
    """One decision: what, why, who was passed over, and whether it was decided the same again."""
    say = Say(lang, zone)
    tell = TOLD.get(type(decision.event), other)
    parts = [f"{say.at(decision.at)} {tell(say, decision)}", _candidates(say, decision), _ahead(say, decision)]
    parts += [_cause(say, decision), _again(say, decision)]
    return say.join(parts)


def standing(queue: Standing, lang: Lang = "en", zone: tzinfo = UTC) -> str:
    """How a queue stood: who waits, and why for nobody there was an agent."""
    say = Say(lang, zone)
    if not queue.waiting:
        return say(
            f"{say.at(queue.at)} Nobody waits in queue {queue.queue} ({queue.policy}).",
            f"{say.at(queue.at)} 队列 {queue.queue} 无人等待 ({queue.policy})。",
        )
    head = say(
        f"{say.at(queue.at)} In queue {queue.queue} {len(queue.waiting)} wait, in this order ({queue.policy}).",
        f"{say.at(queue.at)} 队列 {queue.queue} 有 {len(queue.waiting)} 个等待, 顺序如下 ({queue.policy})。",
    )
    lines = [
        f"{n}. {_waits(say, one, queue.at)} {_nobody(say, seen)}" for n, (one, seen) in enumerate(queue.waiting, 1)
    ]
    return "\n".join([head, *lines])


def cause(event: Event, lang: Lang = "en", zone: tzinfo = UTC) -> str:
    """What happened outside or elapsed, in few words."""
    return _cause_in(event, Say(lang, zone))


def _candidates(say: Say, decision: Decision) -> str:
    """Those passed over; or that there was nobody."""
    if isinstance(decision.event, told.ContactOffered):
        counts = say.counts(reasons(decision.candidates))
        return say(f"Passed over: {counts}.", f"未选: {counts}。") if counts else ""
    return _nobody(say, decision.candidates)


def _nobody(say: Say, looked_at: Sequence[Candidate]) -> str:
    if not looked_at:
        return ""
    able, counts = sum(not one.reason for one in looked_at), say.counts(reasons(looked_at))
    if able:
        return say(f"{able} agents could have had it. Others: {counts}.", f"{able} 名坐席可接; 其余: {counts}。")
    return say(f"No agent could have it: {counts}.", f"没有可接的坐席: {counts}。")


def _waits(say: Say, contact: Contact, now: int) -> str:
    waited = say.span(now - contact.queued_at)
    return say(
        f"{contact.id} for {waited} (priority {contact.priority}, {contact.attempts} offers).",
        f"{contact.id} 已等待 {waited} (优先级 {contact.priority}, 派单 {contact.attempts} 次)。",
    )


def _ahead(say: Say, decision: Decision) -> str:
    """Who was served first although an agent could have had this one."""
    if not decision.ahead_count:
        return ""
    named = say(", ", "、").join(_one_ahead(say, one) for one in decision.ahead[:3])
    more = say(" ...", "……") if decision.ahead_count > 3 else ""
    return say(
        f"Meanwhile {decision.ahead_count} others came first: {named}{more}.",
        f"其间另有 {decision.ahead_count} 个先被派出: {named}{more}。",
    )


def _one_ahead(say: Say, one: Ahead) -> str:
    reason = say.word(REASONS, one.reason)
    return say(f"{one.contact} to {one.agent} ({reason})", f"{one.contact} 给 {one.agent} ({reason})")


def _cause(say: Say, decision: Decision) -> str:
    if decision.cause is decision.event:
        return ""
    what = _cause_in(decision.cause, say)
    return say(f"Cause: {what} (v{decision.cause_version}).", f"起因: {what} (v{decision.cause_version})。")


def _cause_in(event: Event, say: Say) -> str:
    match event:
        case told.ContactObserved(fact=fact):
            return f"{type(fact).__name__} {getattr(fact, 'contact', '')}".strip()
        case told.AgentObserved(fact=seen.AgentNotReady(agent=agent, reason=reason)):
            return f"AgentNotReady {agent} {reason}".strip()
        case told.AgentObserved(fact=fact):
            return f"{type(fact).__name__} {getattr(fact, 'agent', '')}".strip()
        case told.TimerElapsed(kind=kind, due_at=due):
            return say(f"timer {kind} due {say.at(due)}", f"定时 {kind} 到期 {say.at(due)}")
        case _:
            return type(event).__name__


def _again(say: Say, decision: Decision) -> str:
    if decision.identical:
        return say("Decided again: identical.", "重新执行: 完全一致。")
    return say("Decided again: DIFFERENT.", "重新执行: 不一致!")
