"""A figure that leaves its range is told as a fact, and so is its return."""

from __future__ import annotations

from .centre import STORY
from .centre.tenant import QUEUE, Tenant

pytestmark = STORY


async def test_a_queue_that_nobody_serves_raises_an_alert_until_somebody_does(tenant: Tenant) -> None:
    """AN-3: the alert is a fact with its rule, value and limit; the read API lists it with its end."""
    await tenant.queue()
    rule = {"figure": "queue_depth", "side": "above", "limit": 0, "queues": [QUEUE], "clear_for_s": 0}
    defined = await tenant.supervisor.put("analytics", "/v1/alert-rules/somebody-waits", rule)
    assert defined.is_success, defined.text
    visitor = await tenant.visitor()
    await visitor.say("Is anybody there?")

    raised = (await tenant.fact("alert-", "AlertRaised", within_s=30)).data
    assert (raised.rule, raised.queue, raised.figure, raised.value, raised.limit) == (
        *("somebody-waits@1", QUEUE, "queue_depth", 1.0, 0.0),
    )
    (alert,) = (await tenant.analyst.get("analytics", "/v1/alerts?open=true")).json()["alerts"]
    assert (alert["alert"], alert["cleared_at"]) == (raised.alert, None)

    ann = await tenant.agent("ann")
    await ann.takes(visitor.contact)
    cleared = (await tenant.fact("alert-", "AlertCleared", within_s=30)).data
    assert cleared.alert == raised.alert
    assert len(tenant.facts("alert-", "AlertRaised")) == 1
