"""What this service is told, read once from the environment by ``__main__``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from switchlog.config import PORTS, KernelSettings, kernel_settings

SERVICE = "customers"


@dataclass(frozen=True, slots=True)
class Settings:
    kernel: KernelSettings


def settings(env: Mapping[str, str]) -> Settings:
    """Pure; raises ``ConfigError`` naming the variable that is wrong."""
    return Settings(kernel_settings(env, SERVICE, PORTS[SERVICE]))
