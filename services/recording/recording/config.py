"""What this service is told, read once from the environment by ``__main__``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from switchlog.config import PORTS, KernelSettings, kernel_settings

SERVICE = "recording"


@dataclass(frozen=True, slots=True)
class Settings:
    """``objects_url`` is where transcripts are kept: a folder (``file://``), S3, GCS or Azure."""

    kernel: KernelSettings
    objects_url: str


def settings(env: Mapping[str, str]) -> Settings:
    """Pure; raises ``ConfigError`` naming the variable that is wrong."""
    kernel = kernel_settings(env, SERVICE, PORTS[SERVICE])
    folder = Path(kernel.store.path).absolute() / "objects"
    return Settings(kernel, env.get("OBJECTS_URL") or folder.as_uri())
