"""Decisions in plain words, English and Chinese."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from datetime import UTC, datetime, tzinfo
from typing import Any, Literal

from ..domain import events as told
from ..domain import observed as seen
from ..domain.events import Event
from ..domain.members import Contact
from .again import Ahead, Decision
from .candidates import Candidate, reasons
from .why import Standing

Lang = Literal["en", "zh"]
LANGS: tuple[Lang, ...] = ("en", "zh")

REASONS: Mapping[str, tuple[str, str]] = {
    "LEAVING": ("leaving the pool", "正在离开该组"),
    "NOT_CHECKED_IN": ("not checked in", "未签入"),
    "NOT_READY": ("not ready", "未就绪"),
    "WRAP_UP": ("in wrap-up", "事后处理中"),
    "NO_CHANNEL": ("does not take this channel", "不接此渠道"),
    "NO_CAPACITY": ("no free place", "已满负荷"),
    "NOT_QUALIFIED": ("not qualified", "不具备所需技能或不在队列"),
    "NOT_PREFERRED": ("not the agent it waits for", "不是所等待的坐席"),
    "RINGING": ("ringing already", "已在振铃"),
    "DECLINED": ("let this contact go before", "此前已拒接或未接"),
    "PREFERRED_AGENT": ("asked for that agent", "指定了该坐席"),
    "BACK_AT_HEAD": ("came back from an offer", "振铃未成, 回到队首"),
    "PRIORITY": ("higher priority", "优先级更高"),
    "WAITED_LONGER": ("had waited longer", "等待更久"),
    "POLICY": ("first by the policy", "按策略在前"),
}
TIE_BREAKS: Mapping[str, tuple[str, str]] = {
    "preferred_agent": ("the contact asked for this agent", "联系指定了该坐席"),
    "longest_idle": ("without work before those with, then idle the longest", "无在手任务者在前, 再按空闲最久"),
    "agent_id": ("equal to the next one, so the lower id", "与次位完全相同, 取编号较小者"),
    "": ("nobody else could have had it", "没有其他可接的坐席"),
}
OUTCOMES: Mapping[str, tuple[str, str]] = {
    "answered": ("answered", "已接通"),
    "abandoned": ("abandoned", "已放弃"),
    "short_abandoned": ("abandoned within the short limit", "短时放弃"),
    "flowed_out": ("flowed out", "已溢出"),
    "callback": ("to be called back", "转为回拨"),
    "timed_out": ("waited too long", "等待超时"),
    "blocked": ("refused by the queue", "被队列拒绝"),
    "failed": ("failed", "失败"),
}
WITHDRAWALS: Mapping[str, tuple[str, str]] = {
    "customer_left": ("the customer left", "客户已离开"),
    "agent_left": ("the agent was no longer ready", "坐席不再就绪"),
    "moved": ("the contact moved on", "联系已转走"),
    "taken": ("another agent took it", "已由其他坐席接起"),
}


def sentence(decision: Decision, lang: Lang = "en", zone: tzinfo = UTC) -> str:
    """One decision: what, why, who was passed over, and whether it was decided the same again."""
    say = _Say(lang, zone)
    tell = _TOLD.get(type(decision.event), _other)
    parts = [f"{say.at(decision.at)} {tell(say, decision)}", _candidates(say, decision), _ahead(say, decision)]
    parts += [_cause(say, decision), _again(say, decision)]
    return say.join(parts)


def standing(queue: Standing, lang: Lang = "en", zone: tzinfo = UTC) -> str:
    """How a queue stood: who waits, and why for nobody there was an agent."""
    say = _Say(lang, zone)
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
    return _cause_in(event, _Say(lang, zone))


class _Say:
    """A language, and the clock on the wall of whoever reads."""

    def __init__(self, lang: Lang, zone: tzinfo) -> None:
        self.lang, self.zone = lang, zone

    def __call__(self, english: str, chinese: str) -> str:
        return chinese if self.lang == "zh" else english

    def word(self, known: Mapping[str, tuple[str, str]], code: str) -> str:
        """The words for ``code``; itself when it is younger than this dictionary."""
        return self(*known[code]) if code in known else code

    def at(self, milliseconds: int) -> str:
        local = datetime.fromtimestamp(milliseconds / 1000, UTC).astimezone(self.zone)
        return f"{local:%Y-%m-%d %H:%M:%S}.{local.microsecond // 1000:03d}"

    def span(self, milliseconds: int) -> str:
        return self(f"{milliseconds / 1000:.3f} s", f"{milliseconds / 1000:.3f} 秒")

    def join(self, parts: Sequence[str]) -> str:
        return self(" ", "").join(part for part in parts if part)

    def counts(self, found: Mapping[str, int]) -> str:
        words = [f"{count} {self.word(REASONS, reason)}" for reason, count in found.items()]
        return self(", ", "、").join(words)


def _waiting(say: _Say, decision: Decision) -> str:
    event = decision.event
    assert isinstance(event, told.ContactWaiting)
    skills = say.join([f" {skill}>={level}" for skill, level in event.required_skills])
    asks = say(f", asks for{skills}", f", 要求{skills}") if skills else ""
    return say(
        f"Contact {event.contact} began to wait in queue {event.queue} ({event.channel}, leg {event.leg}, "
        f"priority {event.priority}, credit {say.span(event.credit_ms)}{asks}).",
        f"联系 {event.contact} 开始在队列 {event.queue} 等待 ({event.channel}, 第 {event.leg} 段, "
        f"优先级 {event.priority}, 加时 {say.span(event.credit_ms)}{asks})。",
    )


def _offered(say: _Say, decision: Decision) -> str:
    event = decision.event
    assert isinstance(event, told.ContactOffered)
    why, waited = event.explanation, say.span(decision.at - event.queued_at)
    able = [one.agent for one in decision.candidates if not one.reason]
    others = [one for one in decision.candidates if not one.reason and one.agent != event.agent]
    after = say(f"; next {_scored(others[0])}", f"; 其次 {_scored(others[0])}") if others else ""
    tie = say.word(TIE_BREAKS, why.tie_break)
    return say(
        f"Offered to {event.agent} (attempt {event.attempt}) after {waited} in queue {event.queue}: of "
        f"{why.considered} agents {len(able)} could have had it, {event.agent} came first by {event.policy}"
        f" ({why.score}{after}); {tie}.",
        f"派给 {event.agent} (第 {event.attempt} 次), 已在队列 {event.queue} 等待 {waited}: {why.considered} 名坐席中 "
        f"{len(able)} 名可接, 按 {event.policy} {event.agent} 最先 ({why.score}{after}); {tie}。",
    )


def _accepted(say: _Say, decision: Decision) -> str:
    event = decision.event
    assert isinstance(event, told.OfferAccepted)
    rang = say.span(decision.at - event.offered_at)
    return say(f"{event.agent} accepted after {rang}.", f"{event.agent} 在 {rang} 后接受。")


def _declined(say: _Say, decision: Decision) -> str:
    event = decision.event
    assert isinstance(event, told.OfferDeclined)
    reason = f" ({event.reason})" if event.reason else ""
    return say(
        f"{event.agent} declined{reason}; back at the head, and not for this agent before it is ready anew.",
        f"{event.agent} 拒接{reason}; 联系回到队首, 该坐席重新就绪前不再派给它。",
    )


def _expired(say: _Say, decision: Decision) -> str:
    event = decision.event
    assert isinstance(event, told.OfferExpired)
    aside = say(", and was set not ready", ", 并被置为未就绪") if event.not_ready else ""
    return say(
        f"{event.agent} did not answer in time{aside}; the contact is back at the head of its queue.",
        f"{event.agent} 未在时限内应答{aside}; 联系回到队首。",
    )


def _withdrawn(say: _Say, decision: Decision) -> str:
    event = decision.event
    assert isinstance(event, told.OfferWithdrawn)
    reason = say.word(WITHDRAWALS, event.reason)
    return say(f"The offer to {event.agent} was taken back: {reason}.", f"收回给 {event.agent} 的派单: {reason}。")


def _assigned(say: _Say, decision: Decision) -> str:
    event = decision.event
    assert isinstance(event, told.ContactAssigned)
    return say(f"Assigned to {event.agent} ({event.policy}).", f"分配给 {event.agent} ({event.policy})。")


def _dequeued(say: _Say, decision: Decision) -> str:
    event = decision.event
    assert isinstance(event, told.ContactDequeued)
    waited, outcome = say.span(event.left_at - event.queued_at), say.word(OUTCOMES, event.outcome)
    by = say(f" by {event.agent}", f", 坐席 {event.agent}") if event.agent else ""
    to = say(f", to queue {event.to_queue}", f", 去往队列 {event.to_queue}") if event.to_queue else ""
    return say(
        f"Left queue {event.queue} after {waited} and {event.offers} offers: {outcome}{by}{to}.",
        f"离开队列 {event.queue}, 等待 {waited}, 派单 {event.offers} 次: {outcome}{by}{to}。",
    )


def _released(say: _Say, decision: Decision) -> str:
    event = decision.event
    assert isinstance(event, told.CapacityReleased)
    return say(f"{event.agent} has its place free again.", f"{event.agent} 的占用已释放。")


def _other(say: _Say, decision: Decision) -> str:
    """A fact younger than this dictionary: its name and what it says."""
    event = decision.event
    skipped = ("explanation", "raw", "definition")
    given = {one.name: getattr(event, one.name) for one in fields(event) if one.name not in skipped}
    told_of = ", ".join(f"{name}={value}" for name, value in given.items() if value not in ("", 0, (), None))
    return f"{type(event).__name__} ({told_of})" + say(".", "。")


_TOLD: dict[type[Any], Callable[[_Say, Decision], str]] = {
    told.ContactWaiting: _waiting,
    told.ContactOffered: _offered,
    told.OfferAccepted: _accepted,
    told.OfferDeclined: _declined,
    told.OfferExpired: _expired,
    told.OfferWithdrawn: _withdrawn,
    told.ContactAssigned: _assigned,
    told.ContactDequeued: _dequeued,
    told.CapacityReleased: _released,
}


def _scored(candidate: Candidate) -> str:
    return f"{candidate.agent} {candidate.score}".strip()


def _candidates(say: _Say, decision: Decision) -> str:
    """Those passed over; or that there was nobody."""
    if isinstance(decision.event, told.ContactOffered):
        counts = say.counts(reasons(decision.candidates))
        return say(f"Passed over: {counts}.", f"未选: {counts}。") if counts else ""
    return _nobody(say, decision.candidates)


def _nobody(say: _Say, looked_at: Sequence[Candidate]) -> str:
    if not looked_at:
        return ""
    able, counts = sum(not one.reason for one in looked_at), say.counts(reasons(looked_at))
    if able:
        return say(f"{able} agents could have had it. Others: {counts}.", f"{able} 名坐席可接; 其余: {counts}。")
    return say(f"No agent could have it: {counts}.", f"没有可接的坐席: {counts}。")


def _waits(say: _Say, contact: Contact, now: int) -> str:
    waited = say.span(now - contact.queued_at)
    return say(
        f"{contact.id} for {waited} (priority {contact.priority}, {contact.attempts} offers).",
        f"{contact.id} 已等待 {waited} (优先级 {contact.priority}, 派单 {contact.attempts} 次)。",
    )


def _ahead(say: _Say, decision: Decision) -> str:
    """Who was served first although an agent could have had this one."""
    if not decision.ahead_count:
        return ""
    named = say(", ", "、").join(_one_ahead(say, one) for one in decision.ahead[:3])
    more = say(" ...", "……") if decision.ahead_count > 3 else ""
    return say(
        f"Meanwhile {decision.ahead_count} others came first: {named}{more}.",
        f"其间另有 {decision.ahead_count} 个先被派出: {named}{more}。",
    )


def _one_ahead(say: _Say, one: Ahead) -> str:
    reason = say.word(REASONS, one.reason)
    return say(f"{one.contact} to {one.agent} ({reason})", f"{one.contact} 给 {one.agent} ({reason})")


def _cause(say: _Say, decision: Decision) -> str:
    if decision.cause is decision.event:
        return ""
    what = _cause_in(decision.cause, say)
    return say(f"Cause: {what} (v{decision.cause_version}).", f"起因: {what} (v{decision.cause_version})。")


def _cause_in(event: Event, say: _Say) -> str:
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


def _again(say: _Say, decision: Decision) -> str:
    if decision.identical:
        return say("Decided again: identical.", "重新执行: 完全一致。")
    return say("Decided again: DIFFERENT.", "重新执行: 不一致!")
