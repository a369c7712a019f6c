"""The words for what decisions say in codes, in English and Chinese, and how numbers are said in each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Literal

from ..domain.observed import Skills

Lang = Literal["en", "zh"]

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
    "least_loaded": ("fewest contacts in hand, then idle the longest", "在手联系最少, 再按空闲最久"),
    "least_cost": ("least of its capacity taken", "占用的容量最少"),
    "best_skill": ("best at the skills that are asked", "所需技能等级最高"),
    "agent_rank": ("highest rank in this queue", "在本队列中的级别最高"),
    "most_idle_capacity": ("most of its capacity free", "空闲容量最多"),
    "rotation": ("its turn", "轮到该坐席"),
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
ACTIONS: Mapping[str, tuple[str, str]] = {
    "queue": ("to queue", "去往队列"),
    "group": ("agents of a further team may have it too, of", "增加可接的团队"),
    "voicemail": ("to leave a message", "转为留言"),
    "callback": ("to be called back", "转为回拨"),
    "end": ("ended", "结束"),
}
WITHDRAWALS: Mapping[str, tuple[str, str]] = {
    "customer_left": ("the customer left", "客户已离开"),
    "agent_left": ("the agent was no longer ready", "坐席不再就绪"),
    "moved": ("the contact moved on", "联系已转走"),
    "taken": ("another agent took it", "已由其他坐席接起"),
}


class Say:
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

    def skills(self, asked: Skills) -> str:
        return self(", ", "、").join(f"{skill}>={level}" for skill, level in asked) or self("no skill", "无技能要求")
