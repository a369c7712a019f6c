"""What this service is told, read once from the environment by ``__main__``."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from switchlog.config import PORTS, KernelSettings, kernel_settings

SERVICE = "ingress_chat"


@dataclass(frozen=True, slots=True)
class Settings:
    """``replica`` names this process among its equals and stays the same over restarts; ``visitor_key_file`` holds the
    private key that signs visitors' tokens, the same in all replicas; ``objects_url`` is where attachments are kept."""

    kernel: KernelSettings
    replica: str
    visitor_key_file: Path
    visitor_issuer: str
    objects_url: str


def settings(env: Mapping[str, str]) -> Settings:
    """Pure; raises ``ConfigError`` naming the variable that is wrong."""
    kernel = kernel_settings(env, SERVICE, PORTS[SERVICE])
    data = Path(kernel.store.path)
    return Settings(
        kernel,
        env.get("INGRESS_CHAT_REPLICA") or socket.gethostname(),
        Path(env.get("INGRESS_CHAT_VISITOR_KEY_FILE") or data / "ingress_chat-visitors.pem"),
        env.get("INGRESS_CHAT_VISITOR_ISSUER") or f"http://{kernel.http_host}:{kernel.http_port}",
        env.get("OBJECTS_URL") or (data.absolute() / "objects").as_uri(),
    )
