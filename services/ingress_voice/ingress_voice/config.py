"""What this service is told, read once from the environment by ``__main__``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from switchlog.config import PORTS, KernelSettings, kernel_settings

SERVICE = "ingress_voice"


@dataclass(frozen=True, slots=True)
class Settings:
    """``script`` is what the scripted switch plays; ``None`` = no calls come."""

    kernel: KernelSettings
    script: Path | None


def settings(env: Mapping[str, str]) -> Settings:
    """Pure; raises ``ConfigError`` naming the variable that is wrong."""
    script = env.get("INGRESS_VOICE_SCRIPT")
    return Settings(kernel_settings(env, SERVICE, PORTS[SERVICE]), Path(script) if script else None)
