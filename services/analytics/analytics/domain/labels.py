"""What people call each formula: one Chinese and one English label (kpis.md).

呼损率 is never shown alone: some mean abandonment by it.
"""

from __future__ import annotations

from typing import NamedTuple


class Label(NamedTuple):
    zh: str
    en: str


_LIVE = Label("(含超时等待)", " (waiting too long counts as missed)")
_LEVELS = {
    "sl_answered": Label("服务水平(已接听)", "Service level (of answered)"),
    "sl_strict": Label("服务水平(含放弃)", "Service level (of answered and abandoned)"),
    "sl_ignore_early": Label("服务水平(不计阈值内放弃)", "Service level (early abandons ignored)"),
    "sl_positive": Label("服务水平(阈值内放弃计为达标)", "Service level (early abandons count as met)"),
    "sl_short_credit": Label("服务水平(短放弃计为达标)", "Service level (short abandons count as met)"),
    "sl_excl_short": Label("服务水平(不计短放弃)", "Service level (short abandons excluded)"),
    "sl_connect": Label("服务水平(阈值内离队)", "Service level (left the queue in time)"),
    "sl_offered": Label("服务水平(含溢出)", "Service level (of answered, abandoned and flowed out)"),
}

LABELS = {
    **_LEVELS,
    **{f"{name}.live": Label(zh + _LIVE.zh, en + _LIVE.en) for name, (zh, en) in _LEVELS.items()},
    "queue_depth": Label("排队数", "Waiting"),
    "longest_wait": Label("最长等待(本队列)", "Longest wait (in this queue)"),
    "longest_wait_arrival": Label("最长等待(自进线)", "Longest wait (since arrival)"),
    "asa": Label("平均应答速度", "Average speed of answer"),
    "asa_accept": Label("平均应答速度(座席接受)", "Average speed of acceptance"),
    "abandon_rate_queued": Label("放弃率(排队)", "Abandonment rate (of queued)"),
    "abandon_rate_connected": Label("电话放弃率", "Abandonment rate (of system-connected)"),
    "avg_abandon_time": Label("平均放弃时间", "Average time to abandon"),
    "blocked_rate": Label("呼损率(未进入排队)", "Blocked rate (before any queue)"),
    "answer_rate": Label("接通率", "Answer rate"),
    "non_response": Label("未响应率", "Non-response rate"),
    "att": Label("平均通话时长", "Average talk time"),
    "att_incl_hold": Label("平均通话时长(含保持)", "Average talk time with holds"),
    "acw": Label("事后处理时间", "Average after-contact work"),
    "aht": Label("平均通话时间(通话+保持+事后处理)", "Average handle time"),
    "atht": Label("平均中继线占用时长", "Average trunk holding time"),
    "occupancy": Label("座席占用率", "Occupancy"),
    "slot_occupancy": Label("会话槽占用率", "Slot occupancy"),
    "utilization": Label("工时利用率", "Utilization"),
    "adherence": Label("实际工作率", "Adherence"),
    "attendance": Label("出勤率", "Attendance"),
    "fcr_open": Label("一次性解决率(暂计)", "First-contact resolution (so far)"),
    "fcr_final": Label("一次性解决率", "First-contact resolution"),
    "complaint_rate": Label("投诉率", "Complaint rate"),
    "transfer_rate": Label("转接率", "Transfer rate"),
    "csat": Label("满意度", "Customer satisfaction"),
    "cost_per_contact": Label("平均单呼成本", "Cost per contact"),
    "first_response": Label("首次响应时间", "First response time"),
    "next_response": Label("后续响应时间", "Next response time"),
    "resolution_time": Label("解决时长", "Resolution time"),
    "chat_concurrency": Label("会话并发数", "Chat concurrency"),
    "ewt_p50": Label("预计等待(中位)", "Estimated wait (median)"),
    "ewt_p90": Label("预计等待(90%)", "Estimated wait (90 %)"),
    "ewt_p50_hit": Label("预计等待命中率(中位)", "Waits within the median estimate"),
    "ewt_p90_hit": Label("预计等待命中率(90%)", "Waits within the 90 % estimate"),
    "contacts_received": Label("总呼叫量", "Contacts received"),
    "contacts_per_agent_hour": Label("小时话务量", "Contacts per agent hour"),
    "self_service_rate": Label("自助率", "Self-service rate"),
    "ivr_containment": Label("语音菜单自助完成率", "Menu containment"),
}
"""Formula id -> its labels."""
