"""What this service is told, read once from the environment by ``__main__``."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from switchlog.config import PORTS, ConfigError, KernelSettings, kernel_settings

SERVICE = "routing"


@dataclass(frozen=True, slots=True)
class Settings:
    """``zone`` is where a pool's day begins at midnight; ``owner`` names this process in ``PoolTaken``."""

    kernel: KernelSettings
    zone: ZoneInfo
    owner: str


def settings(env: Mapping[str, str]) -> Settings:
    """Pure but for the process's own name; raises ``ConfigError`` naming the variable that is wrong."""
    name = env.get("ROUTING_TIME_ZONE") or "Asia/Shanghai"
    try:
        zone = ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise ConfigError(f"ROUTING_TIME_ZONE must be an IANA zone such as Asia/Shanghai, not {name!r}") from None
    owner = env.get("ROUTING_OWNER") or f"{socket.gethostname()}-{os.getpid()}"
    return Settings(kernel_settings(env, SERVICE, PORTS[SERVICE]), zone, owner)
