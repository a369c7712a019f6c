"""Sets the demo's centre up: its configuration file and its agents, by the command that everybody uses. Repeatable."""

import asyncio
import sys
from pathlib import Path
from typing import Any

import yaml

from switchlog_local.demo.plan import Options, environment, url
from switchlog_local.errors import StartFailed

CENTRE = Path(__file__).with_name("centre.yaml")
WRITTEN: dict[str, dict[str, Any]] = yaml.safe_load(CENTRE.read_text())
QUEUES = tuple(WRITTEN["queues"])
SITE_KEYS = {door: told["site_key"] for door, told in WRITTEN["entry_points"].items()}
OWNERS = ("routing", "agent_state", "ingress_chat", "ingress_voice")
POOL = "front"
WRAP_UP_LIMIT_S = 10


async def seed(admin_token: str, agents: list[str], options: Options) -> None:
    """Raises StartFailed with the first refusal."""
    file = options.folder / "centre.yaml"
    told = {"agents": {agent: _agent(n) for n, agent in enumerate(agents)}}
    file.write_text(CENTRE.read_text() + "\n" + yaml.safe_dump(told, allow_unicode=True, sort_keys=False))
    where = [part for owner in OWNERS for part in ("--url", f"{owner}={url(owner)}")]
    command = [sys.executable, "-m", "routing", "config", "apply", str(file), "--progress", "none", *where]
    applying = await asyncio.create_subprocess_exec(
        *command,
        env={**environment("routing", options), "SWITCHLOG_TOKEN": admin_token},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await applying.communicate()
    if applying.returncode:
        raise StartFailed(f"setting up the centre: {said.decode()[-500:].strip()}")


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
