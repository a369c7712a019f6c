"""What happened, said in a sentence for each kind of fact."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any

from ..domain import events as told
from .again import Decision
from .candidates import Candidate
from .say import ACTIONS, OUTCOMES, TIE_BREAKS, WITHDRAWALS, Say


def _waiting(say: Say, decision: Decision) -> str:
    event = decision.event
    assert isinstance(event, told.ContactWaiting)
    skills = say.skills(event.required_skills)
    asks = say(f", asks for {skills}", f", 要求 {skills}") if event.required_skills else ""
    return say(
        f"Contact {event.contact} began to wait in queue {event.queue} ({event.channel}, leg {event.leg}, "
        f"priority {event.priority}, credit {say.span(event.credit_ms)}{asks}).",
        f"联系 {event.contact} 开始在队列 {event.queue} 等待 ({event.channel}, 第 {event.leg} 段, "
        f"优先级 {event.priority}, 加时 {say.span(event.credit_ms)}{asks})。",
    )


def _offered(say: Say, decision: Decision) -> str:
    event = decision.event
    assert isinstance(event, told.ContactOffered)
    why, waited = event.explanation, say.span(decision.at - event.queued_at)
    able = [one.agent for one in decision.candidates if not one.reason]
    others = [one for one in decision.candidates if not one.reason and one.agent != event.agent]
    after = say(f"; next {scored(others[0])}", f"; 其次 {scored(others[0])}") if others else ""
    tie = say.word(TIE_BREAKS, why.tie_break)
    return say(
        f"Offered to {event.agent} (attempt {event.attempt}) after {waited} in queue {event.queue}: of "
        f"{why.considered} agents {len(able)} could have had it, {event.agent} came first by {event.policy}"
        f" ({why.score}{after}); {tie}.",
        f"派给 {event.agent} (第 {event.attempt} 次), 已在队列 {event.queue} 等待 {waited}: {why.considered} 名坐席中 "
        f"{len(able)} 名可接, 按 {event.policy} {event.agent} 最先 ({why.score}{after}); {tie}。",
    )


def _accepted(say: Say, decision: Decision) -> str:
    event = decision.event
    assert isinstance(event, told.OfferAccepted)
    rang = say.span(decision.at - event.offered_at)
    if event.automatic:
        return say(f"Accepted for {event.agent} by rule.", f"按规则由 {event.agent} 自动接起。")
    return say(f"{event.agent} accepted after {rang}.", f"{event.agent} 在 {rang} 后接受。")


def _declined(say: Say, decision: Decision) -> str:
    event = decision.event
    assert isinstance(event, told.OfferDeclined)
    reason = f" ({event.reason})" if event.reason else ""
    return say(
        f"{event.agent} declined{reason}; back at the head, and not for this agent before it is ready anew.",
        f"{event.agent} 拒接{reason}; 联系回到队首, 该坐席重新就绪前不再派给它。",
    )


def _expired(say: Say, decision: Decision) -> str:
    event = decision.event
    assert isinstance(event, told.OfferExpired)
    aside = say(", and was set not ready", ", 并被置为未就绪") if event.not_ready else ""
    return say(
        f"{event.agent} did not answer in time{aside}; the contact is back at the head of its queue.",
        f"{event.agent} 未在时限内应答{aside}; 联系回到队首。",
    )


def _withdrawn(say: Say, decision: Decision) -> str:
    event = decision.event
    assert isinstance(event, told.OfferWithdrawn)
    reason = say.word(WITHDRAWALS, event.reason)
    return say(f"The offer to {event.agent} was taken back: {reason}.", f"收回给 {event.agent} 的派单: {reason}。")


def _assigned(say: Say, decision: Decision) -> str:
    event = decision.event
    assert isinstance(event, told.ContactAssigned)
    return say(f"Assigned to {event.agent} ({event.policy}).", f"分配给 {event.agent} ({event.policy})。")


def _dequeued(say: Say, decision: Decision) -> str:
    event = decision.event
    assert isinstance(event, told.ContactDequeued)
    waited, outcome = say.span(event.left_at - event.queued_at), say.word(OUTCOMES, event.outcome)
    by = say(f" by {event.agent}", f", 坐席 {event.agent}") if event.agent else ""
    rule = say(f" (rule {event.rule})", f" (规则 {event.rule})") if event.rule else ""
    to = say(f", to queue {event.to_queue}", f", 去往队列 {event.to_queue}") if event.to_queue else ""
    return say(
        f"Left queue {event.queue} after {waited} and {event.offers} offers: {outcome}{by}{to}{rule}.",
        f"离开队列 {event.queue}, 等待 {waited}, 派单 {event.offers} 次: {outcome}{by}{to}{rule}。",
    )


def _released(say: Say, decision: Decision) -> str:
    event = decision.event
    assert isinstance(event, told.CapacityReleased)
    return say(f"{event.agent} has its place free again.", f"{event.agent} 的占用已释放。")


def _relaxed(say: Say, decision: Decision) -> str:
    event = decision.event
    assert isinstance(event, told.SkillsRelaxed)
    left = say.skills(event.required_skills)
    return say(f"Ring {event.ring}: from now on asks for {left}.", f"第 {event.ring} 环放宽: 现在起要求 {left}。")


def _target(say: Say, decision: Decision) -> str:
    event = decision.event
    assert isinstance(event, told.TargetReached)
    holds = say(f", of whom {event.expression} holds", f", 须满足 {event.expression}") if event.expression else ""
    return say(
        f"Target {event.target}: agents of queue {event.to_queue} are looked at now (priority {event.priority}, "
        f"{say.skills(event.required_skills)}{holds}).",
        f"第 {event.target} 目标: 从现在起在队列 {event.to_queue} 的坐席中寻找 (优先级 {event.priority}, "
        f"{say.skills(event.required_skills)}{holds})。",
    )


def _raised(say: Say, decision: Decision) -> str:
    event = decision.event
    assert isinstance(event, told.PriorityRaised)
    credit = say.span(event.credit_ms)
    return say(
        f"Its priority is {event.priority} from now on, its credit {credit}{_by(say, event.command_id, event.reason)}.",
        f"优先级改为 {event.priority}, 加时 {credit}{_by(say, event.command_id, event.reason)}。",
    )


def _overflowed(say: Say, decision: Decision) -> str:
    event = decision.event
    assert isinstance(event, told.ContactOverflowed)
    where = " ".join(filter(None, (say.word(ACTIONS, event.action), event.to_queue or event.to_team, event.to_pool)))
    by = _by(say, event.command_id, event.reason) or say(f" by the rule {event.rule}", f" (规则 {event.rule})")
    waited = say.span(decision.at - event.queued_at)
    return say(
        f"Overflowed from queue {event.queue} after {waited}{by}: {where}.",
        f"等待 {waited} 后从队列 {event.queue} 溢出{by}: {where}。",
    )


def _pulled(say: Say, decision: Decision) -> str:
    event = decision.event
    assert isinstance(event, told.ContactPulled)
    by = _by(say, event.command_id, event.reason)
    return say(f"Given to {event.agent}{by}.", f"指派给 {event.agent}{by}。")


def _by(say: Say, command_id: str, reason: str) -> str:
    """A person, where one did it."""
    if not command_id:
        return ""
    why = f": {reason}" if reason else ""
    return say(f" by a person{why}", f" (人工{why})")


def other(say: Say, decision: Decision) -> str:
    """A fact younger than this dictionary: its name and what it says."""
    event = decision.event
    skipped = ("explanation", "raw", "definition")
    given = {one.name: getattr(event, one.name) for one in fields(event) if one.name not in skipped}
    told_of = ", ".join(f"{name}={value}" for name, value in given.items() if value not in ("", 0, (), None))
    return f"{type(event).__name__} ({told_of})" + say(".", "。")


TOLD: dict[type[Any], Callable[[Say, Decision], str]] = {
    told.ContactWaiting: _waiting,
    told.ContactOffered: _offered,
    told.OfferAccepted: _accepted,
    told.OfferDeclined: _declined,
    told.OfferExpired: _expired,
    told.OfferWithdrawn: _withdrawn,
    told.ContactAssigned: _assigned,
    told.ContactDequeued: _dequeued,
    told.CapacityReleased: _released,
    told.SkillsRelaxed: _relaxed,
    told.TargetReached: _target,
    told.PriorityRaised: _raised,
    told.ContactOverflowed: _overflowed,
    told.ContactPulled: _pulled,
}


def scored(candidate: Candidate) -> str:
    return f"{candidate.agent} {candidate.score}".strip()
