"""Sets the demo's centre up through the public APIs: queues, agents, doors. Repeating it changes nothing."""

from collections.abc import Mapping
from typing import Any

import httpx2 as httpx

from switchlog_local.demo.plan import url
from switchlog_local.errors import StartFailed

POOL = "front"
QUEUES: Mapping[str, dict[str, Any]] = {
    "sales": {"name": "Sales 销售", "required_skills": []},
    "service": {"name": "Service 服务", "required_skills": [{"skill": "service", "min_level": 1}]},
}
SITE_KEYS = {"shop-window": "demo-site-sales", "help-page": "demo-site-service"}
DOORS = {"shop-window": "sales", "help-page": "service"}
WRAP_UP_LIMIT_S = 10


async def seed(admin_token: str, agents: list[str]) -> None:
    """Raises StartFailed with the first refusal."""
    headers = {"authorization": f"Bearer {admin_token}"}
    async with httpx.AsyncClient(headers=headers, timeout=20) as client:
        for queue, definition in QUEUES.items():
            await _put(client, "routing", f"/v1/queues/{queue}", _queue(definition))
        for n, agent in enumerate(agents):
            await _put(client, "agent_state", f"/v1/agents/{agent}", _agent(n))
        for door, queue in DOORS.items():
            body = {"site_key": SITE_KEYS[door], "queue": queue, "reconnect_grace_s": 20}
            await _put(client, "ingress_chat", f"/v1/entry-points/{door}", body)


def _queue(definition: dict[str, Any]) -> dict[str, Any]:
    return {"pool": POOL, "offer_timeout_s": 10, "service_level_threshold_s": 20, **definition}


def _agent(n: int) -> dict[str, Any]:
    skills = [{"skill": "service", "level": 1 + n % 3}] if n % 2 == 0 else []
    return {
        "name": f"Agent {n + 1} 坐席",
        "team": f"team-{1 + n % 2}",
        "pool": POOL,
        "skills": skills,
        "capacity": [{"channel": "chat", "slots": 2}],
        "wrap_up_s": WRAP_UP_LIMIT_S,
    }


async def _put(client: httpx.AsyncClient, service: str, path: str, body: dict[str, Any]) -> None:
    answer = await client.put(url(service) + path, json=body)
    if not answer.is_success:
        raise StartFailed(f"setting up {service}{path}: {answer.status_code} {answer.text[:300]}")
